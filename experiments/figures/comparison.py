"""Draw one picture of several runs that can be compared: a row for each, from the files that the runs have left.

    python experiments/figures/comparison.py outputs/methods/{bicubic,pulse,combined}/seed-0 \
        --references test_000000,test_000003 --title "Three methods" --out outputs/methods/three.png

A row is named by the part in which the paths of the run directories differ: bicubic, pulse, combined.
"""

import argparse
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from statistics import fmean
from typing import Any

from PIL import Image
from torch import Tensor

from multimodal_pulse.base.errors import UserError, listed
from multimodal_pulse.base.faithfulness import OK_LR_PSNR_DB
from multimodal_pulse.base.files import atomic_file
from multimodal_pulse.references.pixels import load_rgb
from multimodal_pulse.results.pictures.grid import load_if_there
from multimodal_pulse.results.pictures.page import INK, Page, Tile, tile_side
from multimodal_pulse.results.pictures.verdict import faithfulness

MOST_IN_A_ROW = 4
"""The most samples side by side; further ones continue below."""
JPEG_QUALITY = 70
SIDE, LARGEST_SIDE = 128, 256
"""Of a tile, in pixels: the wanted one, and the largest."""
MARGIN = 152


@dataclass(frozen=True)
class Row:
    """One run in a figure.

    Attributes:
        name: the name of the row.
        folders: the folders of finished references, each in a block of columns.
    """

    name: str
    folders: Sequence[Path]


def figure(rows: Sequence[Row], title: str) -> Image.Image:
    """Draws several runs into one picture.

    A row begins with its name, the mean LR-PSNR and the mean distance between samples. For each reference it has the
    original, with the reference (and the mask) below it, and the samples with their LR-PSNR, each with its degraded
    picture and, where there was LR noise, the picture that it was fitted to below it.

    Args:
        rows: at least one, all with the same number of folders.
        title: the title of the figure.

    Returns: an RGB picture on white.

    Raises:
        UserError: a folder is not a finished reference.
    """
    found = [[_Finished.read(folder) for folder in row.folders] for row in rows]
    bands = max(math.ceil(len(one.samples) / MOST_IN_A_ROW) for of_row in found for one in of_row)
    in_a_row = max(math.ceil(len(one.samples) / bands) for of_row in found for one in of_row)
    block = 1 + in_a_row
    page = Page(
        tile_side(found[0][0].samples[0].image.shape[-1], SIDE, LARGEST_SIDE),
        columns=block * len(found[0]),
        rows=bands * len(rows),
        gutters=[block * number + inner for number in range(len(found[0])) for inner in (0, 1)][1:],
        title=title,
        note=_legend([one for of_row in found for one in of_row]),
        margin=MARGIN,
        small=range(bands * len(rows)),
    )
    for number, (row, of_row) in enumerate(zip(rows, found, strict=True)):
        page.name(bands * number, row.name, _measured(of_row))
        for position, one in enumerate(of_row):
            page.put(one.given, block * position, bands * number)
            for k, sample in enumerate(one.samples):
                page.put(sample, block * position + 1 + k % in_a_row, bands * number + k // in_a_row)
    return page.image


def save(picture: Image.Image, path: Path) -> None:
    """Writes a figure, whole or not at all, in the format of the file name.

    Raises:
        UserError: the file name is not that of a PNG or JPEG picture.
    """
    if path.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise UserError(f"{path}: the name of a figure must end in .png or .jpg.")
    with atomic_file(path) as partial:
        picture.save(partial, quality=JPEG_QUALITY, optimize=True)


def row_names(runs: Sequence[Path]) -> list[str]:
    """Returns the parts of each path in which the paths differ, without underscores; else the whole path."""
    if len({len(run.parts) for run in runs}) > 1:
        return list(map(str, runs))
    differ = [len(set(column)) > 1 for column in zip(*(run.parts for run in runs), strict=True)]
    names = ["/".join(compress(run.parts, differ)).replace("_", " ") for run in runs]
    return [name or str(run) for name, run in zip(names, runs, strict=True)]


@dataclass(frozen=True)
class _Finished:
    """The tiles of a finished reference, and the content of its record.json."""

    given: Tile
    samples: Sequence[Tile]
    entry: dict[str, Any]

    @classmethod
    def read(cls, folder: Path) -> "_Finished":
        if not (folder / "record.json").is_file():
            there = listed(sorted(path.parent.name for path in folder.parent.glob("*/record.json")))
            has = f"its run has {there}" if there else "its run has none yet"
            raise UserError(f"{folder} is not a finished reference: {has}. The same run again does what is missing.")
        entry = json.loads((folder / "record.json").read_text(encoding="utf-8"))
        lr, original = load_rgb(folder / "lr.png"), load_if_there(folder / "hr.png")
        label = "Reference" if original is None else "Original"
        mask = _present("mask", load_if_there(folder / "mask.png"))
        footer = f"Reference, {lr.shape[-1]} x {lr.shape[-2]}"
        given = Tile(label, lr if original is None else original, [(footer, INK)], small=[Tile("reference", lr), *mask])
        samples = [
            Tile(
                f"Sample {record['sample']}",
                load_rgb(folder / f"sr_{record['sample']:02d}.png"),
                [faithfulness(record["lr_psnr"])],
                small=[
                    Tile("degraded", load_rgb(folder / f"sr_{record['sample']:02d}_lr.png")),
                    *_present("fitted to", load_if_there(folder / f"lr_noisy_{record['sample']:02d}.png")),
                ],
            )
            for record in entry["records"]
        ]
        return cls(given, samples, entry)


def _present(label: str, image: Tensor | None) -> list[Tile]:
    return [] if image is None else [Tile(label, image)]


def _measured(found: Sequence[_Finished]) -> list[str]:
    """Returns the lines in the margin of a row, without what could not be measured."""
    decibels = [record["lr_psnr"] for one in found for record in one.entry["records"] if record["lr_psnr"] is not None]
    distances = [one.entry["diversity"]["rms"] for one in found if one.entry["diversity"]["rms"] is not None]
    # Rounded down, as below the samples.
    lines = [f"LR-PSNR {math.floor(10 * fmean(decibels)) / 10:.1f} dB"] if decibels else []
    return [*lines, *([f"distance {fmean(distances):.1f}"] if distances else [])]


def _legend(found: Sequence[_Finished]) -> str:
    masked = any(len(one.given.small) > 1 for one in found)
    noisy = any(len(sample.small) > 1 for one in found for sample in one.samples)
    below_given = "the reference" + masked * " and its mask (noise where white)"
    below_sample = "the sample degraded" + noisy * ", and the reference + noise that it was fitted to"
    return (
        f"Below the original: {below_given}. Below each sample: {below_sample}. The decibels (LR-PSNR) compare a"
        f" degraded sample with the reference: faithful from {OK_LR_PSNR_DB:.0f} dB, whatever it looks like."
        " Distance: RMS between two samples, in grey levels."
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path, help="run directories, in the order of the rows")
    parser.add_argument("--references", default="test_000000", help="names, with commas between")
    parser.add_argument("--title", default="", help="of the figure")
    parser.add_argument("--out", type=Path, required=True, help="a .png or .jpg file")
    args = parser.parse_args(arguments)
    rows = [
        Row(name, [run / "references" / reference for reference in args.references.split(",")])
        for name, run in zip(row_names(args.runs), args.runs, strict=True)
    ]
    try:
        save(figure(rows, args.title), args.out)
    except UserError as error:
        sys.exit(f"comparison: {error}")
    print(args.out)


if __name__ == "__main__":
    main()
