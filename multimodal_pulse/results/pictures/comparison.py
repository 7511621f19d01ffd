"""A figure of several runs: a row for each, drawn from the files that the runs have left."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from PIL import Image
from torch import Tensor

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.base.faithfulness import OK_LR_PSNR_DB
from multimodal_pulse.base.files import atomic_file
from multimodal_pulse.references.pixels import load_rgb
from multimodal_pulse.results.pictures.grid import faithfulness, load_if_there
from multimodal_pulse.results.pictures.page import Page, Tile, tile_side

MOST_IN_A_ROW = 4
"""Samples beside each other; more of them go on below."""
_JPEG_QUALITY = 70
_SIDE, _LARGEST_SIDE = 128, 256
_MARGIN = 152


@dataclass(frozen=True)
class Row:
    """One run in a figure.

    Attributes:
        name: what the row is called.
        folders: of finished references; each takes a block of columns of its own.
    """

    name: str
    folders: Sequence[Path]


def figure(rows: Sequence[Row], title: str) -> Image.Image:
    """One picture of several runs that can be compared.

    A row begins with its name, the mean LR-PSNR and the mean distance between samples. Then comes, for each reference,
    the original with the reference (and the mask) below it, and each sample with its LR-PSNR; below that the same
    sample downsampled and, where there was LR noise, what it was fitted to.

    Args:
        rows: at least one, all with as many folders.
        title: over all rows.
    Returns: an RGB picture on white.
    Raises:
        UserError: a folder is not a finished reference.
    """
    found = [[_Finished.read(folder) for folder in row.folders] for row in rows]
    bands = max(math.ceil(len(one.samples) / MOST_IN_A_ROW) for of_row in found for one in of_row)
    in_a_row = max(math.ceil(len(one.samples) / bands) for of_row in found for one in of_row)
    block = 1 + in_a_row
    page = Page(
        tile_side(found[0][0].samples[0].image.shape[-1], _SIDE, _LARGEST_SIDE),
        columns=block * len(found[0]),
        rows=bands * len(rows),
        gutters=[block * number + inner for number in range(len(found[0])) for inner in (0, 1)][1:],
        title=title,
        note=_legend([one for of_row in found for one in of_row]),
        margin=_MARGIN,
        small=True,
    )
    for number, (row, of_row) in enumerate(zip(rows, found, strict=True)):
        page.name(bands * number, row.name, _measured(of_row))
        for position, one in enumerate(of_row):
            page.put(one.given, block * position, bands * number)
            for k, sample in enumerate(one.samples):
                page.put(sample, block * position + 1 + k % in_a_row, bands * number + k // in_a_row)
    return page.image


def save(picture: Image.Image, path: Path) -> None:
    """Writes a figure, whole or not at all, in the format that the name says.

    Raises:
        UserError: the name is not a picture's.
    """
    if path.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise UserError(f"{path}: the name of a figure must end in .png or .jpg.")
    with atomic_file(path) as partial:
        picture.save(partial, quality=_JPEG_QUALITY, optimize=True)


@dataclass(frozen=True)
class _Finished:
    """The tiles of a finished reference, and its record.json."""

    given: Tile
    samples: Sequence[Tile]
    record: dict[str, Any]

    @classmethod
    def read(cls, folder: Path) -> "_Finished":
        if not (folder / "record.json").is_file():
            raise UserError(f"{folder} is not a finished reference: start its run again, which does what is missing.")
        record = json.loads((folder / "record.json").read_text(encoding="utf-8"))
        lr, original = load_rgb(folder / "lr.png"), load_if_there(folder / "hr.png")
        label = "Reference" if original is None else "Original"
        mask = _there(load_if_there(folder / "mask.png"))
        footer = f"Reference, {lr.shape[-1]} x {lr.shape[-2]}"
        given = Tile(label, lr if original is None else original, footer, small=[lr, *mask])
        samples = [
            Tile(
                f"Sample {one['sample']}",
                load_rgb(folder / f"sr_{one['sample']:02d}.png"),
                *faithfulness(one["lr_psnr"]),
                small=[
                    load_rgb(folder / f"sr_{one['sample']:02d}_lr.png"),
                    *_there(load_if_there(folder / f"lr_noisy_{one['sample']:02d}.png")),
                ],
            )
            for one in record["records"]
        ]
        return cls(given, samples, record)


def _there(image: Tensor | None) -> list[Tensor]:
    return [] if image is None else [image]


def _measured(found: Sequence[_Finished]) -> list[str]:
    """What the margin says about a row; nothing of what could not be measured."""
    faithful = [one["lr_psnr"] for of in found for one in of.record["records"] if one["lr_psnr"] is not None]
    distances = [of.record["diversity"]["rms"] for of in found if of.record["diversity"]["rms"] is not None]
    # Rounded down, as under the samples.
    lines = [f"LR-PSNR {math.floor(10 * fmean(faithful)) / 10:.1f} dB"] if faithful else []
    return [*lines, *([f"distance {fmean(distances):.1f}"] if distances else [])]


def _legend(found: Sequence[_Finished]) -> str:
    masked = any(len(one.given.small) > 1 for one in found)
    noisy = any(len(sample.small) > 1 for one in found for sample in one.samples)
    below_given = "the reference" + masked * " and its mask (noise where white)"
    below_sample = "the sample downsampled" + noisy * ", and the reference + noise that it was fitted to"
    return (
        f"Below the original: {below_given}. Below each sample: {below_sample}. LR-PSNR compares a downsampled sample"
        f" with the reference: faithful (ok) from {OK_LR_PSNR_DB:.0f} dB, loose below. Distance: RMS between two"
        " samples, in grey levels."
    )
