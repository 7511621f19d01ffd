"""What the search moves: latents on PULSE's spheres, and their map to W+."""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from multimodal_pulse.generator.statistics import WStatistics


class LatentSpace(nn.Module):
    """PULSE's latent space: one unit-Gaussian vector per style input, mapped to W+ (Menon et al. 2020, section 3.2).

    Args:
        statistics: of the generator's W.
        num_ws: style inputs of the generator.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, statistics: WStatistics, num_ws: int):
        super().__init__()
        self.num_ws = num_ws
        self.w_dim = len(statistics.mean)
        self.register_buffer("mean", statistics.mean.clone(), persistent=False)
        self.register_buffer("std", statistics.std.clone(), persistent=False)

    def initial_latent(self, rng: torch.Generator) -> Tensor:
        """A random latent, float32 [num_ws, w_dim], unit normal, on the CPU."""
        return torch.randn(self.num_ws, self.w_dim, generator=rng)

    def mean_latent(self) -> Tensor:
        """The latent of the mean image, [num_ws, w_dim]: the centre of the spheres, so no search ends there."""
        return self.mean.new_zeros(self.num_ws, self.w_dim)

    def to_w_plus(self, latent: Tensor) -> Tensor:
        """latent [..., num_ws, w_dim] -> w_plus of the same shape; undoes the Gaussianisation of `WStatistics`."""
        return F.leaky_relu(latent * self.std + self.mean, 0.2)


class SphericalParameters:
    """One variable of the search for a whole batch: B Parameters whose vectors stay at the radius they began with.

    Each sample has a Parameter of its own, because some optimisers (Ranger21) normalise over everything inside one. A
    vector is all that follows a sample's first axis: one style input of a latent, or one noise map.

    Args:
        initial: [B, n, ...], where the search begins; copied. Its device and dtype are the Parameters'.
    """

    def __init__(self, initial: Tensor):
        self.parameters = [nn.Parameter(sample.clone()) for sample in initial]
        self.radii = _norms(initial)

    def stack(self) -> Tensor:
        """[B, n, ...], with gradients to the Parameters."""
        return torch.stack(list[Tensor](self.parameters))

    @torch.no_grad()
    def return_to_sphere(self) -> None:
        """Rescales each vector to its initial radius: PULSE's projection after every optimiser step (section 3.2)."""
        moved = self.stack()
        for parameter, projected in zip(self.parameters, moved * (self.radii / _norms(moved)), strict=True):
            parameter.copy_(projected)


def all_parameters(variables: Iterable[SphericalParameters]) -> list[nn.Parameter]:
    """Every Parameter of some variables, for an optimiser."""
    return [parameter for variable in variables for parameter in variable.parameters]


def _norms(stacked: Tensor) -> Tensor:
    """[B, n, ...] -> [B, n, 1, ...]; the epsilon keeps a vector of zeros where it is."""
    return (stacked.square().sum(dim=tuple(range(2, stacked.ndim)), keepdim=True) + 1e-9).sqrt()
