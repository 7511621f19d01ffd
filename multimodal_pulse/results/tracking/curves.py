"""Hands the curves of a search to the tracker: the loss and its terms at each step."""

from collections.abc import Callable, Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from multimodal_pulse.results.tracking.trackers import NullTracker
from multimodal_pulse.search.latent_optimization import LatentOptimization

# Reading a value waits for the device, so several steps are read at once.
_STEPS_PER_READING = 10


class Curves(pl.Callback):
    """Logs the values that each training step returns: those of single samples as their mean, sums over the group as
    they are. Samples that are no longer searched are in neither.

    Args:
        tracker: any tracker.
        label: returns the name of a group's curves.
    """

    def __init__(self, tracker: NullTracker, label: Callable[[Sequence[int]], str]) -> None:
        self._tracker = tracker
        self._label = label
        self._label_of_group = ""
        self._unread: list[dict[str, Tensor]] = []
        self._last_step = -1

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begins the curves of a group; unread points belong to one that did not fit into memory."""
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
        """Keeps one point of each curve, and logs the kept ones every few steps."""
        self._unread.append({name: term.mean() for name, term in outputs.items()})
        self._last_step = batch_idx
        if len(self._unread) == _STEPS_PER_READING:
            self._read()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Logs the last points of a group."""
        if self._unread:
            self._read()
        self._tracker.end_group()

    def _read(self) -> None:
        first_step = self._last_step + 1 - len(self._unread)
        columns = {name: torch.stack([point[name] for point in self._unread]).tolist() for name in self._unread[0]}
        for offset in range(len(self._unread)):
            values = {name: column[offset] for name, column in columns.items()}
            self._tracker.log_step(self._label_of_group, first_step + offset, values)
        self._unread = []
