"""Measures the time of a search's steps."""

import time
from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl

from multimodal_pulse.search.latent_optimization import LatentOptimization


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
