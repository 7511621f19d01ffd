"""PULSE's latent space: a sphere of Gaussianised latents for each style input, and its map to W+."""

import torch
from torch import Tensor

from multimodal_pulse.generator.frozen import Generator
from multimodal_pulse.generator.spaces.space import Space, Variables
from multimodal_pulse.generator.statistics import WStatistics, w_statistics


class Sphere(Space):
    """PULSE's space: one unit-Gaussian vector of constant length per style input (Menon et al. 2020, section 3.2).

    Args:
        generator: the frozen generator.
        statistics: the statistics of its W; None: computed once per generator and cached.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, generator: Generator, statistics: WStatistics | None = None):
        super().__init__(generator)
        statistics = statistics or w_statistics(generator)
        self.register_buffer("mean", statistics.mean.clone(), persistent=False)
        self.register_buffer("std", statistics.std.clone(), persistent=False)

    @property
    def _statistics(self) -> WStatistics:
        """The statistics on the device and in the precision to which the space has been moved."""
        return WStatistics(self.mean, self.std)

    def initial(self, rng: torch.Generator) -> Variables:
        """Draws a random latent, [num_ws, w_dim], unit normal."""
        return {"latent": torch.randn(self.generator.num_ws, self.generator.w_dim, generator=rng)}

    def to_w_plus(self, latent: Tensor) -> Tensor:
        """Maps latent [..., num_ws, w_dim] to w_plus of the same shape; undoes the Gaussianisation of `WStatistics`."""
        return self._statistics.to_w(latent)

    def from_w_plus(self, w_plus: Tensor) -> Tensor:
        """Maps w_plus [..., num_ws, w_dim] to its latent, of any length."""
        return self._statistics.gaussianise(w_plus)

    def retract(self, name: str, moved: Tensor, initial: Tensor) -> Tensor:
        """Scales each vector of a variable [B, n, ...] to its initial length: PULSE's return to the sphere.

        A vector is everything after the first two axes: one style input of a latent, or one noise map.
        """
        return moved * (_norms(initial) / _norms(moved))


def _norms(stacked: Tensor) -> Tensor:
    """Computes norms, [B, n, ...] -> [B, n, 1, ...]; the epsilon keeps a zero vector zero."""
    return (stacked.square().sum(dim=tuple(range(2, stacked.ndim)), keepdim=True) + 1e-9).sqrt()
