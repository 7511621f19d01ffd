"""What the optimiser moves: one Parameter per sample."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn


class Variable:
    """One variable of the search for a whole batch, as B Parameters.

    Each sample has a Parameter of its own, because some optimisers (Ranger21) normalise over everything inside one.

    Args:
        initial: [B, ...], where the search begins; copied. Its device and dtype are the Parameters'.
    """

    def __init__(self, initial: Tensor):
        self.initial = initial
        self.parameters = [nn.Parameter(sample.clone()) for sample in initial]

    def stack(self) -> Tensor:
        """[B, ...], with gradients to the Parameters."""
        return torch.stack(list[Tensor](self.parameters))

    @torch.no_grad()
    def set(self, values: Tensor) -> None:
        """Moves the Parameters to `values`, [B, ...]."""
        for parameter, value in zip(self.parameters, values, strict=True):
            parameter.copy_(value)


def all_parameters(variables: Iterable[Variable]) -> list[nn.Parameter]:
    """Every Parameter of some variables, for an optimiser."""
    return [parameter for variable in variables for parameter in variable.parameters]
