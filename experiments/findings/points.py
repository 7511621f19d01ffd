"""The points of the seven curves: their names, overrides and run directories."""

from collections.abc import Mapping, Sequence
from pathlib import Path

HERE = Path(__file__).parent
RUNS = Path("outputs/findings")
MEASURES = HERE / "measures.csv"
SEEDS = (0, 1)
NUM_SAMPLES = 4

COMMON = [
    "references=portraits",
    "references.split=test",
    "references.limit=16",
    f"num_samples={NUM_SAMPLES}",
    "metrics.lpips_net=alex",
    "tracking=none",
]
"""The settings of every point: test portraits, on which neither the prior nor any setting was chosen."""
STEPS = 100
"""Steps of every point but those of `resampling`, whose knob they are: half the report's, to finish in two hours."""

SEARCH_STEPS = (10, 25, 50, 100, 200)
LR_STDS = (0, 0.02, 0.05, 0.108, 0.2, 0.4)
MASKED_LR_STDS = (0.05, 0.108, 0.2, 0.4)
SYNTHESIS_STDS = (0.02, 0.1, 0.5, 1, 4)
DIVERSITY_WEIGHTS = (0, 0.001, 0.002, 0.004, 0.01, 0.02)
COMBINED_LR_STDS = (0, 0.05, 0.108)
COMBINED_WEIGHTS = (0, 0.004)


def _curve(method: str, knob: str, values: Sequence[float], others: Sequence[str] = ()) -> dict[str, list[str]]:
    """Makes a point for each value of a method's knob, called <method>/<value>."""
    return {f"{method}/{value:g}": [f"method={method}", *others, f"{knob}={value:g}"] for value in values}


_SHORT = [f"steps={STEPS}"]
POINTS: Mapping[str, list[str]] = {
    **_curve("resampling", "steps", SEARCH_STEPS),
    **_curve("lr_noise", "noise.lr_std", LR_STDS, _SHORT),
    **_curve("masked_lr_noise", "noise.lr_std", MASKED_LR_STDS, _SHORT),
    **_curve("synthesis_noise", "noise.synthesis_std", SYNTHESIS_STDS, _SHORT),
    **_curve("batch_diversity", "objective.diversity_weight", DIVERSITY_WEIGHTS, _SHORT),
    **{
        f"combined/{std:g}-{weight:g}": [
            "method=report", *_SHORT, f"noise.lr_std={std:g}", f"objective.diversity_weight={weight:g}",
        ]
        for std in COMBINED_LR_STDS
        for weight in COMBINED_WEIGHTS
    },
}  # fmt: skip
"""The overrides of each point, by its name."""


def run_dir(runs: Path, point: str, seed: int) -> Path:
    """Returns the run directory of a point."""
    return runs / point / f"seed-{seed}"
