"""Shares of a class among samples and among references, with intervals: pure functions of what was read.

Jalal et al., "Fairness for Image Generation with Uncertain Sensitive Attributes", ICML 2021, define:

- proportional representation: the share of a class among samples is its share among originals;
- conditional proportional representation (CPR): given an LR picture y, the share is P(class | y). Sampling from the
  posterior has it, and it implies the first;
- representation demographic parity: of originals of a class, the share whose samples are of that class is the same for
  all classes.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from readings import Readings
from traits import TRAITS

Z = 1.959963984540054
"""The 97.5 % point of the standard normal distribution, for intervals of 95 %."""
RESAMPLES = 10_000
GROUPS = {"unlikely": (0.0, 0.1), "open": (0.1, 0.9), "likely": (0.9, 1.0 + 1e-9)}
"""Groups of references by P(class | LR picture), from the first number up to below the second."""


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float

    def __format__(self, places: str) -> str:
        value, low, high = (f"{number:.{places}f}" for number in (self.value, self.low, self.high))
        return f"{value} ({low} to {high})"


@dataclass(frozen=True)
class Row:
    """The share of a class among the samples of some references, and the share that one would expect.

    Attributes:
        given: the references: "all", "reference: <class>", or "LR picture: <group>".
        references: how many there are.
        expected: the share of the class among these references, or, for a group, the mean of P(class | LR picture).
        read: the share of samples of which the class is read.
        share: the same, corrected for what the reader takes for something else; not for a group of LR pictures, whose
            portraits are nearer to the bounds of a class, or farther away, than those that the correction comes from.
        difference: `share` minus `expected`.
    """

    method: str
    trait: str
    name: str
    given: str
    references: int
    expected: float
    read: float
    share: Estimate
    difference: Estimate


def corrected(classes: np.ndarray, confusion: np.ndarray) -> np.ndarray:
    """Returns the share of each class among each reference's samples, corrected for the reader's mistakes.

    If a true class i is read as j with probability C[i, j], shares s are read as s C, so that those read times the
    inverse of C estimate s without bias (Rogan & Gladen 1978, for more than two classes). A share may therefore lie a
    little outside [0, 1].

    Args:
        classes: the class read from each sample, [N, K].
        confusion: counts of held-out pictures by class and class read, [C, C].
    Returns: [N, C]; each row sums to 1.
    """
    rows = confusion / confusion.sum(axis=1, keepdims=True)
    return np.eye(len(confusion))[classes].mean(axis=1) @ np.linalg.inv(rows)


def share(values: np.ndarray, most: int) -> Estimate:
    """Computes a share and its interval by Wilson's score, with an effective number of independent samples.

    The samples of a reference are not independent. The effective number is the one with which a binomial share would
    vary as much as the mean over references does, from the number of references to that of all samples (Korn &
    Graubard 1998). In contrast to a bootstrap, the interval has a width even if all references agree.

    Args:
        values: the share of each reference, [N], N at least 1; means slightly outside [0, 1] are clipped.
        most: the number of all samples.
    """
    number, mean = len(values), float(np.clip(values.mean(), 0, 1))
    variance = values.var(ddof=1) / number if number > 1 else 0.0
    effective = float(np.clip(mean * (1 - mean) / variance, number, most)) if variance > 0 else float(number)
    middle = (mean + Z**2 / (2 * effective)) / (1 + Z**2 / effective)
    half = Z / (1 + Z**2 / effective) * np.sqrt(mean * (1 - mean) / effective + Z**2 / (4 * effective**2))
    return Estimate(mean, max(0.0, middle - half), min(1.0, middle + half))


def mean(values: np.ndarray) -> Estimate:
    """Computes a mean over references, [N], and its interval by the percentile bootstrap (Efron 1979)."""
    drawn = np.random.default_rng(0).integers(len(values), size=(RESAMPLES, len(values)))
    low, high = np.quantile(values[drawn].mean(axis=1), [0.025, 0.975])
    return Estimate(float(values.mean()), float(low), float(high))


def rows(readings: dict[str, Readings]) -> Iterator[Row]:
    """Yields the shares of every class: of all references, of the references of each class, and of each group."""
    for trait in TRAITS:
        read = readings[trait.name]
        known = np.eye(len(trait.classes))[read.known]
        for method, classes in read.samples.items():
            shares, plain = corrected(classes, read.confusion), np.eye(len(trait.classes))[classes].mean(axis=1)
            for index, name in enumerate(trait.classes):
                posterior = read.posterior[:, index]
                every = np.ones(len(known), dtype=bool)
                chosen = [("all", every, known[:, index], shares)]
                chosen += [
                    (f"reference: {other}", read.known == number, known[:, index], shares)
                    for number, other in enumerate(trait.classes)
                ]
                chosen += [
                    (f"LR picture: {group}", (low <= posterior) & (posterior < high), posterior, plain)
                    for group, (low, high) in GROUPS.items()
                ]
                for given, some, expected, values in chosen:
                    if some.any():
                        yield Row(
                            method, trait.name, name, given, int(some.sum()),
                            expected=float(expected[some].mean()),
                            read=float(plain[some, index].mean()),
                            share=share(values[some, index], most=classes[some].size),
                            difference=mean(values[some, index] - expected[some]),
                        )  # fmt: skip


def accuracy(confusion: np.ndarray) -> float:
    """Returns the share of held-out pictures that are read right."""
    return float(np.trace(confusion) / confusion.sum())
