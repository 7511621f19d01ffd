"""Draw one picture of all methods: a row for each, with the reference, the original and the samples.

    python experiments/methods/figure.py                                           # figure.png beside this file
    python experiments/methods/figure.py --references test_000000,test_000003 --out outputs/methods/two.png
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from method_rows import HERE, ROWS, RUNS, run_dir

from multimodal_pulse.errors import UserError
from multimodal_pulse.files import atomic_file
from multimodal_pulse.references.images import load_rgb

MOST_SAMPLES = 4
TILE_INCHES = 1.0
LABEL_INCHES = 1.7
DOTS_PER_INCH = 132  # a tile of 128 pixels and its frame


def draw(runs: Path, references: Sequence[str], seed: int) -> Figure:
    """The figure of all rows that have been run with `seed`.

    Raises:
        UserError: there are none, or one has not finished a reference.
    """
    rows = [row for row in ROWS if run_dir(runs, row, seed).is_dir()]
    if not rows:
        raise UserError(f"{runs} has no runs of seed {seed}: python experiments/methods/run_methods.py makes them.")
    columns = (2 + MOST_SAMPLES) * len(references)
    figure = Figure(figsize=(LABEL_INCHES + columns * TILE_INCHES, (len(rows) + 0.4) * TILE_INCHES))
    tiles = figure.subplots(len(rows), columns, squeeze=False)
    figure.subplots_adjust(
        left=LABEL_INCHES / figure.get_figwidth(), right=0.995, bottom=0.005,
        top=1 - 0.4 * TILE_INCHES / figure.get_figheight(), wspace=0.03, hspace=0.03,
    )  # fmt: skip
    for axes in tiles.flat:
        axes.axis("off")
    for row, of_row in zip(rows, tiles, strict=True):
        of_row[0].text(-0.08, 0.5, row.replace("_", " "), ha="right", va="center", transform=of_row[0].transAxes)
        for start, name in zip(range(0, columns, 2 + MOST_SAMPLES), references, strict=True):
            folder = run_dir(runs, row, seed) / "references" / name
            _put_reference(of_row[start : start + 2 + MOST_SAMPLES], folder)
    for start in range(0, columns, 2 + MOST_SAMPLES):
        titles = ["reference", "original", *(f"sample {k}" for k in range(MOST_SAMPLES))]
        for axes, title in zip(tiles[0, start:], titles, strict=False):
            axes.set_title(title, fontsize=9)
    return figure


def _put_reference(tiles: Sequence[Axes], folder: Path) -> None:
    """The reference, the original and the samples in `folder`, the LR-PSNR on each sample."""
    if not (folder / "record.json").is_file():
        raise UserError(f"{folder} is not a finished reference: run_methods.py does what is missing.")
    records = json.loads((folder / "record.json").read_text(encoding="utf-8"))["records"][:MOST_SAMPLES]
    for axes, name in zip(tiles, ["lr.png", "hr.png", *(f"sr_{record['sample']:02d}.png" for record in records)]):
        axes.imshow(load_rgb(folder / name).permute(1, 2, 0).numpy(), interpolation="nearest")
    for axes, record in zip(tiles[2:], records):
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
    matplotlib.rcParams["font.family"] = "sans-serif"
    try:
        figure = draw(args.runs, args.references.split(","), args.seed)
    except UserError as error:
        sys.exit(f"figure: {error}")
    with atomic_file(args.out) as partial:
        figure.savefig(partial, dpi=DOTS_PER_INCH)
    print(args.out)


if __name__ == "__main__":
    main()
