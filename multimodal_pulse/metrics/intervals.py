"""Means over references with their confidence intervals."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

RESAMPLES = 10_000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A mean over references and its confidence interval."""

    mean: float
    low: float
    high: float

    def __format__(self, places: str) -> str:
        mean, low, high = (f"{value:.{places}f}" for value in (self.mean, self.low, self.high))
        return f"{mean} ({low} to {high})"

    def plus_minus(self, places: int) -> str:
        """Returns the mean and half the width of its interval, in so many decimals."""
        return f"{self.mean:.{places}f} ± {(self.high - self.low) / 2:.{places}f}"


def estimate(values: ArrayLike) -> Estimate:
    """Computes the mean and its 95 % interval by the percentile bootstrap over references (Efron, 1979).

    References are resampled because another evaluation would have others; samples and seeds of one reference are not
    independent, so they are averaged first.

    Args:
        values: the value of each reference, [N].
    """
    values = np.asarray(values, dtype=float)
    drawn = np.random.default_rng(0).integers(len(values), size=(RESAMPLES, len(values)))
    means = values[drawn].mean(axis=1)
    low, high = np.quantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Estimate(float(values.mean()), float(low), float(high))
