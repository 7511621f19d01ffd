"""What a run says on the terminal: notices while it works, and a short table with the path of a picture at its end."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from multimodal_pulse.files import short
from multimodal_pulse.records import read_records
from multimodal_pulse.references import References
from multimodal_pulse.tables import COLUMNS, LEGEND, cells, line, measures
from multimodal_pulse.verdict import OK_LR_PSNR_DB

MOST_ROWS = 10
"""References the table has a row for; of more it shows the first ones, and the mean of all."""


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
            rows.append((f"mean of {len(self.entries)}", cells(*measures(self.metrics))))
        width = max(len(name) for name, _ in [*rows, (self.title, ())])
        table = [line(name, values, width) for name, values in rows]
        if (more := len(self.entries) - MOST_ROWS) > 0:
            table.insert(MOST_ROWS, f"... and {more} more in records.jsonl")
        faithful, samples = self.metrics["status"]["ok"], self.metrics["num_records"]
        verdict = f"faithful: {faithful} of {samples} samples (LR-PSNR of at least {OK_LR_PSNR_DB:.0f} dB)"
        lines = [line(self.title, COLUMNS, width), *table, LEGEND, verdict]
        run_dir = short(self.run_dir)
        if self.entries:
            others = f", the others: {run_dir}/references/*/grid.png" if len(self.entries) > 1 else ""
            lines.append(f"picture: {run_dir / 'references' / self.entries[0]['reference'] / 'grid.png'}{others}")
        return "\n".join([*lines, f"run:     {run_dir}"])


def report(run_dir: Path, title: str, names: Sequence[str], metrics: Mapping[str, Any]) -> Report:
    """The report on the references of `names` that are finished."""
    return Report(run_dir, title, read_records(run_dir, names), metrics)


def say_begun(run_dir: Path) -> None:
    """Says on stderr where the run goes, for whoever wants to look, or to stop it and go on later."""
    print(f"run: {short(run_dir)}", file=sys.stderr, flush=True)


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
    return cells(*means, min(faithful, default=None), entry["diversity"]["rms"], seconds)


def _mean(values: Sequence[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return sum(there) / len(there) if there else None
