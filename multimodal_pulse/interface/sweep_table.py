"""The common table of a sweep: a line for each of its jobs, on the screen and in `sweep.csv`."""

import csv
import io
import os.path
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from multimodal_pulse.base.files import remove_partial, write_atomic
from multimodal_pulse.configuration.compose import Job
from multimodal_pulse.interface.messages import STOPPED
from multimodal_pulse.results.tables import COLUMNS, LEGEND, cells, line, measures


@dataclass(frozen=True)
class EndedJob:
    """A job of a sweep that has ended.

    Attributes:
        job: the job.
        own: the overrides that the sweep chose for it.
        metrics: the content of metrics.json; None for a job that failed or was stopped.
        error: one line that says why there is none, or why it lacks some references; `STOPPED` after Ctrl-C or SIGTERM,
            "" for a job that did everything.
    """

    job: Job
    own: Sequence[str]
    metrics: Mapping[str, Any] | None = None
    error: str = ""


SWEEP_FILE = "sweep.csv"


CSV_COLUMNS = ("psnr", "ssim", "lpips", "realism", "lr_psnr", "lr_psnr_worst", "distance", "seconds")
"""The columns of scores in sweep.csv."""


class SweepReport:
    """The results of a sweep. `str()` gives a table with a row for each job: means over references, as in the last row
    of a run's table, and the seconds per reference.

    Args:
        folder: the folder of the sweep.
        jobs: the jobs that have ended, in order, also failed ones.
    """

    def __init__(self, folder: Path, jobs: Sequence[EndedJob]) -> None:
        self._folder = folder
        self._jobs = jobs

    def __str__(self) -> str:
        rows = [(f"{number} {_job_in_words(ended)}", _of_job(ended)) for number, ended in enumerate(self._jobs)]
        width = max(len(name) for name, _ in rows)
        table = [line(name, values, width) for name, values in rows]
        where = f"sweep:   {self._folder}, with this table in {SWEEP_FILE}"
        return "\n".join([line("job", COLUMNS, width), *table, LEGEND, where])

    def write(self) -> None:
        """Writes sweep.csv: the table, with the jobs' folders, a column for each swept key, and the errors."""
        chosen = [dict(override.partition("=")[::2] for override in ended.own) for ended in self._jobs]
        keys = list(dict.fromkeys(key for of_job in chosen for key in of_job))
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["job", "folder", *keys, *CSV_COLUMNS, "error"])
        for number, (ended, of_job) in enumerate(zip(self._jobs, chosen, strict=True)):
            scores = [""] * len(CSV_COLUMNS) if ended.metrics is None else measures(ended.metrics)
            folder = os.path.relpath(ended.job.run_dir, self._folder)
            writer.writerow([number, folder, *(of_job.get(key, "") for key in keys), *scores, ended.error])
        remove_partial(self._folder)
        write_atomic(self._folder / SWEEP_FILE, text.getvalue())


def _job_in_words(ended: EndedJob) -> str:
    return " ".join(ended.own) or f"method={ended.job.choices['method']}"


def _of_job(ended: EndedJob) -> list[str]:
    if ended.metrics is None:
        return [STOPPED if ended.error == STOPPED else "failed"]
    return cells(*measures(ended.metrics))
