"""The optimisers of the search, each built the same way from the Parameters of each problem.

A problem is one sample, or the samples of a reference that a batch-diversity term couples. All take `num_iterations`
(the steps of the stage) and `built_in_schedule` (whether the optimiser's own schedule is on); only Ranger21 uses them.
"""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import nn
from torch.optim import Optimizer

from multimodal_pulse.search.lbfgs import LBFGS

Problems = Sequence[Sequence[nn.Parameter]]


class MakeOptimizer(Protocol):
    """A factory of an optimiser from its Parameters: a `functools.partial` of one of the functions below."""

    def __call__(self, problems: Problems, *, num_iterations: int, built_in_schedule: bool) -> Optimizer: ...


def ranger21(problems: Problems, *, num_iterations: int, built_in_schedule: bool, lr: float) -> Optimizer:
    """Makes Ranger21 (Wright & Demeure 2021), the report's optimiser. `lr` is its learning rate.

    Weight decay is off, since it is normalised over all Parameters and would couple the samples; the spheres fix the
    norms anyway. Gradient normalisation and clipping act within one Parameter, that is, within one sample.
    """
    from pytorch_optimizer import Ranger21  # takes half a second

    return Ranger21(
        _flat(problems),
        num_iterations=num_iterations,
        lr=lr,
        weight_decay=0.0,
        disable_lr_scheduler=not built_in_schedule,
    )


def adam(problems: Problems, *, num_iterations: int, built_in_schedule: bool, lr: float) -> Optimizer:
    """Makes Adam (Kingma & Ba 2015), PULSE's optimiser. `lr` is its learning rate."""
    return torch.optim.Adam(_flat(problems), lr=lr)


def sgd(
    problems: Problems,
    *,
    num_iterations: int,
    built_in_schedule: bool,
    lr: float,
    momentum: float = 0.0,
) -> Optimizer:
    """Makes stochastic gradient descent. `lr` is its learning rate."""
    return torch.optim.SGD(_flat(problems), lr=lr, momentum=momentum)


def gradient_descent(problems: Problems, *, num_iterations: int, built_in_schedule: bool, lr: float) -> Optimizer:
    """Makes plain gradient descent, the drift of Langevin dynamics. `lr` is its step size."""
    return torch.optim.SGD(_flat(problems), lr=lr)


def lbfgs(
    problems: Problems, *, num_iterations: int, built_in_schedule: bool, lr: float, first_move: float, history: int
) -> Optimizer:
    """Makes the batched L-BFGS of `multimodal_pulse.search.lbfgs`, whose arguments these are."""
    return LBFGS(problems, lr, first_move, history)


def _flat(problems: Problems) -> list[nn.Parameter]:
    return [parameter for problem in problems for parameter in problem]
