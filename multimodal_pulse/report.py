"""What a run says on the terminal: notices while it works, and a short table with the path of a picture at its end.

A sweep has one more table, of all its runs, which is also a file.
"""

import csv
import io
import os.path
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from multimodal_pulse.files import write_atomic
from multimodal_pulse.job import STOPPED, EndedJob
from multimodal_pulse.metrics.evaluation import OK_LR_PSNR_DB
from multimodal_pulse.records import read_records
from multimodal_pulse.references import References

SWEEP_FILE = "sweep.csv"

MOST_ROWS = 10
"""References the table has a row for; of more it shows the first ones, and the mean of all."""

COLUMNS = ("PSNR", "SSIM", "LPIPS", "LR-PSNR", "worst", "distance", "seconds")
CSV_COLUMNS = ("psnr", "ssim", "lpips", "lr_psnr", "lr_psnr_worst", "distance", "seconds")
"""The same, in sweep.csv."""
LEGEND = (
    f"PSNR and LR-PSNR in dB; a sample counts as faithful from {OK_LR_PSNR_DB:.0f} dB of LR-PSNR upwards;"
    " distance: RMS between samples, 0 to 255"
)


@dataclass(frozen=True)
class Report:
    """A run's end. `str()` of it is the table.

    Attributes:
        run_dir: the run directory.
        title: of the table.
        entries: the record.json of each finished reference, in order.
        metrics: the content of metrics.json.
    """

    run_dir: Path
    title: str
    entries: Sequence[Mapping[str, Any]]
    metrics: Mapping[str, Any]

    @property
    def records(self) -> list[Mapping[str, Any]]:
        """The lines of records.jsonl."""
        return [record for entry in self.entries for record in entry["records"]]

    def __str__(self) -> str:
        rows = [(entry["reference"], _of_reference(entry)) for entry in self.entries[:MOST_ROWS]]
        if len(self.entries) > 1:
            rows.append((f"mean of {len(self.entries)}", _cells(*_measures(self.metrics))))
        width = max(len(name) for name, _ in [*rows, (self.title, ())])
        table = [_line(name, cells, width) for name, cells in rows]
        if (more := len(self.entries) - MOST_ROWS) > 0:
            table.insert(MOST_ROWS, f"... and {more} more in records.jsonl")
        faithful, samples = self.metrics["status"]["ok"], self.metrics["num_records"]
        verdict = f"faithful: {faithful} of {samples} samples (LR-PSNR of at least {OK_LR_PSNR_DB:.0f} dB)"
        lines = [_line(self.title, COLUMNS, width), *table, LEGEND, verdict]
        if self.entries:
            lines.append(f"picture: {self.run_dir / 'references' / self.entries[0]['reference'] / 'grid.png'}")
        return "\n".join([*lines, f"run:     {self.run_dir}"])


def report(run_dir: Path, title: str, names: Sequence[str], metrics: Mapping[str, Any]) -> Report:
    """The report on the references of `names` that are finished."""
    return Report(run_dir, title, read_records(run_dir, names), metrics)


class SweepReport:
    """The end of a sweep. `str()` of it is a table with a row for each job: means over references, as in a run's last
    row, and the seconds of one reference.

    Args:
        folder: of the sweep.
        jobs: those that have ended, in order; failed ones too.
    """

    def __init__(self, folder: Path, jobs: Sequence[EndedJob]) -> None:
        self._folder = folder
        self._jobs = jobs

    def __str__(self) -> str:
        rows = [(f"{number} {_job_in_words(ended)}", _of_job(ended)) for number, ended in enumerate(self._jobs)]
        width = max(len(name) for name, _ in rows)
        table = [_line(name, cells, width) for name, cells in rows]
        where = f"sweep:   {self._folder}, with this table in {SWEEP_FILE}"
        return "\n".join([_line("job", COLUMNS, width), *table, LEGEND, where])

    def write(self) -> None:
        """Writes sweep.csv: the table with a column for each key that differs, the jobs' folders, and what failed."""
        chosen = [dict(override.partition("=")[::2] for override in ended.own) for ended in self._jobs]
        keys = list(dict.fromkeys(key for of_job in chosen for key in of_job))
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["job", "folder", *keys, *CSV_COLUMNS, "error"])
        for number, (ended, of_job) in enumerate(zip(self._jobs, chosen, strict=True)):
            measures = [""] * len(CSV_COLUMNS) if ended.metrics is None else _measures(ended.metrics)
            folder = os.path.relpath(ended.job.run_dir, self._folder)
            writer.writerow([number, folder, *(of_job.get(key, "") for key in keys), *measures, ended.error])
        write_atomic(self._folder / SWEEP_FILE, text.getvalue())


def _job_in_words(ended: EndedJob) -> str:
    return " ".join(ended.own) or f"method={ended.job.choices['method']}"


def _of_job(ended: EndedJob) -> list[str]:
    if ended.metrics is None:
        return [STOPPED if ended.error == STOPPED else "failed"]
    return _cells(*_measures(ended.metrics))


def say_resumed(finished: int, references: int) -> None:
    """Says on stderr how much of a run was finished before it began; nothing of a new one."""
    if finished and finished == references:
        print("note: everything was finished already; nothing to do", file=sys.stderr)
    elif finished:
        print(f"note: {finished} of {references} references were finished already", file=sys.stderr)


class Notices:
    """Says each notice of the references once; reading a picture may bring new ones."""

    def __init__(self, references: References) -> None:
        self._references = references
        self._said = 0

    def say(self) -> None:
        """Says the new ones, on stderr."""
        new = self._references.notices[self._said :]
        for notice in new:
            print(f"note: {notice}", file=sys.stderr)
        self._said += len(new)


def _of_reference(entry: Mapping[str, Any]) -> list[str]:
    records = entry["records"]
    means = [_mean([record[name] for record in records]) for name in ("psnr", "ssim", "lpips", "lr_psnr")]
    faithful = [record["lr_psnr"] for record in records if record["lr_psnr"] is not None]
    seconds = sum(record["seconds"] for record in records)
    return _cells(*means, min(faithful, default=None), entry["diversity"]["rms"], seconds)


def _measures(metrics: Mapping[str, Any]) -> list[float | None]:
    """The columns of a whole run; None where it has no reference that can be measured."""
    means = [metrics[name]["mean"] for name in ("psnr", "ssim", "lpips", "lr_psnr")]
    references = metrics["num_references"]
    seconds = metrics["seconds"] / references if references else None
    return [*means, metrics["lr_psnr"]["min"], metrics["diversity"]["rms"], seconds]


def _cells(*values: float | None) -> list[str]:
    places = (2, 3, 3, 1, 1, 1, 1)
    return ["-" if value is None else f"{value:.{n}f}" for value, n in zip(values, places, strict=True)]


def _mean(values: Sequence[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return sum(there) / len(there) if there else None


def _line(name: str, cells: Sequence[str], width: int) -> str:
    return name.ljust(width) + "".join(cell.rjust(10) for cell in cells)
