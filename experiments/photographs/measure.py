"""Search photographs of real faces under several methods; write the table and two contact sheets.

    python experiments/photographs/measure.py                  # what is missing of all runs, in outputs/photographs
    python experiments/photographs/measure.py --sets kept_out trainer=gpu    # one set, with overrides of run.py

The same command resumes; a finished reference is never searched again.
"""

import argparse
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from photographs_rows import COUNT, HERE, ROWS, RUNS, SETS, run_dir
from torch import Tensor

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.base.files import write_atomic
from multimodal_pulse.interface.api import run_overrides
from multimodal_pulse.metrics.intervals import estimate
from multimodal_pulse.references.pixels import load_rgb
from multimodal_pulse.results.json_files import read_json
from multimodal_pulse.results.records import read_entries

sys.path += [str(HERE.parent / "prior_training"), str(HERE.parent / "methods")]
from columns import COLUMNS
from sheets import save_sheet

Entries = Sequence[Mapping[str, Any]]


SHOWN = {
    "found, dB": "lr_psnr_found",
    "PSNR, dB": "psnr",
    "SSIM": "ssim",
    "LPIPS": "lpips",
    "realism": "realism",
    "mean of 4, dB": "mean_image_psnr",
    "distance": "distance",
}
"""What the table shows: the measures of `experiments/methods`, under shorter names."""


def values(key: str, entries: Entries) -> np.ndarray:
    """Returns a measure of each reference; NaN where it does not exist."""
    return np.array([COLUMNS[key].of(entry) for entry in entries], dtype=float)


def table(runs: Mapping[str, Entries]) -> str:
    """Formats a row for each method: the worst saved file, then means over references with half their interval."""
    lines = [["row", "worst saved file, dB", *SHOWN], ["---", *["---:"] * (1 + len(SHOWN))]]
    for row, entries in runs.items():
        saved = [record["lr_psnr"] for entry in entries for record in entry["records"]]
        worst = min(-math.inf if value is None else value for value in saved)  # None: its search failed
        lines.append([f"`{row}`", f"{worst:.1f}", *(_cell(key, entries) for key in SHOWN.values())])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cell(key: str, entries: Entries) -> str:
    there = values(key, entries)
    there = there[~np.isnan(there)]
    return estimate(there).plus_minus(COLUMNS[key].places) if len(there) else "-"


def against_bicubic(runs: Mapping[str, Entries]) -> str:
    """Compares PSNR and LPIPS of each method with those of bicubic upsampling, reference by reference."""
    lines = ""
    for row, entries in runs.items():
        if row == "bicubic":
            continue
        (psnr, base_psnr), (lpips, base_lpips) = (
            (values(key, entries), values(key, runs["bicubic"])) for key in ("psnr", "lpips")
        )
        lines += f"- `{row}` against `bicubic`: PSNR {estimate(psnr - base_psnr):2} dB, LPIPS"
        lines += f" {estimate(lpips / base_lpips):2} times its.\n"
    return lines


def sheet(run: Path, names: Sequence[str]) -> Tensor:
    """Returns the tiles of some references, row by row: original, reference, samples; [N, 3, R, R]."""
    tiles = []
    for name in names:
        folder = run / "references" / name
        original = load_rgb(folder / "hr.png")
        reference = F.interpolate(load_rgb(folder / "lr.png")[None], size=original.shape[-2:], mode="nearest")[0]
        tiles += [original, reference, *map(load_rgb, sorted(folder.glob("sr_??.png")))]
    return torch.stack(tiles)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sets", default=",".join(SETS), help="separated by commas")
    parser.add_argument("--rows", default=",".join(ROWS), help="separated by commas")
    parser.add_argument("--runs", type=Path, default=RUNS, help="folder of the runs")
    parser.add_argument("--out", type=Path, default=HERE, help="folder of table.md and the sheets")
    args, overrides = parser.parse_known_args(arguments)
    try:
        text = "\n".join(measured(name, args.rows.split(","), args.runs, overrides) for name in args.sets.split(","))
    except UserError as error:
        sys.exit(f"measure: {error}")
    write_atomic(args.out / "table.md", text)
    print(text, end="")
    if "kept_out" in args.sets.split(",") and "explore" in args.rows.split(","):
        run = run_dir(args.runs, "kept_out", "explore")
        for number, first in enumerate((0, COUNT // 16)):
            names = [f"portrait-{index:02d}" for index in range(first, COUNT, COUNT // 8)]
            save_sheet(sheet(run, names), 128, 6, args.out / f"sheet_{number}.jpg")


def measured(name: str, rows: Sequence[str], folder: Path, overrides: Sequence[str]) -> str:
    """Does the missing runs of a set of pictures and formats its table.

    Raises:
        UserError: pictures are missing, or a run cannot be done.
    """
    if unknown := [one for one in (*rows, name) if one not in (*ROWS, *SETS)]:
        raise UserError(f"{unknown[0]} is unknown: rows are {', '.join(ROWS)}, sets {', '.join(SETS)}.")
    common = ["references=folder", f"references.path={SETS[name](folder).resolve()}", "references.align=none"]
    runs = {}
    for row in rows:
        of_row = run_dir(folder, name, row)
        chosen = [f"method={row}", "metrics.lpips_net=alex", "tracking=none", *overrides]
        run_overrides([*common, *chosen], of_row)
        runs[row] = read_entries(of_row, read_json(of_row / "plan.json")["references"])
    compared = against_bicubic(runs) if "bicubic" in runs else ""
    return f"## {name}, {len(next(iter(runs.values())))} pictures\n\n{table(runs)}\n{compared}"


if __name__ == "__main__":
    main()
