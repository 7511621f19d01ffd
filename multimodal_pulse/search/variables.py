"""The variables that the optimiser moves: one Parameter per sample."""

from collections.abc import Iterable, Sequence

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

    def stack(self, rows: Sequence[int] | None = None) -> Tensor:
        """Returns the values of some samples, by default of all, [B, ...], with gradients to their Parameters."""
        chosen = self.parameters if rows is None else [self.parameters[row] for row in rows]
        return torch.stack(list[Tensor](chosen))

    @torch.no_grad()
    def set(self, values: Tensor) -> None:
        """Sets the Parameters to `values`, [B, ...]."""
        for parameter, value in zip(self.parameters, values, strict=True):
            parameter.copy_(value)


def by_problem(variables: Iterable[Variable], problems: int) -> list[list[nn.Parameter]]:
    """Groups the Parameters by the samples that are minimised together.

    Args:
        problems: how many there are; each has the same number of consecutive samples.
    """
    parameters: list[list[nn.Parameter]] = [[] for _ in range(problems)]
    for variable in variables:
        samples = len(variable.parameters) // problems
        for problem, of_problem in enumerate(parameters):
            of_problem += variable.parameters[problem * samples : (problem + 1) * samples]
    return parameters
