"""The learning rate of all networks as a training goes on."""


class Constant:
    """The same rate from the first image to the last.

    Args:
        rate: of Adam.
    """

    def __init__(self, rate: float) -> None:
        self.rate = rate

    def __call__(self, left: int) -> float:
        """Returns the rate for a step with `left` images still to be seen."""
        return self.rate


class Falling(Constant):
    """Constant, then falling linearly: with small batches the weights oscillate, and a fall lets them come to rest.

    Args:
        rate: before the fall.
        over: the last images of the training, over which it falls.
        to: the share of the rate that is left at the end.
    """

    def __init__(self, rate: float, over: int, to: float = 0.0) -> None:
        super().__init__(rate)
        self.over, self.to = over, to

    def __call__(self, left: int) -> float:
        return self.rate * max(self.to, min(1.0, left / self.over))
