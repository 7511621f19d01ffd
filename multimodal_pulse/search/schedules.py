"""How the learning rate goes through a search: PULSE's schedules, as factors of the optimiser's learning rate."""


class NoSchedule:
    """The optimiser's own course: a schedule built into it (Ranger21's warm-up and warm-down) stays on."""

    keeps_built_in = True

    def __call__(self, step: float, steps: float) -> float:
        """1 at every step."""
        return 1.0


class FixedSchedule:
    """The same learning rate at every step, with any optimiser."""

    keeps_built_in = False

    def __call__(self, step: float, steps: float) -> float:
        """1 at every step."""
        return 1.0


class Linear1Cycle:
    """Up from 0.1 to 1 at half time and down to 0.1 again."""

    keeps_built_in = False

    def __call__(self, step: float, steps: float) -> float:
        """The factor at `step` (from 0) of `steps`."""
        return (9 * (1 - abs(step / steps - 1 / 2) * 2) + 1) / 10


class Linear1CycleDrop:
    """PULSE's default: `Linear1Cycle` over the first nine tenths, then down from 0.1 to 0.001."""

    keeps_built_in = False

    def __call__(self, step: float, steps: float) -> float:
        """The factor at `step` (from 0) of `steps`."""
        cycle = 0.9 * steps
        if step < cycle:
            return Linear1Cycle()(step, cycle)
        return 1 / 10 + (step - cycle) / (0.1 * steps) * (1 / 1000 - 1 / 10)


Schedule = NoSchedule | FixedSchedule | Linear1Cycle | Linear1CycleDrop
