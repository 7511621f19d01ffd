"""Mean and spread of the intermediate latents W, after PULSE's Gaussianisation.

PULSE (Menon et al., CVPR 2020) undoes the mapping network's last leaky ReLU (slope 0.2) with one of slope 5. The result
is close to a Gaussian, whose mean and standard deviation per component are all that the search needs of the mapping
network.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from multimodal_pulse.generator.computed_once import computed_once
from multimodal_pulse.generator.frozen import Generator

GAUSSIANISING_SLOPE = 5.0
_CHUNK = 10_000
_SEED = 0


@dataclass(frozen=True)
class WStatistics:
    """Mean and standard deviation of leaky_relu(w, 5), each float32 [w_dim] on the CPU."""

    mean: Tensor
    std: Tensor

    def gaussianise(self, w: Tensor) -> Tensor:
        """Maps w [..., w_dim] to its latent, close to unit normal, of the same shape."""
        return (F.leaky_relu(w, GAUSSIANISING_SLOPE) - self.mean) / self.std

    def to_w(self, latent: Tensor) -> Tensor:
        """Undoes `gaussianise`: latent [..., w_dim] -> w."""
        return F.leaky_relu(latent * self.std + self.mean, 1 / GAUSSIANISING_SLOPE)


def w_statistics(generator: Generator, draws: int = 1_000_000) -> WStatistics:
    """Returns the statistics of a generator's W, computed once per generator and kept in `cache_folder()`.

    Args:
        generator: the generator, on any device; the draws are the same on each.
        draws: the number of random z.
    """
    tensors = computed_once(
        generator.companions,
        f"w-statistics-{generator.sha256}-{draws}.safetensors",
        "The statistics of W are",
        fits=lambda kept: kept.keys() == {"mean", "std"},
        compute=lambda _: vars(estimate_w_statistics(generator, draws)),
    )
    return WStatistics(**tensors)


@torch.no_grad()
def estimate_w_statistics(generator: Generator, draws: int) -> WStatistics:
    """Computes mean and standard deviation of leaky_relu(mapping(z), 5) over `draws` unit-normal z, in float64."""
    parameter = next(generator.parameters())
    rng = torch.Generator().manual_seed(_SEED)
    total = torch.zeros(generator.w_dim, dtype=torch.float64, device=parameter.device)
    total_of_squares = torch.zeros_like(total)
    for first in range(0, draws, _CHUNK):
        z = torch.randn(min(_CHUNK, draws - first), generator.z_dim, generator=rng)
        w = generator.mapping(z.to(parameter))[:, 0]
        gaussianised = F.leaky_relu(w, GAUSSIANISING_SLOPE).double()
        total += gaussianised.sum(dim=0)
        total_of_squares += gaussianised.square().sum(dim=0)
    mean = total / draws
    std = (total_of_squares / draws - mean.square()).clamp(min=0).sqrt()
    return WStatistics(mean.float().cpu(), std.float().cpu())


@torch.no_grad()
def w_draws(generator: Generator, draws: int = 10_000) -> Tensor:
    """Draws vectors of W, float32 [draws, w_dim] on the CPU; the draws are the same on each device."""
    z = torch.randn(draws, generator.z_dim, generator=torch.Generator().manual_seed(_SEED))
    return generator.mapping(z.to(next(generator.parameters())))[:, 0].float().cpu()
