"""Print the report's Table I with our runs below it.

python experiments/table1/table.py outputs/table1/ffhq256 [another run or merged directory ...]
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from multimodal_pulse.base.errors import UserError

COLUMNS = (("PSNR", "psnr", 1, "dB"), ("SSIM", "ssim", 100, "%"), ("LPIPS", "lpips", 100, "%"))
"""Heading, key in metrics.json, factor, unit."""

REPORT: dict[str, Any] = {
    "psnr": {"mean": 18.28, "std": 1.65},
    "ssim": {"mean": 0.4961, "std": 0.0841},
    "lpips": {"mean": 0.3732, "std": 0.0803},
}
"""The report's row, in the units of metrics.json. It does not state the LPIPS backbone, nor which samples count."""


def table(runs: Sequence[Path]) -> str:
    """Formats the table, and says for each of our rows what it is a mean of.

    Raises:
        UserError: a directory has no scores.
    """
    found = {str(run): _metrics(run) for run in runs}
    lines = [f"- `{run}`: {samples(metrics)}; LPIPS: {_backbone(metrics)}." for run, metrics in found.items()]
    return "\n".join([markdown({"the report": REPORT} | {f"`{run}`": found[run] for run in found}), *lines])


def markdown(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """Makes the Markdown table: mean and standard deviation over images, "-" for what was not measured.

    Args:
        rows: by name of the row, the content of metrics.json.
    """
    lines = [["", *(heading for heading, *_ in COLUMNS)], ["---"] * (1 + len(COLUMNS))]
    lines += [
        [name, *(_cell(metrics[key], factor, unit) for _, key, factor, unit in COLUMNS)]
        for name, metrics in rows.items()
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def samples(metrics: Mapping[str, Any]) -> str:
    """Says which images and samples a row is a mean of."""
    images = metrics.get("num_scored", metrics["num_references"])  # a run of an earlier version has no num_scored
    k, failed = metrics["num_samples"], metrics["status"]["failed"]
    of_each = "the one sample of each" if k == 1 else f"all {k} samples of each, averaged first"
    without = f", but for {failed} that failed" if failed else ""
    return f"mean ± standard deviation over {images} image{'' if images == 1 else 's'}: {of_each}{without}"


def _cell(score: Mapping[str, float | None], factor: int, unit: str) -> str:
    mean, std = score["mean"], score["std"]
    return "-" if mean is None or std is None else f"{factor * mean:.2f} ± {factor * std:.2f} {unit}"


def _metrics(run: Path) -> Mapping[str, Any]:
    path = run / "metrics.json"
    if not path.is_file():
        raise UserError(f"{path} is missing: {run} is not a run directory, or nothing in it is finished.")
    return json.loads(path.read_text(encoding="utf-8"))


def _backbone(metrics: Mapping[str, Any]) -> str:
    backbone = metrics["lpips_backbone"]
    absent = backbone is None or backbone["weights"] == "absent"
    return "none" if absent else f"{backbone['net']}, {backbone['weights']} weights"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path, help="run directories")
    args = parser.parse_args(arguments)
    try:
        print(table(args.runs))
    except UserError as error:
        sys.exit(f"table: {error}")


if __name__ == "__main__":
    main()
