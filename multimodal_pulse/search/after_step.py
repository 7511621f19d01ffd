"""What follows a step of the optimiser: the way back to the latent space, or nothing."""

from collections.abc import Mapping
from typing import Protocol

import torch

from multimodal_pulse.generator.spaces.space import Space
from multimodal_pulse.search.variables import Variable


class AfterStep(Protocol):
    """Changes the variables in place, after each step of the optimiser.

    Args:
        space: of the current stage.
        variables: by name; each still has its `initial` values, those at the start of the stage.
        step: of the search, from 0.
    """

    def __call__(self, space: Space, variables: Mapping[str, Variable], step: int) -> None: ...


class Retract:
    """Brings every variable back to where its space keeps it: PULSE's return to the sphere (section 3.2)."""

    @torch.no_grad()
    def __call__(self, space: Space, variables: Mapping[str, Variable], step: int) -> None:
        """Leaves the variables of a space without bounds where they are."""
        for variable in variables.values():
            variable.set(space.retract(variable.stack(), variable.initial))


class NoAfterStep:
    """Leaves the variables where the optimiser has put them, outside of their space if need be."""

    def __call__(self, space: Space, variables: Mapping[str, Variable], step: int) -> None:
        """Does nothing."""
