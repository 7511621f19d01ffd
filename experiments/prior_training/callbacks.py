"""What happens beside the steps of a training: a progress bar, figures and sheets, and saving."""

import json
import signal
import time
from pathlib import Path
from types import FrameType
from typing import Any

import pytorch_lightning as pl
import torch
from figures import figures_of, generate
from sheets import tiled
from training import Training

from multimodal_pulse.base.files import atomic_file
from multimodal_pulse.base.progress_bar import progress_bar
from multimodal_pulse.generator import save_generator
from multimodal_pulse.interface.signals import ENDING
from multimodal_pulse.references.pixels import to_pil

SHEET = range(32)
"""The seeds of a sheet."""


class Progress(pl.Callback):
    """A bar of the images seen, which begins where the training resumes."""

    def on_train_start(self, trainer: pl.Trainer, training: Any) -> None:
        self._bar = progress_bar(total=training.images, initial=training.seen, unit="image", smoothing=0.02)

    def on_train_batch_end(self, trainer: pl.Trainer, training: Any, *batch: Any) -> None:
        self._bar.update(training.seen - self._bar.n)

    def on_train_end(self, trainer: pl.Trainer, training: Any) -> None:
        self._bar.close()


class Evaluate(pl.Callback):
    """Appends a line of figures to `log.jsonl`, and draws a sheet of seeds 0 to 31, every so many images.

    Args:
        folder: where they are written.
        every: images between two of them.
        real: what generated pictures are compared with, as many of them, [n, 3, R, R] in [0, 1].
    """

    def __init__(self, folder: Path, every: int, real: torch.Tensor) -> None:
        self._folder, self._every, self._real = folder, every, real

    def on_train_start(self, trainer: pl.Trainer, training: Any) -> None:
        self._figures = figures_of(self._real, "alexnet", training.device)

    def on_train_batch_end(self, trainer: pl.Trainer, training: Any, outputs: Any, batch: torch.Tensor, _: int) -> None:
        if training.seen // self._every == (training.seen - len(batch)) // self._every:
            return
        images = generate(training.average, range(max(len(self._real), len(SHEET))), training.device)
        line = {"images": training.seen, "processor_seconds": round(training.seconds)}
        line |= self._figures(images[: len(self._real)])
        with (self._folder / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")
        with atomic_file(self._folder / f"sheet-{training.seen:08d}.png") as partial:
            to_pil(tiled(images[: len(SHEET)], columns=8, between=0.0)).save(partial, format="PNG")


class Keep(pl.Callback):
    """Saves the training every so many seconds and at its end; a signal to stop ends it after the step at hand.

    A second signal ends the program at once: what was saved before is whole.

    Args:
        folder: of `resume.pt` and of the snapshot of the moving average.
        snapshot: the name of the latter.
        settings: what a continuation must have in common with this training, by name; it is kept in the file.
        seconds: between two saves.

    Attributes:
        stopped: the number of the signal that ended the training; None: none did.
    """

    def __init__(self, folder: Path, snapshot: str, settings: dict[str, Any], seconds: float) -> None:
        self._folder, self._snapshot, self._settings, self._seconds = folder, folder / snapshot, settings, seconds
        self.stopped: int | None = None
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, *ENDING)}
        # A signal that is ignored (by nohup) stays so.
        self._former = {number: handler for number, handler in handlers.items() if handler is not signal.SIG_IGN}

    def on_train_start(self, trainer: pl.Trainer, training: Any) -> None:
        self._saved_at = time.monotonic()
        for number in self._former:  # only now, since Lightning has set its own
            signal.signal(number, self._stop)

    def on_train_batch_end(self, trainer: pl.Trainer, training: Any, *batch: Any) -> None:
        if self.stopped is not None:
            trainer.should_stop = True
        elif time.monotonic() - self._saved_at > self._seconds:
            self.save(training)

    def on_train_end(self, trainer: pl.Trainer, training: Any) -> None:
        self.save(training)
        self._release()

    def on_exception(self, trainer: pl.Trainer, training: Any, exception: BaseException) -> None:
        self._release()

    def save(self, training: Training) -> None:
        """Writes the state and the snapshot, each whole or not at all."""
        with atomic_file(self._folder / "resume.pt") as partial:
            torch.save({**training.state(), "settings": self._settings}, partial)
        save_generator(training.average, self._snapshot)
        self._saved_at = time.monotonic()

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.stopped = number
        self._release()

    def _release(self) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)
