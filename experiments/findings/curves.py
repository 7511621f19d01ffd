"""Reads measures.csv as curves: means over portraits with confidence intervals, and comparisons by portrait."""

import csv
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from measures import OF_SAMPLES, refuse_mixed
from points import SAME_AS

Values = np.ndarray
"""The values of a measure or effect, [portraits], each a mean over samples and seeds."""


class Curves:
    """Reads the measures of all points. Every point has the same portraits and seeds.

    Args:
        path: measures.csv.
    Raises:
        UserError: the points were made with different generators.
        ValueError: points have different portraits.
    """

    def __init__(self, path: Path) -> None:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        refuse_mixed(rows)
        self.portraits = sorted({row["reference"] for row in rows})
        self.seeds = sorted({row["seed"] for row in rows})
        of_point: defaultdict[str, dict[tuple[str, str], Mapping[str, str]]] = defaultdict(dict)
        for row in rows:
            of_point[row["point"]][row["reference"], row["seed"]] = row
        keys = {(portrait, seed) for portrait in self.portraits for seed in self.seeds}
        for point, of_keys in of_point.items():
            if set(of_keys) != keys:
                raise ValueError(f"{path}: {point} has other portraits or seeds than the rest.")
        self._rows = of_point

    def __call__(self, point: str, measure: str) -> Values:
        """Returns a measure, [portraits], averaged over the seeds; NaN if it does not exist."""
        return self._table(point, measure).mean(axis=1)

    def lr_psnr_of_latents(self, point: str) -> Values:
        """Returns the LR-PSNR in dB of every sample of every seed, [portraits, initial latents]."""
        return np.concatenate([self._table(point, column) for column in OF_SAMPLES], axis=1)

    def _table(self, point: str, measure: str) -> Values:
        """Returns one measure, [portraits, seeds]."""
        rows = self._rows[SAME_AS.get(point, point)]
        return np.array([[float(rows[p, s][measure] or "nan") for s in self.seeds] for p in self.portraits])

    @property
    def seconds(self) -> float:
        """Returns the sum of the seconds of all searches."""
        return float(sum(self._table(point, "seconds").sum() for point in self._rows))
