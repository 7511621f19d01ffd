"""The optimisers of the search, each built the same way from one Parameter per sample.

All take `num_iterations` (steps of the search) and `built_in_schedule` (whether a schedule of the optimiser's own is
on); Ranger21 is the one that has use for them.
"""

from collections.abc import Sequence
from typing import Protocol

import torch
from pytorch_optimizer import Ranger21
from torch import nn
from torch.optim import Optimizer


class MakeOptimizer(Protocol):
    """An optimiser with its numbers chosen, still without Parameters: a `functools.partial` of a function below."""

    def __call__(
        self, parameters: Sequence[nn.Parameter], *, num_iterations: int, built_in_schedule: bool
    ) -> Optimizer: ...


def ranger21(
    parameters: Sequence[nn.Parameter], *, num_iterations: int, built_in_schedule: bool, lr: float
) -> Optimizer:
    """Ranger21 (Wright & Demeure 2021), the report's optimiser. `lr` is its learning rate.

    No weight decay: its strength is normalised over all Parameters, and one sample must not feel another; the spheres
    fix the norms anyway. Gradient normalisation and clipping act inside one Parameter, that is, one sample.
    """
    return Ranger21(
        list(parameters),
        num_iterations=num_iterations,
        lr=lr,
        weight_decay=0.0,
        disable_lr_scheduler=not built_in_schedule,
    )


def adam(parameters: Sequence[nn.Parameter], *, num_iterations: int, built_in_schedule: bool, lr: float) -> Optimizer:
    """Adam (Kingma & Ba 2015), PULSE's optimiser. `lr` is its learning rate."""
    return torch.optim.Adam(list(parameters), lr=lr)


def sgd(
    parameters: Sequence[nn.Parameter],
    *,
    num_iterations: int,
    built_in_schedule: bool,
    lr: float,
    momentum: float = 0.0,
) -> Optimizer:
    """Stochastic gradient descent. `lr` is its learning rate."""
    return torch.optim.SGD(list(parameters), lr=lr, momentum=momentum)
