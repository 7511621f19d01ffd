"""Does it help to say that references carry noise? The table of the README, by runs with and without.

    python experiments/degradations/noise.py [--portraits 8] [--std 0.05]

It writes the LR pictures of validation portraits with noise to outputs/noise/pictures, searches them under each row of
`ROWS` (a row that is there already is not searched again) and prints the table: scores against the clean originals.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from multimodal_pulse.degradation import Bicubic
from multimodal_pulse.interface.api import run_overrides
from multimodal_pulse.metrics.functional import lr_psnr, mean_image_psnr, psnr, ssim
from multimodal_pulse.references import Portraits, Reference
from multimodal_pulse.references.pixels import load_rgb, save_png

FOLDER = Path("outputs/noise")
DEGRADATION = Bicubic(8)
METHODS = ("explore", "faithful")


def rows(std: float) -> dict[str, list[str]]:
    """Returns the overrides of each row by its name."""
    choices = {"hard projection": "null", f"`references.noise_std={std:g}`": f"{std:g}"}
    choices["`references.noise_std=estimate`"] = "estimate"
    return {
        f"`{method}`, {name}": [f"method={method}", f"references.noise_std={value}"]
        for method in METHODS
        for name, value in choices.items()
    }


def write_pictures(originals: Portraits, std: float) -> None:
    """Writes the LR pictures of the originals with noise, the same at each call."""
    (FOLDER / "pictures").mkdir(parents=True, exist_ok=True)
    rng = torch.Generator().manual_seed(0)
    for original in originals:
        noise = std * torch.randn(original.lr.shape, generator=rng)
        save_png(original.lr + noise, FOLDER / "pictures" / f"{original.name}.png")


def scores(folder: Path, original: Reference) -> Iterator[Tensor]:
    """Yields PSNR, SSIM, PSNR of the mean and LR-PSNR to the clean and the given LR picture, noise, share of ok."""
    assert original.hr is not None
    samples = torch.stack([load_rgb(path) for path in sorted(folder.glob("sr_??.png"))])
    yield psnr(samples, original.hr).mean()
    yield ssim(samples, original.hr).mean()
    yield mean_image_psnr(samples, original.hr)
    yield lr_psnr(samples, original.lr, DEGRADATION).mean()
    yield lr_psnr(samples, load_rgb(folder / "lr.png"), DEGRADATION).mean()
    entry = json.loads((folder / "record.json").read_text())
    yield torch.tensor(entry["noise"]["std"])
    yield torch.tensor([record["status"] == "ok" for record in entry["records"]]).float().mean()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--portraits", type=int, default=8)
    parser.add_argument("--std", type=float, default=0.05)
    given = parser.parse_args()
    originals = Portraits(128, DEGRADATION, limit=given.portraits, split="validation")
    write_pictures(originals, given.std)
    common = ["references=folder", f"references.path={FOLDER / 'pictures'}", "generator=portraits", "tracking=none"]
    print(
        "| row | PSNR, dB | SSIM | mean of 4, dB | LR-PSNR to the clean LR picture | to the reference | std used | ok |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for number, (row, overrides) in enumerate(rows(given.std).items()):
        report = run_overrides([*common, "metrics.lpips_net=null", *overrides], FOLDER / f"{given.std:g}-{number}")
        folders = [report.run_dir / "references" / original.name for original in originals]
        found = zip(folders, originals, strict=True)
        measured = torch.stack([torch.stack(list(scores(folder, original))).float() for folder, original in found])
        means = measured.double().mean(dim=0).tolist()
        cells = [f"{value:.{digits}f}" for value, digits in zip(means, (2, 3, 2, 1, 1, 3, 2), strict=True)]
        print(f"| {row} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
