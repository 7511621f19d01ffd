"""Estimates the time of a whole run from a few steps of its first group, for `dry_run=true`."""

import time
from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl

from multimodal_pulse.search.baselines import BicubicSearch
from multimodal_pulse.search.latent_optimization import LatentOptimization, Recorder
from multimodal_pulse.search.outcome import Outcome

STEPS = 20
"""Steps of a trial; fewer if the run has fewer."""


@dataclass(frozen=True)
class Timing:
    """The parts of a run's wall time, in seconds.

    Attributes:
        once: the time before the first step, and the extra time of the first step and the first scores of a process.
        step: the time of one step, per reference of its group.
        reference: the time of each reference besides its steps: draws, scores and files.
    """

    once: float
    step: float
    reference: float

    def seconds(self, references: int, steps: int) -> float:
        """Estimates the seconds of a run of `references` references, in groups like the measured one."""
        return self.once + references * (steps * self.step + self.reference)


@dataclass(frozen=True)
class Lap:
    """The measured steps of one group.

    Attributes:
        references: the number of references in the group.
        seconds: the time of all steps.
        step: the mean time of a step without the first one, which also prepares the others (of the first if it is
            the only one).
        first: the extra time of the first step.
    """

    references: int
    seconds: float
    step: float
    first: float


class Stopwatch(pl.Callback):
    """Times the steps of each group, except groups that did not fit into memory.

    It must come after a callback that waits for the device at the first and the last step (`SearchProgress`).
    """

    def __init__(self) -> None:
        self.laps: list[Lap] = []
        self._begun, self._ends = 0.0, list[float]()

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Reads the clock at the start of a group's first step."""
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
        """Reads the clock at the end of a step."""
        self._ends.append(time.perf_counter())

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stores the times of a finished group."""
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
    """Runs a search and measures the parts of its time.

    Args:
        search: the search of one group, with the steps of the trial.
        once: the seconds that a run takes before the search.
        rehearsal: gets each outcome before the recorder, since the first scores of a process take longer.
        recorder: the recorder to be timed.
        callbacks: callbacks of the search, including `SearchProgress`.
        trainer_options: the arguments of `search.run`.
    """
    watch = Stopwatch()
    outcomes = 0
    searching = rehearsing = recording = 0.0

    def record_timed(outcome: Outcome) -> None:
        nonlocal outcomes, searching, rehearsing, recording
        begun = time.perf_counter()
        rehearsal(outcome)
        rehearsed = time.perf_counter()
        recorder(outcome)
        rehearsing, recording = rehearsing + rehearsed - begun, recording + time.perf_counter() - rehearsed
        outcomes, searching = outcomes + 1, searching + outcome.seconds

    search.run(record_timed, callbacks=[*callbacks, watch], **trainer_options)
    stepping = sum(lap.seconds for lap in watch.laps)
    timed = sum(lap.references for lap in watch.laps)
    return Timing(
        once=once + sum(lap.first for lap in watch.laps) + max(0.0, rehearsing - recording),
        step=sum(lap.step for lap in watch.laps) / timed if timed else 0.0,
        reference=(searching - stepping + recording) / outcomes,
    )
