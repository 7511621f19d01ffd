"""What the optimiser moves: one Parameter per sample, and for the sphere the way back to it."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn


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
