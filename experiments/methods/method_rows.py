"""The rows of the tables, in their order, and their run directories."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
RUNS = Path("outputs/methods")
FEW = 16
"""The first test portraits, on which every row is measured at seed 0."""


@dataclass(frozen=True)
class Row:
    """One row: a configuration of `run.py` and how much of it is run.

    Attributes:
        overrides: the overrides that make the row.
        limit: the number of test portraits, from the first.
        seeds: the seeds.
    """

    overrides: tuple[str, ...]
    limit: int = FEW
    seeds: tuple[int, ...] = (0,)

    @property
    def is_main(self) -> bool:
        """Whether the row is measured on more than the first portraits: it then stands in both tables."""
        return self.limit > FEW


def _main(method: str) -> Row:
    return Row((f"method={method}",), limit=64, seeds=(0, 1, 2))


def _few(*overrides: str) -> Row:
    return Row(overrides)


ROWS: Mapping[str, Row] = {
    "bicubic": _main("bicubic"),
    "combined": _main("combined"),
    "explore": _main("explore"),
    "faithful": _main("faithful"),
    "mean_portrait": _few("method=bicubic", "search=mean_image"),
    "untrained_generator": _few("method=resampling", "generator=untrained", "objective=portraits"),
    # Equation (1) in place of the repulsion, with the weight that gave the same distance on 8 validation portraits.
    "explore_pairwise": _few("method=explore", "batch_diversity=pairwise", "objective.diversity_weight=16"),
    # The repulsion in deep features, from a distance that gave the same one in pixels on 8 validation portraits.
    "explore_features": _few("method=explore", "batch_diversity.metric=features"),
    # The iterate that is kept is the one before the first step: the start itself.
    "bank": _few("method=explore", "batch_diversity=none", "consistency=none", "steps=1"),
    "bank_exact": _few("method=explore", "batch_diversity=none", "steps=1"),
    "pulse": _few("method=pulse"),
    "resampling": _few("method=resampling"),
    "resampling_exact": _few("method=resampling", "consistency=exact"),
    "lr_noise": _few("method=lr_noise"),
    "masked_lr_noise": _few("method=masked_lr_noise"),
    "synthesis_noise": _few("method=synthesis_noise"),
    "synthesis_noise_std_1": _few("method=synthesis_noise", "noise.synthesis_std=1"),
    "batch_diversity": _few("method=batch_diversity"),
    "report": _few("method=report"),
    "csgm": _few("method=csgm"),
    "ilo": _few("method=ilo"),
    "ilo_first_latent": _few("method=ilo", "stages=none", "latent_space=sphere", "steps=150"),
    "brgm": _few("method=brgm"),
    "brgm_variational": _few("method=brgm_variational"),
    "langevin": _few("method=langevin"),
    "rls": _few("method=rls"),
    "pulse_20": _few("method=pulse", "steps=20"),
    "resampling_20": _few("method=resampling", "steps=20"),
    "batch_diversity_20": _few("method=batch_diversity", "steps=20"),
    "report_20": _few("method=report", "steps=20"),
    "csgm_20": _few("method=csgm", "steps=10"),  # from each of two starts
    "ilo_20": _few(
        "method=ilo", "stages.before.0.steps=7", "stages.before.1.steps=7", "stages.before.2.steps=3", "steps=3"
    ),
    "ilo_first_latent_20": _few("method=ilo", "stages=none", "latent_space=sphere", "steps=20"),
    "brgm_20": _few("method=brgm", "steps=20"),
    "brgm_variational_20": _few("method=brgm_variational", "steps=20"),
    "langevin_20": _few("method=langevin", "steps=20"),
    "rls_20": _few("method=rls", "steps=20"),
}
"""The rows by name. The row of a method has the method's name; <row>_20 is the same search with 20 passes in all."""


def run_dir(runs: Path, row: str, seed: int) -> Path:
    """Returns the run directory of a row."""
    return runs / row / f"seed-{seed}"
