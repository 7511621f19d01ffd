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
EXPLORE_STEPS = (5, 10, 20, 40)
REPULSION_DISTANCES = (0, 10, 20, 30, 40)
COMBINED_DISTANCES = (0, 20)
"""In grey levels; 0 stands for no repulsion, 20 is the default."""

EXPLORE = "explore"
"""The names of its points begin so: --points explore runs them alone, --except explore the others."""


def _curve(method: str, knob: str, values: Sequence[float], others: Sequence[str] = ()) -> dict[str, list[str]]:
    """Makes a point for each value of a method's knob, called <method>/<value>."""
    return {f"{method}/{value:g}": [f"method={method}", *others, f"{knob}={value:g}"] for value in values}


def _explore(name: str, knob: str, values: Sequence[float], others: Sequence[str]) -> dict[str, list[str]]:
    """Makes a point for each value of a knob of `explore`, called explore_<name>/<value>."""
    return {f"{EXPLORE}_{name}/{value:g}": ["method=explore", *others, f"{knob}={value:g}"] for value in values}


_SHORT = [f"steps={STEPS}"]
_ALONE = ["batch_diversity=none"]
"""The mechanisms are measured without the repulsion, so that a difference is theirs; the combination has both."""
_DISTANCE = "batch_diversity.distance"
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
    # Without the exact projection, after which the LR images of any two samples are the same.
    **_explore("starts", "steps", EXPLORE_STEPS, [*_ALONE, "consistency=none"]),
    **_explore("lr_noise", "noise.lr_std", LR_STDS, [*_ALONE, "lr_noise=gaussian"]),
    **_explore("masked_lr_noise", "noise.lr_std", MASKED_LR_STDS, [*_ALONE, "lr_noise=masked"]),
    **_explore("synthesis_noise", "noise.synthesis_std", [std for std in SYNTHESIS_STDS if std != 1],
               [*_ALONE, "synthesis_noise=gaussian"]),
    **_explore("repulsion", _DISTANCE, REPULSION_DISTANCES[1:], []),
    **{
        f"explore_combined/{std:g}-{distance:g}": [
            "method=explore", "lr_noise=gaussian", f"noise.lr_std={std:g}", f"{_DISTANCE}={distance:g}",
        ]
        for std in COMBINED_LR_STDS[1:]
        for distance in COMBINED_DISTANCES[1:]
    },
}  # fmt: skip
"""The overrides of each point, by its name."""

_PLAIN = "explore_lr_noise/0"
SAME_AS: Mapping[str, str] = {
    "explore_synthesis_noise/1": _PLAIN,
    "explore_repulsion/0": _PLAIN,
    **{f"explore_combined/{std:g}-0": f"explore_lr_noise/{std:g}" for std in COMBINED_LR_STDS},
    **{f"explore_combined/0-{distance:g}": f"explore_repulsion/{distance:g}" for distance in COMBINED_DISTANCES[1:]},
}
"""Points of `explore` that are the same search as another one, which is run once."""


def run_dir(runs: Path, point: str, seed: int) -> Path:
    """Returns the run directory of a point."""
    return runs / point / f"seed-{seed}"
