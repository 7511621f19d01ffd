"""The progress bar of a run: references done, step, fidelity, time left."""

import sys
from collections.abc import Callable
from typing import Any, TextIO

import lightning
from tqdm import tqdm

from multimodal_pulse.latent_optimization import LatentOptimization

# Reading the fidelity waits for the device, so it is read this seldom.
_STEPS_PER_READING = 10


class _Lines(tqdm):
    """A bar for a file or a pipe: a line for each update, where a terminal's bar would go back in its own."""

    disable: bool

    @staticmethod
    def status_printer(file: TextIO) -> Callable[[str], None]:
        """What tqdm draws with."""
        return lambda text: print(text, file=file, flush=True)

    def close(self) -> None:
        """Writes where the run stands, at most once."""
        if not self.disable:
            self.display()
            self.disable = True
            self._decr_instances(self)


class SearchProgress(lightning.Callback):
    """One line on stderr for the whole run; where stderr is no terminal, a line every few seconds."""

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Opens the bar at 0 of all steps of all groups."""
        search = _search(pl_module)
        self._references = sum(len(group) for group in search.groups)
        terminal = sys.stderr.isatty()
        self._bar = (tqdm if terminal else _Lines)(
            desc=f"0/{self._references} references",
            total=len(search.groups) * search.steps,
            file=sys.stderr,
            mininterval=0.1 if terminal else 5.0,
            dynamic_ncols=True,
            bar_format="{desc} |{bar:20}| {percentage:3.0f}%{postfix}, {remaining} left",
        )

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Counts the references done."""
        done = sum(len(group) for group in _search(pl_module).groups[: trainer.current_epoch])
        self._describe(done)

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Counts the step, and now and then reads the fidelity, its mean over the group's samples."""
        step, steps = batch_idx + 1, _search(pl_module).steps
        if batch_idx % _STEPS_PER_READING == 0 or step == steps:
            self._fidelity = outputs["fidelity"].mean().item()
        self._bar.set_postfix_str(f"step {step}/{steps}, fidelity {self._fidelity:.1e}", refresh=False)
        self._bar.update()

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Closes the bar."""
        self._describe(self._references)
        self._bar.close()

    def on_exception(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, exception: BaseException
    ) -> None:
        """Closes the bar where it stands, so that a message does not land in its line."""
        if hasattr(self, "_bar"):
            self._bar.close()

    def _describe(self, done: int) -> None:
        self._bar.set_description_str(f"{done}/{self._references} references", refresh=False)


def _search(module: lightning.LightningModule) -> LatentOptimization:
    assert isinstance(module, LatentOptimization)
    return module
