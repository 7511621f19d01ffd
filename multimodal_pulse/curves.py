"""The curves of a search: what each step returns, on its way to the tracker."""

from collections.abc import Mapping, Sequence

import lightning
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from multimodal_pulse.tracking import NullTracker


class Curves(Callback):
    """Hands the terms of each training step to the tracker, averaged over the group's samples.

    Args:
        tracker: any of the trackers.
        labels: one for each epoch, that is for each group, in order.
    """

    def __init__(self, tracker: NullTracker, labels: Sequence[str]) -> None:
        self._tracker = tracker
        self._labels = labels

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Mapping[str, Tensor],  # type: ignore[override]
        batch: int,
        batch_idx: int,
    ) -> None:
        """One point of each curve."""
        values = {name: term.mean().item() for name, term in outputs.items()}
        self._tracker.log_step(self._labels[trainer.current_epoch], batch_idx, values)
