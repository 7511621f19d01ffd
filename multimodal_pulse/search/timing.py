"""What a whole run will take, from a few steps of its first group: the clock of `dry_run=true`."""

import time
from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl

from multimodal_pulse.search.baselines import BicubicSearch
from multimodal_pulse.search.latent_optimization import LatentOptimization, Recorder
from multimodal_pulse.search.outcome import Outcome

STEPS = 20
"""Of a trial; fewer where the run has fewer."""


@dataclass(frozen=True)
class Timing:
    """What a run's wall time is made of, in seconds.

    Attributes:
        once: before the first step, and what only the first step and the first scores of a process take.
        step: of one step, for each reference of its group.
        reference: what each reference takes besides steps: its draws, scores and files.
    """

    once: float
    step: float
    reference: float

    def seconds(self, references: int, steps: int) -> float:
        """Of a run of `references` in groups like the measured one."""
        return self.once + references * (steps * self.step + self.reference)


@dataclass(frozen=True)
class Lap:
    """A group's steps.

    Attributes:
        references: in the group.
        seconds: of all steps.
        step: of a step, the first one left out (unless there is no other), for it prepares what the others use.
        first: what the first step took more than that.
    """

    references: int
    seconds: float
    step: float
    first: float


class Stopwatch(pl.Callback):
    """Times the steps of each group; one that did not fit into memory is forgotten.

    It has to stand behind a callback that waits for the device at the first and the last step (`SearchProgress`).
    """

    def __init__(self) -> None:
        self.laps: list[Lap] = []
        self._begun, self._ends = 0.0, list[float]()

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Reads the clock when a group's first step begins."""
        if batch_idx == 0:
            self._begun, self._ends = time.perf_counter(), []

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Reads the clock when a step has ended."""
        self._ends.append(time.perf_counter())

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Sums a group up."""
        assert isinstance(pl_module, LatentOptimization)
        first, last, further = self._ends[0] - self._begun, self._ends[-1], len(self._ends) - 1
        step = (last - self._ends[0]) / further if further else first
        self.laps.append(Lap(len(pl_module.group), last - self._begun, step, max(0.0, first - step)))


def time_search(
    search: LatentOptimization | BicubicSearch,
    once: float,
    rehearsal: Recorder,
    recorder: Recorder,
    *callbacks: pl.Callback,
    **trainer_options: Any,
) -> Timing:
    """Runs a search and times its parts.

    Args:
        search: of one group, with the steps of the trial.
        once: seconds that a run takes before it.
        rehearsal: takes each outcome before the recorder does: the first scores of a process take longer.
        recorder: is timed.
        callbacks: of the search, `SearchProgress` among them.
        trainer_options: as for `search.run`.
    """
    watch = Stopwatch()
    outcomes = 0
    searching = rehearsing = recording = 0.0

    def record(outcome: Outcome) -> None:
        nonlocal outcomes, searching, rehearsing, recording
        begun = time.perf_counter()
        rehearsal(outcome)
        rehearsed = time.perf_counter()
        recorder(outcome)
        rehearsing, recording = rehearsing + rehearsed - begun, recording + time.perf_counter() - rehearsed
        outcomes, searching = outcomes + 1, searching + outcome.seconds

    search.run(record, callbacks=[*callbacks, watch], **trainer_options)
    stepping = sum(lap.seconds for lap in watch.laps)
    timed = sum(lap.references for lap in watch.laps)
    return Timing(
        once=once + sum(lap.first for lap in watch.laps) + max(0.0, rehearsing - recording),
        step=sum(lap.step for lap in watch.laps) / timed if timed else 0.0,
        reference=(searching - stepping + recording) / outcomes,
    )
