"""The curves of a search: what each step returns, on its way to the tracker."""

from collections.abc import Sequence
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from multimodal_pulse.tracking import NullTracker

# Reading a value waits for the device, so that many steps are read at once.
_STEPS_PER_READING = 10


class Curves(Callback):
    """Hands the terms of each training step to the tracker: what each sample has, averaged over the group; the loss and
    the batch-diversity term, which are sums over the group, as they are.

    Args:
        tracker: any of the trackers.
        labels: one for each epoch, that is for each group, in order.
    """

    def __init__(self, tracker: NullTracker, labels: Sequence[str]) -> None:
        self._tracker = tracker
        self._labels = labels
        self._unread: list[dict[str, Tensor]] = []

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Takes note of one point of each curve."""
        self._unread.append({name: term.mean() for name, term in outputs.items()})
        if len(self._unread) == _STEPS_PER_READING:
            self._read(trainer.current_epoch, batch_idx)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Hands over the last points of a group."""
        if self._unread:
            self._read(trainer.current_epoch, int(trainer.num_training_batches) - 1)

    def _read(self, epoch: int, last_step: int) -> None:
        first_step = last_step + 1 - len(self._unread)
        columns = {name: torch.stack([point[name] for point in self._unread]).tolist() for name in self._unread[0]}
        for offset in range(len(self._unread)):
            values = {name: column[offset] for name, column in columns.items()}
            self._tracker.log_step(self._labels[epoch], first_step + offset, values)
        self._unread = []
