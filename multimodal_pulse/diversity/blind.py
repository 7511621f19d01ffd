"""A blind start: which degradation made a reference, and with how much noise, as far as the generator can tell.

Draws of the generator are degraded by every candidate, once. Their LR pictures have a mean and a covariance under each,
which differ most in the finest detail: a stronger blur leaves less of it. The candidate, and the standard deviation of
the noise, under which a normal distribution with that mean and covariance gives the reference the highest density, are
the answer. It costs no pass through the generator after the draws.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from multimodal_pulse.degradation import Degradation
from multimodal_pulse.diversity.bank import lr_pictures, stored
from multimodal_pulse.generator.computed_once import computed_once
from multimodal_pulse.generator.frozen import Generator

DRAWS = 500
NOISE_STDS = tuple(0.004 * 2 ** (step / 2) for step in range(11))
"""The standard deviations of the noise that are tried, from one grey level (rounding, and what the draws do not know)
to 33, in units of the [0, 1] range."""


@dataclass(frozen=True)
class Finding:
    """The degradation that explains references best.

    Attributes:
        name: the name of the candidate.
        noise_std: the standard deviation of the noise of the references under it, one of `NOISE_STDS`.
        second: the name of the candidate that explains them second best.
        margin: by how much the log-density of the references is higher than under the second, in nats.
    """

    name: str
    noise_std: float
    second: str
    margin: float


class Prior:
    """What the generator's LR pictures look like under one degradation: a normal distribution, fitted to draws.

    Args:
        lr: the LR pictures of the draws, [N, n] in [0, 1], see `bank.stored`.
    """

    def __init__(self, lr: Tensor):
        self._mean = lr.double().mean(dim=0)
        _, values, right = torch.linalg.svd(lr.double() - self._mean, full_matrices=False)
        self._variances, self._directions = values.square() / (len(lr) - 1), right.mT

    def log_density(self, lr: Tensor) -> Tensor:
        """Returns the log-density of LR pictures [M, n] with noise of each of `NOISE_STDS`: [M, len(NOISE_STDS)].

        Beyond the directions in which the draws vary, a picture varies by the noise alone.
        """
        centred = lr.double() - self._mean
        along = (centred @ self._directions).square()
        rest = (centred.square().sum(dim=1) - along.sum(dim=1)).clamp(min=0)
        others = centred.shape[1] - len(self._variances)
        densities = []
        for noise in (std**2 for std in NOISE_STDS):
            variances = self._variances + noise
            exponent = (along / variances).sum(dim=1) + rest / noise
            volume = variances.log().sum() + others * torch.tensor(noise).log()
            densities.append(-0.5 * (exponent + volume))
        return torch.stack(densities, dim=1)


def priors(generator: Generator, candidates: Mapping[str, Degradation]) -> dict[str, Prior]:
    """Returns the prior of each candidate; the draws are made once and kept, with a progress bar.

    Args:
        generator: the generator, on any device.
        candidates: degradations by name, with LR pictures of the same shape.
    """
    degradations = list(candidates.values())
    [shape] = {degradation.lr_shape((3, generator.resolution, generator.resolution)) for degradation in degradations}
    numbers = len(degradations) * stored(torch.zeros(shape)).numel()
    key = hashlib.sha256("; ".join(degradation.key for degradation in degradations).encode()).hexdigest()[:16]

    def under_each(images: Tensor) -> Tensor:
        """The LR pictures under every candidate, stacked as channels."""
        return torch.cat([degradation(images) for degradation in degradations], dim=-3)

    drawn = computed_once(
        generator.companions,
        f"candidates-{generator.sha256[:16]}-{key}-{DRAWS}.safetensors",
        "The pictures of the generator under every candidate are",
        fits=lambda kept: "lr" in kept and kept["lr"].shape == (DRAWS, numbers) and kept["lr"].dtype == torch.uint8,
        compute=lambda unfinished: {"lr": lr_pictures(generator, under_each, DRAWS, unfinished)},
    )
    of_candidates = (drawn["lr"].float() / 255).chunk(len(candidates), dim=1)
    return {name: Prior(lr) for name, lr in zip(candidates, of_candidates, strict=True)}


def most_likely(references: Tensor, of_candidates: Mapping[str, Prior]) -> Finding:
    """Returns the candidate that explains all the references together best, with the same noise on all.

    Args:
        references: LR pictures of one size, [M, 3, h, w] in [0, 1].
        of_candidates: from `priors`; at least two.
    """
    seen = stored(references)
    densities = {name: prior.log_density(seen).sum(dim=0) for name, prior in of_candidates.items()}
    ranked = sorted(densities, key=lambda name: float(densities[name].max()), reverse=True)
    first, second = (densities[name] for name in ranked[:2])
    return Finding(ranked[0], NOISE_STDS[int(first.argmax())], ranked[1], float(first.max() - second.max()))
