"""The rows of the table, in its order, and their run directories."""

from pathlib import Path

HERE = Path(__file__).parent
RUNS = Path("outputs/methods")
SEEDS = (0, 1)

ROWS: dict[str, list[str]] = {
    "bicubic": ["method=bicubic"],
    "mean_portrait": ["method=bicubic", "search=mean_image"],
    "untrained_generator": ["method=resampling", "generator=untrained", "objective=portraits"],
    "pulse": ["method=pulse"],
    "resampling": ["method=resampling"],
    "resampling_exact": ["method=resampling", "consistency=exact"],
    "lr_noise": ["method=lr_noise"],
    "masked_lr_noise": ["method=masked_lr_noise"],
    "synthesis_noise": ["method=synthesis_noise"],
    "synthesis_noise_std_1": ["method=synthesis_noise", "noise.synthesis_std=1"],
    "batch_diversity": ["method=batch_diversity"],
    "report": ["method=report"],
    "combined": ["method=combined"],
    "explore": ["method=explore"],
    "faithful": ["method=faithful"],
}
"""The overrides of each row, by its name; the row of a method has the method's name, as in the sweep."""


def run_dir(runs: Path, row: str, seed: int) -> Path:
    """Returns the run directory of a row, the same as in the sweep of `conf/experiment/methods.yaml`."""
    return runs / row / f"seed-{seed}"
