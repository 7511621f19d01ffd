"""Schedules of the learning rate during a search, as factors of the optimiser's learning rate; PULSE's and others."""


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


Schedule = NoSchedule | FixedSchedule | Linear1Cycle | Linear1CycleDrop
