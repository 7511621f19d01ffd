"""The optimisers of the search, each built the same way from the Parameters of each problem.

A problem is one sample, or the samples of a reference that a batch-diversity term couples. All take `num_iterations`
(the steps of the stage) and `built_in_schedule` (whether the optimiser's own schedule is on); only Ranger21 uses them.
"""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import nn
from torch.optim import Optimizer

from multimodal_pulse.search.joint import Joint
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
    return _ranger21(_flat(problems), num_iterations, built_in_schedule, lr, weight_decay=0.0)


def ranger21_of_batch(
    problems: Problems,
    *,
    num_iterations: int,
    built_in_schedule: bool,
    lr: float,
    weight_decay: float,
) -> Optimizer:
    """Makes Ranger21 as the report's own program calls it: one Parameter for all samples of a reference.

    Gradient clipping, centralisation and normalisation then act on all of them together. That program also tells it of
    a step for each sample, K times as many as there are: the search ends soon after the warm-up. Its schedule is
    therefore that of `num_iterations` * K steps.

    Args:
        problems: the Parameters of each problem, one for each sample.
        num_iterations: the steps of the stage.
        built_in_schedule: whether warm-up and warm-down are on.
        lr: the learning rate.
        weight_decay: the weight decay, relative to the root of the mean variance of the gradients; there 1e-4.
    """
    return Joint(
        problems,
        lambda common, samples: _ranger21(common, samples * num_iterations, built_in_schedule, lr, weight_decay),
        lr,
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


def _ranger21(
    parameters: list[nn.Parameter], num_iterations: int, built_in_schedule: bool, lr: float, weight_decay: float
) -> Optimizer:
    from pytorch_optimizer import Ranger21  # takes half a second

    return Ranger21(
        parameters,
        num_iterations=num_iterations,
        lr=lr,
        weight_decay=weight_decay,
        disable_lr_scheduler=not built_in_schedule,
    )


def _flat(problems: Problems) -> list[nn.Parameter]:
    return [parameter for problem in problems for parameter in problem]
