"""Draw one picture of all methods: a row for each, with the original, the reference and the samples.

python experiments/methods/figure.py                                           # figure.png beside this file
python experiments/methods/figure.py --references test_000000,test_000003 --out outputs/methods/two.png
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from method_rows import HERE, ROWS, RUNS, run_dir
from PIL import Image

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.results.pictures.comparison import Row, figure, save


def draw(runs: Path, references: Sequence[str], seed: int) -> Image.Image:
    """Draws the figure of all rows that have been run with `seed`.

    Raises:
        UserError: there are none, or one has not finished a reference.
    """
    folders = {row: run_dir(runs, row, seed) for row in ROWS}
    rows = [
        Row(row.replace("_", " "), [folder / "references" / name for name in references])
        for row, folder in folders.items()
        if folder.is_dir()
    ]
    if not rows:
        raise UserError(f"{runs} has no runs of seed {seed}: python experiments/methods/run_methods.py makes them.")
    return figure(rows, f"Every method, seed {seed}")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=Path, default=RUNS, help="folder of the runs")
    parser.add_argument("--references", default="test_000000", help="names, separated by commas")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=HERE / "figure.png", help="a .png or .jpg file")
    args = parser.parse_args(arguments)
    try:
        save(draw(args.runs, args.references.split(","), args.seed), args.out)
    except UserError as error:
        sys.exit(f"figure: {error}")
    print(args.out)


if __name__ == "__main__":
    main()
