"""The curves of a search: what each step returns, on its way to the tracker."""

from collections.abc import Callable, Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from multimodal_pulse.results.tracking.trackers import NullTracker
from multimodal_pulse.search.latent_optimization import LatentOptimization

# Reading a value waits for the device, so that many steps are read at once.
_STEPS_PER_READING = 10


class Curves(pl.Callback):
    """Hands the terms of each training step to the tracker: what each sample has, averaged over the group; the loss and
    the batch-diversity term, which are sums over the group, as they are.

    Args:
        tracker: any of the trackers.
        label: what the curves of a group are called.
    """

    def __init__(self, tracker: NullTracker, label: Callable[[Sequence[int]], str]) -> None:
        self._tracker = tracker
        self._label = label
        self._label_of_group = ""
        self._unread: list[dict[str, Tensor]] = []

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begins with a group; unread points are of one that did not fit into memory."""
        assert isinstance(pl_module, LatentOptimization)
        self._label_of_group = self._label(pl_module.groups[pl_module.position])
        self._unread = []

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Takes note of one point of each curve."""
        self._unread.append({name: term.mean() for name, term in outputs.items()})
        if len(self._unread) == _STEPS_PER_READING:
            self._read(batch_idx)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Hands over the last points of a group."""
        if self._unread:
            self._read(int(trainer.num_training_batches) - 1)
        self._tracker.end_group()

    def _read(self, last_step: int) -> None:
        first_step = last_step + 1 - len(self._unread)
        columns = {name: torch.stack([point[name] for point in self._unread]).tolist() for name in self._unread[0]}
        for offset in range(len(self._unread)):
            values = {name: column[offset] for name, column in columns.items()}
            self._tracker.log_step(self._label_of_group, first_step + offset, values)
        self._unread = []
