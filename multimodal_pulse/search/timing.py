"""Estimates the time of a whole run from a few steps of its first group, for `dry_run=true`."""

import time
from dataclasses import dataclass
from typing import Any

from multimodal_pulse.search.outcome import Outcome, Recorder, Search

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


def time_search(
    search: Search,
    once: float,
    rehearsal: Recorder,
    recorder: Recorder,
    *callbacks: Any,
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
    from multimodal_pulse.search.stopwatch import Stopwatch  # imports Lightning

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
