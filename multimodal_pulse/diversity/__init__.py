"""The four mechanisms that part the samples of one reference. None of them knows of another; each has a null object."""

from multimodal_pulse.diversity.batch_diversity import BatchDiversity, NoBatchDiversity
from multimodal_pulse.diversity.latent_resampling import IndependentLatents, SharedLatent
from multimodal_pulse.diversity.lr_noise import GaussianLrNoise, MaskedLrNoise, NoLrNoise
from multimodal_pulse.diversity.synthesis_noise import GaussianSynthesisNoise, NoSynthesisNoise, PulseNoise

__all__ = [
    "BatchDiversity",
    "GaussianLrNoise",
    "GaussianSynthesisNoise",
    "IndependentLatents",
    "MaskedLrNoise",
    "NoBatchDiversity",
    "NoLrNoise",
    "NoSynthesisNoise",
    "PulseNoise",
    "SharedLatent",
]
