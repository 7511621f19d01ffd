"""Where a run is tracked: nowhere, or in a CSV file; `wandb_tracker` has Weights & Biases.

All trackers have the same methods, so that a run need not know which one it has:

    with CsvTracker(run_dir) as tracker:
        tracker.log_step(label, step, {"fidelity": 0.01})    # at each step of a group
        tracker.end_group()                                  # after its last step
        tracker.log_reference(scores, samples, pages)        # when a reference is finished
        tracker.log_tables(entries, metrics)                 # once, at the end

A tracker writes nothing before its block is entered. Leaving the block closes it, also after an error.
"""

import csv
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from PIL import Image
from torch import Tensor

from multimodal_pulse.base.files import atomic_file, full_disk_named
from multimodal_pulse.metrics.evaluation import Scores

log = logging.getLogger(__name__)


class NullTracker(AbstractContextManager["NullTracker"]):
    """Tracks nothing; the base of the others.

    Args:
        run_dir: the run directory, to which everything is written.
        config: the configuration of the run, as plain containers.
        group: the name shared by the runs of a sweep; None for a single run.
    """

    def __init__(self, run_dir: str | Path, config: Mapping[str, Any] | None = None, group: str | None = None) -> None:
        self.run_dir = Path(run_dir)

    def log_step(self, label: str, step: int, values: Mapping[str, float]) -> None:
        """Logs one point of each curve of a group.

        Args:
            label: the name of the group, which is the same when an interrupted run is resumed.
            step: the step of the search, from 0.
            values: by name of the curve, its value.
        """

    def end_group(self) -> None:
        """Ends the curves of a group; the folders of its references are written after this."""

    def log_reference(self, scores: Scores, samples: Tensor, pages: Mapping[str, Image.Image]) -> None:
        """Logs the gallery of a finished reference.

        Args:
            scores: from `metrics.evaluate`.
            samples: [K, 3, R, R] in [0, 1]; NaN is black.
            pages: the pictures for people by file name, such as grid.png.
        """

    def log_tables(self, entries: Sequence[Mapping[str, Any]], metrics: Mapping[str, Any]) -> None:
        """Logs the tables and the summary of a run, at its end.

        Args:
            entries: the record.json of each finished reference, in order.
            metrics: the content of metrics.json.
        """

    def close(self) -> None:
        """Writes what is not written yet and ends the tracking; further calls do nothing."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class ForgivingTracker(NullTracker):
    """Another tracker, whose failure ends the tracking and not the run: the first one is a warning.

    Entering the block still raises: what a tracker refuses then can be mended before anything is searched.

    Args:
        tracker: the other tracker.
    """

    def __init__(self, tracker: NullTracker) -> None:
        super().__init__(tracker.run_dir)
        self.tracker = tracker
        self._failed = False

    def __enter__(self) -> Self:
        self.tracker.__enter__()
        return self

    def log_step(self, label: str, step: int, values: Mapping[str, float]) -> None:
        self._attempt(lambda: self.tracker.log_step(label, step, values))

    def end_group(self) -> None:
        self._attempt(self.tracker.end_group)

    def log_reference(self, scores: Scores, samples: Tensor, pages: Mapping[str, Image.Image]) -> None:
        self._attempt(lambda: self.tracker.log_reference(scores, samples, pages))

    def log_tables(self, entries: Sequence[Mapping[str, Any]], metrics: Mapping[str, Any]) -> None:
        self._attempt(lambda: self.tracker.log_tables(entries, metrics))

    def close(self) -> None:
        self._attempt(self.tracker.close, even_so=True)  # so that what was logged before a failure is kept

    def _attempt(self, log_something: Callable[[], None], even_so: bool = False) -> None:
        """Does it, unless something has failed before; `even_so`: in that case too."""
        if self._failed and not even_so:
            return
        try:
            log_something()
        except Exception as error:  # of a library that talks to another process and to the network
            if not self._failed:
                reason = " ".join(f"{type(error).__name__}: {error}".split())
                log.warning("The tracking has failed and is incomplete (%s); the results stand.", reason)
            self._failed = True


class CsvTracker(NullTracker):
    """Writes the curves to curves.csv in the run directory, with a line for each step of each group.

    The columns are `references`, the label of the group, `step`, and one for each curve. The lines of a group are
    appended when it ends, so only one group is in memory. A run that is resumed keeps the existing lines, except those
    of a group that it searches again.

    It logs no gallery and no table: the pictures and records.jsonl are in the run directory already.
    """

    def __init__(self, run_dir: str | Path, config: Mapping[str, Any] | None = None, group: str | None = None) -> None:
        super().__init__(run_dir, config, group)
        self._path = self.run_dir / "curves.csv"
        self._earlier: set[str] = set()
        self._label = ""
        self._rows: list[dict[str, str | float]] = []

    def __enter__(self) -> Self:
        if self._path.exists():
            self._earlier = self._rewrite()
        return self

    def log_step(self, label: str, step: int, values: Mapping[str, float]) -> None:
        if label != self._label:
            self.close()
            self._label = label
        self._rows.append({"references": label, "step": step, **values})

    def end_group(self) -> None:
        self.close()  # before a folder of the group exists: a kill in between must not lose its curves

    def close(self) -> None:
        if not self._rows:
            return
        if self._label in self._earlier:
            self._earlier = self._rewrite(without=self._label)
        begun = self._path.exists() and self._path.stat().st_size > 0
        self.run_dir.mkdir(parents=True, exist_ok=True)
        # Appended in place: a copy for each group would cost the square of the number of groups.
        with (
            full_disk_named(self._path, self._path),
            self._path.open("a", encoding="utf-8", newline="") as file,
        ):
            writer = csv.DictWriter(file, list(self._rows[0]), lineterminator="\n")
            if not begun:
                writer.writeheader()
            writer.writerows(self._rows)
        self._rows = []

    def _rewrite(self, without: str | None = None) -> set[str]:
        """Removes the lines of a group, and a line that a kill has cut short; returns the remaining labels."""
        labels = set()
        with (
            self._path.open(encoding="utf-8", newline="") as file,
            atomic_file(self._path) as partial,
            partial.open("w", encoding="utf-8", newline="") as kept,
        ):
            whole = (line for line in file if line.endswith("\n"))
            kept.write(next(whole, ""))  # the header
            for line in whole:
                label = line.partition(",")[0]
                if label != without:
                    labels.add(label)
                    kept.write(line)
        return labels
