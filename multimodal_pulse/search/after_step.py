"""What follows each step of the optimiser: the return to the latent space, noise, a new draw, or nothing."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from multimodal_pulse.generator.spaces.space import Space
from multimodal_pulse.generator.spaces.variational import EPS
from multimodal_pulse.search.variables import Variable


@dataclass(frozen=True)
class Step:
    """A step that the optimiser has just done.

    Attributes:
        space: the space of the current stage.
        variables: the variables by name; each also has its `initial` values, from the start of the stage.
        learning_rate: the learning rate of the step.
        streams: the random stream of each sample, [B], for draws on the CPU.
    """

    space: Space
    variables: Mapping[str, Variable]
    learning_rate: float
    streams: Sequence[torch.Generator]


class AfterStep(Protocol):
    """Changes the variables in place, after each step of the optimiser."""

    def __call__(self, step: Step, /) -> None: ...


class Retract:
    """Returns every variable to its space: PULSE's return to the sphere (Menon et al. 2020, section 3.2)."""

    @torch.no_grad()
    def __call__(self, step: Step) -> None:
        """Replaces each variable by `space.retract` of it; a space without bounds changes nothing."""
        for name, variable in step.variables.items():
            variable.set(step.space.retract(name, variable.stack(), variable.initial))


class LangevinNoise:
    """Makes a step of Langevin dynamics of a step of gradient descent (Roberts & Tweedie 1996).

    After x - h grad U(x), with h the learning rate of `optimizer=langevin`, it adds N(0, 2 h) to every component. For a
    small h the iterates become samples of the density exp(-U). With U = |x|^2 / (2 s^2) their variance is
    s^2 / (1 - h / (2 s^2)): there is no Metropolis test that would correct it.
    """

    @torch.no_grad()
    def __call__(self, step: Step) -> None:
        """Adds each sample's noise from its own stream."""
        for variable in step.variables.values():
            for parameter, rng in zip(variable.parameters, step.streams, strict=True):
                noise = torch.randn(parameter.shape, generator=rng).to(parameter)
                parameter.add_(noise, alpha=math.sqrt(2 * step.learning_rate))


class NewDraw:
    """Draws the numbers of `Variational` anew, so that each pass sees another draw of the fitted distribution.

    With a stage in another space, which has no such numbers, it changes nothing.
    """

    @torch.no_grad()
    def __call__(self, step: Step) -> None:
        """Takes each sample's numbers from its own stream."""
        if EPS in step.variables:
            for parameter, rng in zip(step.variables[EPS].parameters, step.streams, strict=True):
                parameter.copy_(torch.randn(parameter.shape, generator=rng))


class NoAfterStep:
    """Leaves the variables where the optimiser has put them, even outside their space."""

    def __call__(self, step: Step) -> None:
        """Does nothing."""
