"""The four mechanisms that make the samples of one reference differ (Unalan & Alkilani).

- latent resampling: `IndependentLatents`; null object `SharedLatent`;
- LR noise: `GaussianLrNoise`, `MaskedLrNoise`, `SharedLrNoise`; null object `NoLrNoise`;
- synthesis noise: `GaussianSynthesisNoise`, `PulseNoise`, `SharedSynthesisNoise`; null object `NoSynthesisNoise`;
- batch diversity: `BatchDiversity`, `AveragedBatchDiversity`, `Repulsion` (by a
  `PixelDistance` or a `FeatureDistance`); null object `NoBatchDiversity`.

The mechanisms are independent of each other. A search takes one object of each kind and calls them all the same way; a
null object switches its mechanism off. The first three are called once per reference, before the search (`draw`,
`targets`); the last is a term of the objective.
"""

from multimodal_pulse.diversity.batch_diversity import (
    AveragedBatchDiversity,
    BatchDiversity,
    FeatureDistance,
    NoBatchDiversity,
    PixelDistance,
    Repulsion,
)
from multimodal_pulse.diversity.conditioned import ConditionedLatents, SpreadConditionedLatents
from multimodal_pulse.diversity.latent_resampling import IndependentLatents, NearMeanLatents, SharedLatent
from multimodal_pulse.diversity.lr_noise import GaussianLrNoise, MaskedLrNoise, NoLrNoise, SharedLrNoise
from multimodal_pulse.diversity.synthesis_noise import (
    GaussianSynthesisNoise,
    NoSynthesisNoise,
    PulseNoise,
    SharedSynthesisNoise,
)

__all__ = [
    "AveragedBatchDiversity",
    "BatchDiversity",
    "ConditionedLatents",
    "FeatureDistance",
    "GaussianLrNoise",
    "GaussianSynthesisNoise",
    "IndependentLatents",
    "MaskedLrNoise",
    "NearMeanLatents",
    "NoBatchDiversity",
    "NoLrNoise",
    "NoSynthesisNoise",
    "PixelDistance",
    "PulseNoise",
    "Repulsion",
    "SharedLatent",
    "SharedLrNoise",
    "SharedSynthesisNoise",
    "SpreadConditionedLatents",
]
