"""What is claimed of the rows; the bounds of the aims were written down before the runs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import processor_time
from columns import COLUMNS, Mean
from runs import Run, Runs

from multimodal_pulse.metrics.intervals import Estimate, estimate


class Claim(Protocol):
    """A claim about rows of one table."""

    @property
    def rows(self) -> Sequence[str]:
        """The rows that it is about."""
        ...

    @property
    def sentence(self) -> str:
        """The claim in words."""
        ...

    def check(self, runs: Runs) -> tuple[bool, str]:
        """Returns whether the claim holds, and the figure that decides it."""
        ...


@dataclass(frozen=True)
class Aim:
    """A bound for one measure of one row. A mean is compared with it as it is; its interval is shown.

    Attributes:
        row: the row.
        key: the key of the column.
        least, most: the bounds; None: there is none.
    """

    row: str
    key: str
    least: float | None = None
    most: float | None = None

    @property
    def rows(self) -> Sequence[str]:
        return [self.row]

    @property
    def sentence(self) -> str:
        bounds = [("at least", self.least), ("at most", self.most)]
        needed = " and ".join(f"{words} {bound:g}" for words, bound in bounds if bound is not None)
        return f"`{self.row}`: {COLUMNS[self.key].title}: {needed}"

    def check(self, runs: Runs) -> tuple[bool, str]:
        column = COLUMNS[self.key]
        cell = column.cell(runs[self.row])
        if cell is None:
            return False, "not measured"
        value = cell.mean if isinstance(cell, Estimate) else cell
        holds = (self.least is None or value >= self.least) and (self.most is None or value <= self.most)
        # A mean has one decimal more than in the table, so that a near miss can be seen.
        return holds, f"{cell:{column.places + 1}}" if isinstance(cell, Estimate) else f"{cell:.{column.places}f}"


class NotMeasuredError(Exception):
    """What a claim is about was not measured; the message says why."""


@dataclass(frozen=True)
class TimeAim:
    """A bound for the processor time of a row, which processor_time.csv has.

    Attributes:
        row: the row.
        most: processor seconds a reference.
        file: where the times are.
    """

    row: str
    most: float
    file: Path = processor_time.FILE

    @property
    def rows(self) -> Sequence[str]:
        return [self.row]

    @property
    def sentence(self) -> str:
        return f"`{self.row}`: processor seconds a reference, scores and pictures included: at most {self.most:g}"

    def check(self, runs: Runs) -> tuple[bool, str]:
        times = processor_time.read(self.file) if self.file.is_file() else {}
        if self.row not in times:
            raise NotMeasuredError(f"not in {self.file.name}, which python experiments/methods/processor_time.py makes")
        seconds = times[self.row]
        return seconds <= self.most, f"{seconds:.2f}"


@dataclass(frozen=True)
class Comparison:
    """A bound for how two rows differ, reference by reference. The whole interval must be on its side of the bound.

    Attributes:
        sentence: the claim.
        row, other: the rows.
        key: the key of a column of means.
        combine: subtracts or divides the values of the rows.
        above, below: the bound; one of them is None.
    """

    sentence: str
    row: str
    other: str
    key: str
    combine: Callable[[np.ndarray, np.ndarray], np.ndarray]
    above: float | None = None
    below: float | None = None

    @property
    def rows(self) -> Sequence[str]:
        return [self.row, self.other]

    def check(self, runs: Runs) -> tuple[bool, str]:
        column = COLUMNS[self.key]
        assert isinstance(column, Mean)
        values = [column.of_references(of_row) for of_row in _at_shared_seeds(runs[self.row], runs[self.other])]
        shared = min(map(len, values))
        effect = self.combine(values[0][:shared], values[1][:shared])
        effect = effect[~np.isnan(effect)]
        if not len(effect):
            return False, "not measured"
        found = estimate(effect)
        holds = (self.above is None or found.low > self.above) and (self.below is None or found.high < self.below)
        return holds, f"{found:{column.places}}"


def _at_shared_seeds(*rows: Sequence[Run]) -> list[list[Run]]:
    """Returns the runs at the seeds that all rows have."""
    seeds = set.intersection(*({run.seed for run in of_row} for of_row in rows))
    return [[run for run in of_row if run.seed in seeds] for of_row in rows]


def verdict(claim: Claim, runs: Runs) -> str:
    """Formats a claim, whether it holds, and its figure."""
    if missing := [row for row in claim.rows if row not in runs]:
        return f"NOT MEASURED: {claim.sentence} (no runs of {', '.join(missing)})"
    try:
        holds, figure = claim.check(runs)
    except NotMeasuredError as why:
        return f"NOT MEASURED: {claim.sentence} ({why})"
    return f"{'HOLDS' if holds else 'DOES NOT HOLD'}: {claim.sentence}: {figure}"


MAIN_CLAIMS: tuple[Claim, ...] = (
    Aim("explore", "passes", most=20),
    TimeAim("explore", most=3),
    Aim("explore", "not_found", most=0),
    Aim("explore", "lr_psnr_worst", least=75),
    Aim("explore", "psnr", least=24.2),
    Aim("explore", "ssim", least=0.635),
    Aim("explore", "lpips", most=0.095),
    Aim("explore", "realism", least=0.65),
    Aim("explore", "mean_image_psnr", least=26.0),
    Aim("explore", "gain", least=1.6),
    Aim("explore", "ntire", least=12),
    Aim("explore", "calibration", least=0.9, most=1.1),
    Aim("faithful", "passes", most=20),
    TimeAim("faithful", most=3),
    Aim("faithful", "not_found", most=0),
    Aim("faithful", "lr_psnr_worst", least=75),
    Aim("faithful", "psnr", least=25.2),
    Aim("faithful", "ssim", least=0.665),
    Aim("faithful", "lpips", most=0.082),
    Aim("faithful", "realism", least=0.7),
    Aim("faithful", "mean_image_psnr", least=26.0),
    Aim("combined", "realism", least=0.5),
    Aim("combined", "not_found", most=5),
    Aim("combined", "distance", least=14),
    Aim("combined", "lpips", most=0.12),
    *(
        claim
        for row in ("explore", "faithful")
        for claim in (
            Comparison(f"the PSNR of a sample of `{row}` minus that of `bicubic`, dB: above 0",
                       row, "bicubic", "psnr", np.subtract, above=0),
            Comparison(f"the LPIPS of `{row}` / that of `bicubic`: below a quarter",
                       row, "bicubic", "lpips", np.divide, below=0.25),
        )
    ),
)  # fmt: skip
"""What is claimed of the rows of the main table."""

FEW_CLAIMS: tuple[Claim, ...] = (
    *(
        claim
        for row in ("ilo", "ilo_20")
        for other in (row.replace("ilo", "ilo_first_latent"),)
        for claim in (
            Comparison(f"the PSNR of `{row}` minus that of the first latent alone in as many passes, dB: above 0",
                       row, other, "psnr", np.subtract, above=0),
            Comparison(f"the LPIPS of `{row}` minus that of the first latent alone in as many passes: below 0",
                       row, other, "lpips", np.subtract, below=0),
        )
    ),
    *(
        Comparison(f"the {name} of `explore` minus that with eq. (1) at the same distance: {side} 0",
                   "explore", "explore_pairwise", name.lower(), np.subtract, **{side: 0})
        for name, side in (("PSNR", "above"), ("LPIPS", "below"), ("realism", "above"))
    ),
    Comparison("the PSNR of `resampling` minus that of `bicubic`, dB: above 0",
               "resampling", "bicubic", "psnr", np.subtract, above=0),
    Comparison("the distance under `batch_diversity` / that under `synthesis_noise` with std 1: above 3",
               "batch_diversity", "synthesis_noise_std_1", "distance", np.divide, above=3),
)  # fmt: skip
"""What is claimed of the rows of the second table."""
