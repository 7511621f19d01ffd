"""The search: latents are moved until the generated images, downsampled, match the reference.

Begin with `LatentOptimization`, whose `training_step` is the whole algorithm on one screen. It is built from a frozen
generator, a degradation, the mechanisms of `multimodal_pulse.diversity` and these parts:

- `Stage`: a latent space, a number of steps, an optimiser (`ranger21`, `ranger21_of_batch`, `adam`, `sgd`,
  `gradient_descent`, `lbfgs`) and its schedule (`NoSchedule`, `FixedSchedule`, `Linear1Cycle`, `Linear1CycleDrop`,
  `Ramp`, `Geometric`);
- `Objective`, `MapObjective`, `PosteriorObjective`: the sum of terms to minimise; a `Term` of your own reads an
  `Iterate` (`SquaredLength`, `NormalW`, `NormalDivergence` and `Colinearity` are priors of CSGM and BRGM, `Hold` keeps
  a part of a picture);
- `Retract`, `LangevinNoise`, `NewDraw`, `NoAfterStep`: what follows each step of the optimiser;
- `BestIterate`, `LowestSum`, `LastIterate`: which iterate of each sample is kept;
- `MostDifferent`, `AllSamples`: which samples are kept;
- `ExactConsistency`, `NoisyConsistency`, `NoConsistency`: what is done to the samples after the search.

`BicubicSearch` and `MeanImageSearch` are the baselines; they run like a search but need none.
"""

from typing import TYPE_CHECKING, Any

from multimodal_pulse.search.after_step import LangevinNoise, NewDraw, NoAfterStep, Retract
from multimodal_pulse.search.baselines import BicubicSearch, MeanImageSearch
from multimodal_pulse.search.consistency import ExactConsistency, NoConsistency, NoisyConsistency
from multimodal_pulse.search.keep import BestIterate, LastIterate, LowestSum
from multimodal_pulse.search.objective import Iterate, MapObjective, Objective, Term
from multimodal_pulse.search.optimizers import adam, gradient_descent, lbfgs, ranger21, ranger21_of_batch, sgd
from multimodal_pulse.search.posterior import PosteriorObjective
from multimodal_pulse.search.schedules import FixedSchedule, Geometric, Linear1Cycle, Linear1CycleDrop, NoSchedule, Ramp
from multimodal_pulse.search.select import AllSamples, MostDifferent
from multimodal_pulse.search.stages import Stage
from multimodal_pulse.search.terms import Colinearity, Hold, NormalDivergence, NormalW, SquaredLength

if TYPE_CHECKING:
    from multimodal_pulse.search.latent_optimization import LatentOptimization

__all__ = [
    "AllSamples",
    "BestIterate",
    "BicubicSearch",
    "Colinearity",
    "ExactConsistency",
    "FixedSchedule",
    "Geometric",
    "Hold",
    "Iterate",
    "LangevinNoise",
    "LastIterate",
    "LatentOptimization",
    "Linear1Cycle",
    "Linear1CycleDrop",
    "LowestSum",
    "MapObjective",
    "MeanImageSearch",
    "MostDifferent",
    "NewDraw",
    "NoAfterStep",
    "NoConsistency",
    "NoSchedule",
    "NoisyConsistency",
    "NormalDivergence",
    "NormalW",
    "Objective",
    "PosteriorObjective",
    "Ramp",
    "Retract",
    "SquaredLength",
    "Stage",
    "Term",
    "adam",
    "gradient_descent",
    "lbfgs",
    "ranger21",
    "ranger21_of_batch",
    "sgd",
]


def __getattr__(name: str) -> Any:
    # PEP 562: importing Lightning takes seconds, and whoever merges or draws results again does not search.
    if name == "LatentOptimization":
        from multimodal_pulse.search.latent_optimization import LatentOptimization

        return LatentOptimization
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
