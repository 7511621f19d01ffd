"""Search one test portrait under every degradation, and draw the samples; finished runs are not searched again.

    python experiments/degradations/draw.py                             # experiments/degradations/figure.jpg
    python experiments/degradations/draw.py latent_resampling.draws=5000 --runs outputs/degradations-5000 --out all.png

Further arguments are overrides of run.py for every row.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "figures"))

from comparison import Row, figure, save  # noqa: E402 (its folder is known only now)

from multimodal_pulse.base.errors import UserError  # noqa: E402
from multimodal_pulse.interface.api import run_overrides  # noqa: E402

ROWS = {
    "bicubic": ["degradation=bicubic"],
    "area": ["degradation=area"],
    "Gaussian blur, 8 x": ["degradation=gaussian_blur"],
    "Gaussian blur": ["degradation=gaussian_blur", "degradation.std=2", "degradation.factor=1"],
    "motion blur, 8 x": ["degradation=motion_blur"],
    "motion blur": ["degradation=motion_blur", "degradation.angle=30", "degradation.factor=1"],
    "motion blur, noisy": [
        "degradation=motion_blur", "degradation.angle=30", "degradation.factor=1", "consistency=noisy",
        "consistency.noise_std=0.004",
    ],
    "grayscale": ["degradation=grayscale"],
    "inpainting": ["degradation=inpainting"],
    "random projection": ["degradation=random_projection"],
}  # fmt: skip
"""The rows of the figure: overrides of run.py."""
OVERRIDES = [
    "references=portraits", "references.split=test", "method=explore", "num_samples=4", "tracking=none",
    "latent_resampling.draws=500", "latent_resampling.nearest=128",
]  # fmt: skip


def run_dir(runs: Path, row: str) -> Path:
    """Returns the run directory of a row."""
    return runs / row.replace(", ", "-").replace(" ", "_")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", default=";".join(ROWS), help="rows to draw, separated by semicolons")
    parser.add_argument("--runs", type=Path, default=Path("outputs/degradations"), help="folder of the runs")
    parser.add_argument("--out", type=Path, default=HERE / "figure.jpg", help="a .png or .jpg file")
    parser.add_argument("overrides", nargs="*", help="overrides of run.py for every row")
    args = parser.parse_intermixed_args(arguments)
    rows = args.rows.split(";")
    if unknown := [row for row in rows if row not in ROWS]:
        parser.error(f"no row is called {unknown[0]}; there are {'; '.join(ROWS)}")
    drawn = []
    try:
        for row in rows:
            folder = run_dir(args.runs, row)
            report = run_overrides([*OVERRIDES, *ROWS[row], *args.overrides], folder)
            print(f"\n{row}", report, sep="\n", flush=True)
            drawn.append(Row(row, sorted((folder / "references").iterdir())[:1]))
        save(figure(drawn, "One portrait under every degradation: method=explore, seed 0"), args.out)
    except UserError as error:
        sys.exit(f"draw: {error}")
    print(args.out)


if __name__ == "__main__":
    main()
