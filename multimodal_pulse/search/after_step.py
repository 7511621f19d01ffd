"""What follows each step of the optimiser: the return to the latent space, or nothing."""

from collections.abc import Mapping
from typing import Protocol

import torch

from multimodal_pulse.generator.spaces.space import Space
from multimodal_pulse.search.variables import Variable


class AfterStep(Protocol):
    """Changes the variables in place, after each step of the optimiser.

    Args:
        space: the space of the current stage.
        variables: the variables by name; each also has its `initial` values, from the start of the stage.
        step: the step of the search, from 0.
    """

    def __call__(self, space: Space, variables: Mapping[str, Variable], step: int) -> None: ...


class Retract:
    """Returns every variable to its space: PULSE's return to the sphere (Menon et al. 2020, section 3.2)."""

    @torch.no_grad()
    def __call__(self, space: Space, variables: Mapping[str, Variable], step: int) -> None:
        """Replaces each variable by `space.retract` of it; a space without bounds changes nothing."""
        for name, variable in variables.items():
            variable.set(space.retract(name, variable.stack(), variable.initial))


class NoAfterStep:
    """Leaves the variables where the optimiser has put them, even outside their space."""

    def __call__(self, space: Space, variables: Mapping[str, Variable], step: int) -> None:
        """Does nothing."""
