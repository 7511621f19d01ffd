"""The stages of a search: each has its latent space, steps, optimiser and schedule.

A stage begins where the one before it ended. Only the first one, which may come several times, begins at new draws.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.generator.spaces.space import Space
from multimodal_pulse.search.optimizers import MakeOptimizer
from multimodal_pulse.search.schedules import Schedule


@dataclass(frozen=True)
class Stage:
    """A part of a search.

    Attributes:
        latent_space: the space in which the latents move.
        steps: the number of steps, at least 1.
        optimizer: makes the optimiser of a group.
        schedule: the schedule of the learning rate.

    Raises:
        UserError: `steps` is less than 1.
    """

    latent_space: Space
    steps: int
    optimizer: MakeOptimizer
    schedule: Schedule

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise UserError(f"steps={self.steps} must be at least 1.")


def by_first_step(stages: Sequence[Stage]) -> dict[int, Stage]:
    """Returns the stages by the step of the search, from 0, at which each begins."""
    first_steps, step = {}, 0
    for stage in stages:
        first_steps[step] = stage
        step += stage.steps
    return first_steps
