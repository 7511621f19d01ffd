"""The variables that the optimiser moves: one Parameter per sample."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn


class Variable:
    """One variable of the search for a whole batch, as B Parameters.

    Each sample has its own Parameter, because some optimisers (Ranger21) normalise over a whole Parameter.

    Args:
        initial: the initial values, [B, ...]; copied. The Parameters have its device and dtype.
    """

    def __init__(self, initial: Tensor):
        self.initial = initial
        self.parameters = [nn.Parameter(sample.clone()) for sample in initial]

    def stack(self) -> Tensor:
        """Returns the values of all samples, [B, ...], with gradients to the Parameters."""
        return torch.stack(list[Tensor](self.parameters))

    @torch.no_grad()
    def set(self, values: Tensor) -> None:
        """Sets the Parameters to `values`, [B, ...]."""
        for parameter, value in zip(self.parameters, values, strict=True):
            parameter.copy_(value)


def all_parameters(variables: Iterable[Variable]) -> list[nn.Parameter]:
    """Returns every Parameter of the given variables, for an optimiser."""
    return [parameter for variable in variables for parameter in variable.parameters]
