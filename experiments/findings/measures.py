"""Measure every finished point from its run directories: measures.csv, a line for each point, seed and portrait.

    python experiments/findings/measures.py
    python experiments/findings/measures.py --keep    # lines of points whose runs are not here stay as they are

Realism needs the SqueezeNet 1.1 backbone of torchvision in TORCH_HOME; without it, its column is empty.
"""

import argparse
import csv
import io
import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from statistics import fmean

import torch
import torch.nn.functional as F
from points import MEASURES, NUM_SAMPLES, POINTS, RUNS, SEEDS, run_dir
from torch import Tensor
from tqdm import tqdm

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.base.faithfulness import OK_LR_PSNR_DB
from multimodal_pulse.base.files import write_atomic
from multimodal_pulse.degradation.bicubic import Bicubic
from multimodal_pulse.diversity.lr_noise import lr_mask
from multimodal_pulse.domains.portraits.renderer import mouth_mask
from multimodal_pulse.metrics import build_realism
from multimodal_pulse.references.pixels import load_rgb
from multimodal_pulse.results.records import read_entries

FACTOR = 8
GRAIN_FREQUENCY = 0.25
"""Structure of at least so many cycles per pixel, in x or y, counts as grain; it holds 3/4 of white noise's energy."""

FROM_RECORDS = ("psnr", "lpips", "lr_psnr", "lr_psnr_worst", "faithful", "distance", "seconds")
FROM_PICTURES = ("lr_distance", "grain", "inside", "outside", "realism")
OF_SAMPLES = tuple(f"lr_psnr_{sample}" for sample in range(NUM_SAMPLES))
COLUMNS = ("point", "seed", "reference", "weights_sha256", *FROM_RECORDS, *FROM_PICTURES, *OF_SAMPLES)

Realism = Callable[[Tensor], float]
"""A function from samples [K, 3, R, R] to the share of them that lies where real portraits lie."""


def realism(resolution: int) -> Realism:
    """Returns the share of realistic portraits among samples, which is NaN without the backbone."""
    measured = build_realism("rendered portraits", resolution)
    return lambda samples: fmean(math.nan if real is None else real for real in measured.of(samples))


def regions(resolution: int) -> tuple[Tensor, Tensor]:
    """Returns where the mouth's mask allows noise, and what is more than an LR pixel away from it: bool [R, R] each."""
    lr_side = resolution // FACTOR
    mask = lr_mask(mouth_mask(resolution)[0], (lr_side, lr_side), resolution) > 0
    near = F.max_pool2d(mask.float(), 3, stride=1, padding=1) > 0
    inside, close = (F.interpolate(part.float()[None], scale_factor=FACTOR)[0, 0] > 0 for part in (mask, near))
    return inside, ~close


def of_pictures(samples: Tensor, inside: Tensor, outside: Tensor) -> dict[str, float]:
    """Computes the measures of the samples [K, 3, R, R] of one reference that its record does not have.

    All are means over pairs of samples: `lr_distance`, `inside` and `outside` are RMS differences in grey levels, of
    the downsampled samples and of two regions; `grain` is the share of the difference's energy at `GRAIN_FREQUENCY`
    and above, NaN for pairs without a difference.
    """
    first, second = (torch.stack(part) for part in zip(*combinations(samples, 2), strict=True))
    difference = 255 * (first - second)
    return {
        "lr_distance": _rms(Bicubic(FACTOR)(difference)),
        "grain": _grain(difference),
        "inside": _rms(difference[..., inside]),
        "outside": _rms(difference[..., outside]),
    }


def _rms(difference: Tensor) -> float:
    """Returns the mean over pairs of the root mean square of differences, [pairs, ...]."""
    return difference.flatten(1).square().mean(dim=1).sqrt().mean().item()


def _grain(difference: Tensor) -> float:
    energy = torch.fft.fft2(difference).abs().square().sum(dim=1)
    frequency = torch.fft.fftfreq(difference.shape[-1]).abs()
    fine = torch.maximum(frequency[:, None], frequency[None, :]) >= GRAIN_FREQUENCY
    return ((energy * fine).sum(dim=(1, 2)) / energy.sum(dim=(1, 2))).mean().item()


