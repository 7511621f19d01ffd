"""An optimiser that moves the Parameters of several samples as one."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from multimodal_pulse.base.errors import UserError


class Joint(Optimizer):
    """Gives the samples of each problem a common Parameter per variable, and moves it by an optimiser of its own.

    What an optimiser does within a Parameter, such as Ranger21's normalisation of gradients, it then does over all
    samples of a problem: no sample is independent of the others any more. Problems are.

    Args:
        problems: the Parameters of each problem: for one variable after the other, one for each sample. The first
            variable has a shape that no other has.
        make: makes the optimiser of a problem, from its common Parameters, [K, ...] each, and K.
        lr: the learning rate, of which a schedule takes a share.

    Raises:
        UserError: in a step: the first variable has a shape that another has, which is not differentiated.
    """

    def __init__(
        self,
        problems: Sequence[Sequence[nn.Parameter]],
        make: Callable[[list[nn.Parameter], int], Optimizer],
        lr: float,
    ):
        super().__init__([parameter for problem in problems for parameter in problem], {"lr": lr})
        self._parts = []
        for problem in problems:
            samples = sum(parameter.shape == problem[0].shape for parameter in problem)
            variables = [problem[first : first + samples] for first in range(0, len(problem), samples)]
            common = [nn.Parameter(torch.stack(list(variable)).detach()) for variable in variables]
            self._parts.append((variables, common, make(common, samples)))

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Does one step of every problem; returns what `closure` returns, if there is one."""
        loss = None if closure is None else closure()
        for variables, common, optimizer in self._parts:
            if all(parameter.grad is None for variable in variables for parameter in variable):
                continue  # the problem is no longer searched
            for variable, joint in zip(variables, common, strict=True):
                joint.copy_(torch.stack(list(variable)))
                gradients = [parameter.grad for parameter in variable if parameter.grad is not None]
                if len(gradients) not in (0, len(variable)):  # several variables, of which one is not differentiated
                    raise UserError("optimizer=ranger21_of_batch does not suit this latent_space: choose another one.")
                joint.grad = torch.stack(gradients) if gradients else None
            for group in optimizer.param_groups:
                group["lr"] = self.param_groups[0]["lr"]
            optimizer.step()
            for variable, joint in zip(variables, common, strict=True):
                for parameter, moved in zip(variable, joint, strict=True):
                    parameter.copy_(moved)
        return loss
