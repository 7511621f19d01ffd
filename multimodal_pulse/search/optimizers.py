"""The optimisers of the search, each built the same way from one Parameter per sample.

All take `num_iterations` (the steps of the stage) and `built_in_schedule` (whether the optimiser's own schedule is on);
only Ranger21 uses them.
"""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import nn
from torch.optim import Optimizer


class MakeOptimizer(Protocol):
    """A factory of an optimiser from its Parameters: a `functools.partial` of one of the functions below."""

    def __call__(
        self, parameters: Sequence[nn.Parameter], *, num_iterations: int, built_in_schedule: bool
    ) -> Optimizer: ...


def ranger21(
    parameters: Sequence[nn.Parameter], *, num_iterations: int, built_in_schedule: bool, lr: float
) -> Optimizer:
    """Makes Ranger21 (Wright & Demeure 2021), the report's optimiser. `lr` is its learning rate.

    Weight decay is off, since it is normalised over all Parameters and would couple the samples; the spheres fix the
    norms anyway. Gradient normalisation and clipping act within one Parameter, that is, within one sample.
    """
    from pytorch_optimizer import Ranger21

    return Ranger21(
        list(parameters),
        num_iterations=num_iterations,
        lr=lr,
        weight_decay=0.0,
        disable_lr_scheduler=not built_in_schedule,
    )


def adam(parameters: Sequence[nn.Parameter], *, num_iterations: int, built_in_schedule: bool, lr: float) -> Optimizer:
    """Makes Adam (Kingma & Ba 2015), PULSE's optimiser. `lr` is its learning rate."""
    return torch.optim.Adam(list(parameters), lr=lr)


def sgd(
    parameters: Sequence[nn.Parameter],
    *,
    num_iterations: int,
    built_in_schedule: bool,
    lr: float,
    momentum: float = 0.0,
) -> Optimizer:
    """Makes stochastic gradient descent. `lr` is its learning rate."""
    return torch.optim.SGD(list(parameters), lr=lr, momentum=momentum)
