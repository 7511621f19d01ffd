"""The measures of a row: means over references with their intervals, and extremes over all samples."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from runs import Entry, Run

from multimodal_pulse.base.faithfulness import OK_LR_PSNR_DB
from multimodal_pulse.metrics.intervals import Estimate, estimate

FAILED_DB = -np.inf
"""Stands for the LR-PSNR of a sample whose search failed."""


@dataclass(frozen=True)
class Mean:
    """A mean over samples, then seeds, then references, with the interval over references.

    Attributes:
        key: its name in table.csv.
        title: its name in table.md.
        places: the decimals shown in table.md.
        of: computes it for one reference at one seed; None if it does not exist.
    """

    key: str
    title: str
    places: int
    of: Callable[[Entry], float | None]

    def of_references(self, runs: Sequence[Run]) -> np.ndarray:
        """Returns the mean over the seeds of every reference, [references]; NaN where no seed has one."""
        values = np.array([[self.of(entry) for entry in run.entries] for run in runs], dtype=float)
        there = ~np.isnan(values)
        return np.where(there.any(axis=0), np.nansum(values, axis=0) / np.maximum(there.sum(axis=0), 1), np.nan)

    def cell(self, runs: Sequence[Run]) -> Estimate | None:
        """Computes the measure of a row; None if no reference has one."""
        values = self.of_references(runs)
        values = values[~np.isnan(values)]
        return estimate(values) if len(values) else None


@dataclass(frozen=True)
class Extreme:
    """The lowest or highest value of all samples, which has no interval.

    Attributes:
        key, title, places: as in `Mean`.
        pick: min or max.
        of: the values of the samples of a run.
    """

    key: str
    title: str
    places: int
    pick: Callable[[Iterable[float]], float]
    of: Callable[[Run], Iterable[float]]

    def cell(self, runs: Sequence[Run]) -> float:
        """Computes the measure of a row."""
        return float(self.pick(value for run in runs for value in self.of(run)))


Column = Mean | Extreme


def _of_samples(key: str) -> Callable[[Entry], float | None]:
    """Returns the mean of a score over the samples that have it."""

    def mean(entry: Entry) -> float | None:
        scores = [record[key] for record in entry["records"] if record[key] is not None]
        return float(np.mean(scores)) if scores else None

    return mean


def _of_several(key: str) -> Callable[[Entry], float | None]:
    """Returns a measure of the samples together, which one sample alone does not have."""
    return lambda entry: entry[key] if len(entry["records"]) > 1 else None


def _steps(run: Run) -> list[float]:
    return [record["steps"] for entry in run.entries for record in entry["records"]]


def _found(*entries: Entry) -> list[float]:
    """The LR-PSNR of every sample before the consistency step, in dB."""
    found = [record["lr_psnr_found"] for entry in entries for record in entry["records"]]
    return [FAILED_DB if value is None else value for value in found]


def _percent_not_found(entry: Entry) -> float:
    return 100 * float(np.mean([value < OK_LR_PSNR_DB for value in _found(entry)]))


SECTIONS: dict[str, tuple[Column, ...]] = {
    "Cost, and faithfulness to the reference": (
        Extreme("samples", "samples", 0, max, lambda run: [len(entry["records"]) for entry in run.entries]),
        Extreme("passes", "passes", 0, max, _steps),
        # All references need the same work: what took longer than the fastest waited for other programs.
        Extreme("seconds", "seconds", 1, min, lambda run: [entry["seconds"] for entry in run.entries]),
        Mean("lr_psnr_found", "LR-PSNR found, dB", 1, _of_samples("lr_psnr_found")),
        Extreme("lr_psnr_found_worst", "worst found, dB", 1, min, lambda run: _found(*run.entries)),
        Mean("not_found", f"found under {OK_LR_PSNR_DB:.0f} dB, %", 1, _percent_not_found),
        Extreme("lr_psnr_worst", "worst saved file, dB", 1, min, lambda run: run.lr_psnr_of_files),
    ),
    "Closeness to the original, and realism": (
        Mean("psnr", "PSNR, dB", 2, _of_samples("psnr")),
        Mean("ssim", "SSIM", 3, _of_samples("ssim")),
        Mean("lpips", "LPIPS", 3, _of_samples("lpips")),
        Mean("realism", "realism", 2, _of_samples("realistic")),
    ),
    "The samples of a reference together": (
        Mean("distance", "distance, grey levels", 1, lambda entry: entry["diversity"]["rms"]),
        Mean("mean_image_psnr", "PSNR of their mean, dB", 2, _of_several("mean_image_psnr")),
        Mean("gain", "gain, dB", 2, _of_several("gain")),
        Mean("ntire", "NTIRE score", 1, lambda entry: entry["diversity"]["lpips_score"]),
        Mean("calibration", "calibration", 2, lambda entry: entry["calibration"]),
    ),
}
"""The columns, in tables that are narrow enough to be read without scrolling."""

COLUMNS = {column.key: column for section in SECTIONS.values() for column in section}
"""All columns by their keys."""
