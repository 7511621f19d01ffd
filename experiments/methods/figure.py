"""Draw one picture of all methods: a row for each, with the reference, the original and the samples.

python experiments/methods/figure.py                                           # figure.png beside this file
python experiments/methods/figure.py --references test_000000,test_000003 --out outputs/methods/two.png
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from method_rows import HERE, ROWS, RUNS, run_dir

from multimodal_pulse.errors import UserError
from multimodal_pulse.files import atomic_file
from multimodal_pulse.references.images import load_rgb

MOST_SAMPLES = 4
DOTS_PER_INCH = 128
TILE = 128
"""Pixels of a tile: a sample of the built-in generator is shown as it is."""
GAP, LABELS, TITLES = 4, 190, 40
"""Pixels between tiles, for the names of the rows on the left, for the titles above."""


def draw(runs: Path, references: Sequence[str], seed: int) -> Figure:
    """The figure of all rows that have been run with `seed`.

    Raises:
        UserError: there are none, or one has not finished a reference.
    """
    rows = [row for row in ROWS if run_dir(runs, row, seed).is_dir()]
    if not rows:
        raise UserError(f"{runs} has no runs of seed {seed}: python experiments/methods/run_methods.py makes them.")
    titles = ["reference", "original", *(f"sample {k}" for k in range(MOST_SAMPLES))] * len(references)
    width, height = LABELS + len(titles) * (TILE + GAP), TITLES + len(rows) * (TILE + GAP)
    figure = Figure(figsize=(width / DOTS_PER_INCH, height / DOTS_PER_INCH), dpi=DOTS_PER_INCH)
    figure.text(
        (LABELS - 10) / width, 1 - TITLES / 2 / height, "on samples: LR-PSNR", fontsize=7, ha="right", va="center"
    )
    for below, row in enumerate(rows):
        bottom = height - TITLES - (below + 1) * (TILE + GAP) + GAP
        middle = (bottom + TILE / 2) / height
        figure.text((LABELS - 10) / width, middle, row.replace("_", " "), fontsize=9, ha="right", va="center")
        boxes = [(LABELS + column * (TILE + GAP), bottom) for column in range(len(titles))]
        tiles = [figure.add_axes((x / width, y / height, TILE / width, TILE / height)) for x, y in boxes]
        for axes, title in zip(tiles, titles, strict=True):
            axes.axis("off")
            if below == 0:
                axes.set_title(title, fontsize=8, pad=4)
        for position, name in enumerate(references):
            first = position * (2 + MOST_SAMPLES)
            _put_reference(tiles[first : first + 2 + MOST_SAMPLES], run_dir(runs, row, seed) / "references" / name)
    return figure


def _put_reference(tiles: Sequence[Axes], folder: Path) -> None:
    """The reference, the original and the samples in `folder`, the LR-PSNR on each sample."""
    if not (folder / "record.json").is_file():
        raise UserError(f"{folder} is not a finished reference: run_methods.py does what is missing.")
    records = json.loads((folder / "record.json").read_text(encoding="utf-8"))["records"][:MOST_SAMPLES]
    names = ["lr.png", "hr.png", *(f"sr_{record['sample']:02d}.png" for record in records)]
    for axes, name in zip(tiles, names, strict=False):  # a row with one sample leaves the other tiles white
        axes.imshow(load_rgb(folder / name).permute(1, 2, 0).numpy(), interpolation="nearest")
    for axes, record in zip(tiles[2:], records, strict=False):
        measured = "failed" if record["lr_psnr"] is None else f"{record['lr_psnr']:.0f} dB"
        box = {"boxstyle": "square,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.75}
        axes.text(0.97, 0.04, measured, fontsize=6, ha="right", va="bottom", transform=axes.transAxes, bbox=box)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=Path, default=RUNS, help="folder of the runs")
    parser.add_argument("--references", default="test_000000", help="names, with commas between")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=HERE / "figure.png", help="a .png or .jpg file")
    args = parser.parse_args(arguments)
    try:
        figure = draw(args.runs, args.references.split(","), args.seed)
    except UserError as error:
        sys.exit(f"figure: {error}")
    with atomic_file(args.out) as partial:
        figure.savefig(partial)
    print(args.out)


if __name__ == "__main__":
    main()