def of_record(entry: Mapping) -> dict[str, float]:
    """Reads measures from a record.json: means over samples, the worst LR-PSNR, and the share of faithful samples.

    LR-PSNR is that of what was found, before the consistency step of `explore`, which brings every sample above 75 dB
    and so hides what a search does to it; the methods of the report have no such step.
    """
    records = entry["records"]
    found = [record["lr_psnr_found"] for record in records]
    lr_psnr = [-math.inf if value is None else value for value in found]
    means = {name: fmean(_number(record[name]) for record in records) for name in ("psnr", "lpips")}
    return {
        **means,
        "lr_psnr": fmean(lr_psnr),
        "lr_psnr_worst": min(lr_psnr),
        "faithful": fmean(value >= OK_LR_PSNR_DB for value in lr_psnr),
        "distance": _number(entry["diversity"]["rms"]),
        "seconds": entry["seconds"],
        **dict(zip(OF_SAMPLES, lr_psnr, strict=True)),
    }


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def measure(folder: Path, is_real: Realism) -> Iterator[dict[str, float | str]]:
    """Makes a line for each reference of a run directory.

    Raises:
        UserError: the run is not finished.
    """
    plan = folder / "plan.json"
    names = json.loads(plan.read_text(encoding="utf-8"))["references"] if plan.is_file() else []
    entries = read_entries(folder, names)
    if not names or len(entries) < len(names):
        raise UserError(f"{folder} has {len(entries)} of its references: run_findings.py does what is missing.")
    inside, outside = regions(load_rgb(folder / "references" / names[0] / "hr.png").shape[-1])
    for entry in entries:
        pictures = folder / "references" / entry["reference"]
        samples = torch.stack([load_rgb(pictures / f"sr_{sample:02d}.png") for sample in range(NUM_SAMPLES)])
        yield {
            "reference": entry["reference"],
            "weights_sha256": entry["weights_sha256"] or "",
            **of_record(entry),
            **of_pictures(samples, inside, outside),
            "realism": is_real(samples),
        }


def refuse_mixed(rows: Sequence[Mapping]) -> None:
    """Checks that all lines of measures.csv were made with one generator.

    Raises:
        UserError: they were not, or do not say with which.
    """
    if any("weights_sha256" not in row for row in rows):
        raise UserError("measures.csv was made by an earlier version: measures.py makes it again from the runs.")
    points = {row["weights_sha256"]: row["point"] for row in rows}
    if len(points) > 1:
        one, other, *_ = points.values()
        raise UserError(
            f"{one} and {other} have different generator weights: remove the older runs and run them again."
        )


def measured_before(path: Path) -> Mapping[tuple[str, str], list[Mapping]]:
    """Returns the lines of a measures.csv, by point and seed."""
    lines: dict[tuple[str, str], list[Mapping]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            lines.setdefault((row["point"], row["seed"]), []).append(row)
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=Path, default=RUNS, help="folder of the runs")
    parser.add_argument("--out", type=Path, default=MEASURES)
    parser.add_argument("--keep", action="store_true", help="keep the lines of points whose runs are not there")
    args = parser.parse_args(arguments)
    before = measured_before(args.out) if args.keep else {}
    try:
        is_real = realism(resolution=128)
        rows: list[Mapping] = []
        for point in tqdm(POINTS, desc="points"):
            for seed in SEEDS:
                folder = run_dir(args.runs, point, seed)
                if not folder.exists() and (point, str(seed)) in before:
                    rows += before[point, str(seed)]
                    continue
                for values in measure(folder, is_real):
                    rows.append({"point": point, "seed": seed} | {key: _short(value) for key, value in values.items()})
        refuse_mixed(rows)
    except UserError as error:
        sys.exit(f"measures: {error}")
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_atomic(args.out, text.getvalue())
    print(args.out)


def _short(value: float | str) -> str:
    """Formats a number with five digits, more than 128 samples can resolve; a missing one is empty."""
    if isinstance(value, str):
        return value
    return "" if math.isnan(value) else f"{value:.5g}"


if __name__ == "__main__":
    main()
