"""What a run prints: notices on stderr while it works, and a short table at its end."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from multimodal_pulse.base.errors import listed
from multimodal_pulse.base.faithfulness import OK_LR_PSNR_DB
from multimodal_pulse.base.files import short
from multimodal_pulse.configuration.overrides import as_argument
from multimodal_pulse.references import References
from multimodal_pulse.references.base import in_words
from multimodal_pulse.results.records import read_entries
from multimodal_pulse.results.tables import COLUMNS, LEGEND, MEANS, cells, line, measures
from multimodal_pulse.search.timing import Timing

MOST_ROWS = 10
"""The most references with a row of their own; of more, the first ones have one."""
MOST_REASONS = 3
"""The most references that a sentence names, and the most remarks that are printed; the others are counted."""


@dataclass(frozen=True)
class Report:
    """The results of a run; `str()` of it is the table.

    Attributes:
        run_dir: the run directory.
        title: the title of the table.
        entries: the record.json of each finished reference, in order.
        metrics: the content of metrics.json.
    """

    run_dir: Path
    title: str
    entries: Sequence[Mapping[str, Any]]
    metrics: Mapping[str, Any]

    @property
    def failure(self) -> str:
        """A sentence on the references that could not be used; "" if there are none."""
        unusable = list(self.metrics["unusable"])
        if not unusable:
            return ""
        return (
            f"{_counted(len(unusable), 'reference')} could not be used ({listed(unusable, MOST_REASONS)}):"
            f" {short(self.run_dir / 'metrics.json')} says why. Once they are mended, the same command in the same"
            " place searches them."
        )

    def __str__(self) -> str:
        rows = [(entry["reference"], _of_reference(entry)) for entry in self.entries[:MOST_ROWS]]
        if len(self.entries) > 1:
            rows.append((f"mean of {len(self.entries)}", cells(*measures(self.metrics))))
        width = max(len(name) for name, _ in [*rows, (self.title, ())])
        table = [line(name, values, width) for name, values in rows]
        if (more := len(self.entries) - MOST_ROWS) > 0:
            table.insert(MOST_ROWS, f"... and {more} more in records.jsonl")
        lines = [line(self.title, COLUMNS, width), *table, LEGEND, *self._verdicts(), *self._varied(), *self._remarks()]
        run_dir = short(self.run_dir)
        if self.entries:
            others = f", the others: {run_dir}/references/*/grid.png" if len(self.entries) > 1 else ""
            lines.append(f"picture: {run_dir / 'references' / self.entries[0]['reference'] / 'grid.png'}{others}")
        return "\n".join([*lines, f"run:     {run_dir}"])

    def _verdicts(self) -> list[str]:
        """Returns how many samples are faithful, and how many look like their domain if that was measured."""
        samples = self.metrics["num_records"]
        faithful = self.metrics["status"]["ok"]
        noisy = any(entry.get("noise", {}).get("std") for entry in self.entries)
        less = ", less where a reference has noise" * noisy
        lines = [f"faithful: {faithful} of {samples} samples (LR-PSNR of at least {OK_LR_PSNR_DB:.0f} dB{less})"]
        domains = [entry.get("realism_backbone", {}).get("domain") for entry in self.entries]
        if domain := next(filter(None, domains), None):
            verdicts = [record.get("realistic") for entry in self.entries for record in entry["records"]]
            like = verdicts.count(True)
            lines.append(f"realistic: {like} of {samples} samples (they look like {in_words(domain)})")
        return lines

    def _varied(self) -> list[str]:
        """Returns how far the samples of `method=vary` differ inside and outside of the mask; nothing for others."""
        spreads = [entry["vary"] for entry in self.entries if entry.get("vary")]
        return [
            f"spread: {_levels(spread['inside'])} inside of the mask, {_levels(spread['outside'])} outside, of 255 grey"
            " levels (standard deviation over the samples)"
            for spread in spreads
        ]

    def _remarks(self) -> list[str]:
        """Returns the remarks on the references, each once, with the references that it is about."""
        about: dict[str, list[str]] = {}
        for entry in self.entries:
            for remark in entry.get("remarks", ()):
                about.setdefault(remark, []).append(entry["reference"])
        everyone, more = len(self.entries), len(about) - MOST_REASONS
        lines = [
            f"note: {remark}" if len(names) == everyone else f"note: {listed(names, MOST_REASONS)}: {remark}"
            for remark, names in list(about.items())[:MOST_REASONS]
        ]
        return [*lines, *([f"note: {more} more in the record.json of each reference"] if more > 0 else [])]


@dataclass(frozen=True)
class Forecast(Report):
    """The result of a dry run, without entries; `str()` of it forecasts the time, memory and cost of the run.

    Attributes:
        num_samples: K.
        steps: the steps of each search.
        groups: the groups to search.
        shard: the shard that searches them, in words; "" for the whole run.
        timing: the measured times.
        memory: the peak memory of the trial, in bytes.
        device: the name of the device.
        price_per_hour: the price of the device; None: unknown.
    """

    num_samples: int
    steps: int
    groups: Sequence[Sequence[int]]
    shard: str
    timing: Timing
    memory: int
    device: str
    price_per_hour: float | None

    @property
    def seconds(self) -> float:
        """The estimated wall time of the whole run."""
        return self.timing.seconds(sum(map(len, self.groups)), self.steps)

    def __str__(self) -> str:
        references, groups = _counted(sum(map(len, self.groups)), "reference"), _counted(len(self.groups), "group")
        of_each = self.timing.seconds(1, self.steps) - self.timing.once
        hours = self.seconds / 3600
        price = self.price_per_hour
        money = "" if price is None else f", {hours * price:.2f} at {price:g} an hour"
        return "\n".join(
            [
                f"dry run: {self.title}, {references}{self.shard and f' ({self.shard})'} in {groups} of"
                f" {max(map(len, self.groups), default=0)}, {_counted(self.num_samples, 'sample')} of each,"
                f" {_counted(self.steps, 'step')}",
                f"time:    {duration(self.seconds)}: {self.timing.once:.0f} s once and {of_each:.2f} s for each"
                " reference, without tracking",
                f"memory:  {self.memory / 1e9:.2f} GB at the most",
                f"cost:    {hours:.2f} hours of {self.device}{money}",
                f"plan:    {short(self.run_dir / 'plan.json')}; the same command without dry_run=true and with"
                f" {as_argument('hydra.run.dir', str(short(self.run_dir)))} goes by it",
            ]
        )


def duration(seconds: float) -> str:
    """Formats seconds in at most two units, such as "3 h 05 min"."""
    if round(seconds) < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def report(run_dir: Path, title: str, names: Sequence[str], metrics: Mapping[str, Any]) -> Report:
    """Returns the report on the finished references among `names`."""
    return Report(run_dir, title, read_entries(run_dir, names), metrics)


def say_begun(run_dir: Path) -> None:
    """Prints the run directory to stderr, so that the run can be watched, stopped and resumed."""
    print(f"run: {short(run_dir)}", file=sys.stderr, flush=True)


def say_precision(precision: str, reason: str | None) -> None:
    """Prints to stderr the precision that was chosen for the search, and why; nothing if the user chose it."""
    if reason is not None:
        print(f"precision: {precision}, since {reason} (trainer.precision=... chooses another)", file=sys.stderr)


def say_resumed(finished: int, references: int, unusable: int = 0) -> None:
    """Prints to stderr how many references of a resumed run were finished already; nothing for a new run."""
    if finished and finished + unusable == references:
        everything = "everything else" if unusable else "everything"
        print(f"note: {everything} was finished already; nothing to do", file=sys.stderr)
    elif finished:
        print(f"note: {finished} of {references} references were finished already", file=sys.stderr)


def say_unusable(reasons: Mapping[str, str]) -> None:
    """Prints to stderr which references the run leaves out, and why; nothing if there are none."""
    if not reasons:
        return
    are = "is" if len(reasons) == 1 else "are"
    print(f"note: {_counted(len(reasons), 'reference')} cannot be used and {are} left out:", file=sys.stderr)
    for reason in list(reasons.values())[:MOST_REASONS]:
        print(f"  {reason}", file=sys.stderr)
    if (more := len(reasons) - MOST_REASONS) > 0:
        print(f"  and {more} more", file=sys.stderr)


class Notices:
    """Prints each notice of the references once; reading a picture may add new ones."""

    def __init__(self, references: References) -> None:
        self._references = references
        self._said = 0

    def say(self) -> None:
        """Prints the new notices to stderr."""
        new = self._references.notices[self._said :]
        for notice in new:
            print(f"note: {notice}", file=sys.stderr)
        self._said += len(new)


def _of_reference(entry: Mapping[str, Any]) -> list[str]:
    records = entry["records"]
    names = ["realistic" if name == "realism" else name for name in MEANS]
    means = [_mean([record.get(name) for record in records]) for name in names]
    faithful = [record["lr_psnr"] for record in records if record["lr_psnr"] is not None]
    seconds = sum(record["seconds"] for record in records)
    return cells(*means, min(faithful, default=None), entry["diversity"]["rms"], seconds)


def _levels(spread: float | None) -> str:
    return "-" if spread is None else f"{spread:.1f}"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _mean(values: Sequence[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return sum(there) / len(there) if there else None
