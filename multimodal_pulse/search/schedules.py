"""Schedules of the learning rate during a search, as factors of the optimiser's learning rate; PULSE's and others."""

import math

from multimodal_pulse.base.errors import UserError


class NoSchedule:
    """Leaves the learning rate to the optimiser: a built-in schedule (Ranger21's warm-up and warm-down) stays on."""

    keeps_built_in = True

    def __call__(self, step: float, steps: float) -> float:
        """Returns 1."""
        return 1.0


class FixedSchedule:
    """Keeps the learning rate the same at every step, with any optimiser."""

    keeps_built_in = False

    def __call__(self, step: float, steps: float) -> float:
        """Returns 1."""
        return 1.0


class Linear1Cycle:
    """Raises the factor from 0.1 to 1 at half time and lowers it to 0.1 again (PULSE)."""

    keeps_built_in = False

    def __call__(self, step: float, steps: float) -> float:
        """Returns the factor at `step` (from 0) of `steps`."""
        return (9 * (1 - abs(step / steps - 1 / 2) * 2) + 1) / 10


class Linear1CycleDrop:
    """Follows `Linear1Cycle` for the first nine tenths, then falls from 0.1 to 0.001: PULSE's default."""

    keeps_built_in = False

    def __call__(self, step: float, steps: float) -> float:
        """Returns the factor at `step` (from 0) of `steps`."""
        cycle = 0.9 * steps
        if step < cycle:
            return Linear1Cycle()(step, cycle)
        return 1 / 10 + (step - cycle) / (0.1 * steps) * (1 / 1000 - 1 / 10)


class Ramp:
    """Raises the factor from 0 to 1, keeps it there, and lowers it to 0 along a cosine.

    It is the schedule of StyleGAN2's projector (Karras et al. 2020, appendix D), which BRGM and ILO took over.

    Args:
        up: the share of the steps in which it rises.
        down: the share of the steps in which it falls.
    Raises:
        UserError: a share is not in (0, 1].
    """

    keeps_built_in = False

    def __init__(self, up: float, down: float):
        for name, share in (("up", up), ("down", down)):
            if not 0 < share <= 1:
                raise UserError(f"schedule.{name}={share} must be above 0 and at most 1.")
        self.up, self.down = up, down

    def __call__(self, step: float, steps: float) -> float:
        """Returns the factor at `step` (from 0) of `steps`."""
        done = step / steps
        fall = 0.5 - 0.5 * math.cos(math.pi * min(1.0, (1 - done) / self.down))
        return fall * min(1.0, done / self.up)


class Geometric:
    """Lowers the factor from `start` to 1, by the same ratio at every step.

    Args:
        start: the factor of the first step.
    Raises:
        UserError: `start` is not positive.
    """

    keeps_built_in = False

    def __init__(self, start: float):
        if not start > 0:
            raise UserError(f"schedule.start={start} must be positive.")
        self.start = start

    def __call__(self, step: float, steps: float) -> float:
        """Returns the factor at `step` (from 0) of `steps`."""
        return self.start ** max(0.0, 1 - step / max(1, steps - 1))


Schedule = NoSchedule | FixedSchedule | Linear1Cycle | Linear1CycleDrop | Ramp | Geometric
