"""The four mechanisms that make the samples of one reference differ (Unalan & Alkilani).

- latent resampling: `IndependentLatents`, `AroundParent`; null object `SharedLatent`;
- LR noise: `GaussianLrNoise`, `MaskedLrNoise`, `SharedLrNoise`; null object `NoLrNoise`;
- synthesis noise: `GaussianSynthesisNoise`, `PulseNoise`, `SharedSynthesisNoise`, `ParentNoise`; null object
  `NoSynthesisNoise`;
- batch diversity: `BatchDiversity`, `AveragedBatchDiversity`, `Repulsion` (by a
  `PixelDistance`, an `InsideDistance` or a `FeatureDistance`); null object `NoBatchDiversity`.

The mechanisms are independent of each other. A search takes one object of each kind and calls them all the same way; a
null object switches its mechanism off. The first three are called once per reference, before the search (`draw`,
`targets`); the last is a term of the objective.
"""

from multimodal_pulse.diversity.batch_diversity import (
    AveragedBatchDiversity,
    BatchDiversity,
    FeatureDistance,
    InsideDistance,
    NoBatchDiversity,
    PixelDistance,
    Repulsion,
)
from multimodal_pulse.diversity.conditioned import AroundParent, ConditionedLatents, SpreadConditionedLatents
from multimodal_pulse.diversity.latent_resampling import IndependentLatents, NearMeanLatents, SharedLatent
from multimodal_pulse.diversity.lr_noise import GaussianLrNoise, MaskedLrNoise, NoLrNoise, SharedLrNoise
from multimodal_pulse.diversity.synthesis_noise import (
    GaussianSynthesisNoise,
    NoSynthesisNoise,
    ParentNoise,
    PulseNoise,
    SharedSynthesisNoise,
)

__all__ = [
    "AroundParent",
    "AveragedBatchDiversity",
    "BatchDiversity",
    "ConditionedLatents",
    "FeatureDistance",
    "GaussianLrNoise",
    "GaussianSynthesisNoise",
    "IndependentLatents",
    "InsideDistance",
    "MaskedLrNoise",
    "NearMeanLatents",
    "NoBatchDiversity",
    "NoLrNoise",
    "NoSynthesisNoise",
    "ParentNoise",
    "PixelDistance",
    "PulseNoise",
    "Repulsion",
    "SharedLatent",
    "SharedLrNoise",
    "SharedSynthesisNoise",
    "SpreadConditionedLatents",
]
