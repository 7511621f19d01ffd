"""The progress bar of a run: finished references, step, fidelity, remaining time."""

import sys
from typing import Any

import pytorch_lightning as pl

from multimodal_pulse.base.progress_bar import progress_bar
from multimodal_pulse.search.latent_optimization import LatentOptimization

# Reading the fidelity waits for the device, so it is read only every so many steps.
_STEPS_PER_READING = 10


class SearchProgress(pl.Callback):
    """Shows one line on stderr for the whole run; if stderr is not a terminal, a new line every few seconds."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Opens the bar; a search that continues with a halved group starts at that group."""
        search = _search(pl_module)
        self._references = sum(len(group) for group in search.groups)
        self._bar = progress_bar(
            desc=f"{self._done(search)}/{self._references}",
            initial=search.position * search.steps,
            total=len(search.groups) * search.steps,
            bar_format="{desc} references |{bar:20}| {percentage:3.0f}%, {remaining} left",
        )

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Shows the number of finished references."""
        self._describe(self._done(_search(pl_module)))
        self._catch_up(_search(pl_module))

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Counts the step; every tenth step it also reads the fidelity, the mean over the group's samples."""
        step, steps = batch_idx + 1, _search(pl_module).steps
        if batch_idx % _STEPS_PER_READING == 0 or step == steps:
            self._fidelity = outputs["fidelity"].mean().item()
        self._show(f", step {step}/{steps}", f", fidelity {self._fidelity:.1e}")
        self._bar.update()

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Closes the bar."""
        self._describe(self._references)
        self._catch_up(_search(pl_module))
        self._bar.close()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Closes the bar, so that an error message begins on its own line."""
        if hasattr(self, "_bar"):
            self._bar.close()

    def _show(self, step: str, fidelity: str) -> None:
        """Lays out the bar; a narrow terminal has less of it, but always the references, the step and the time left."""
        layouts = (
            "{desc} references |{bar:20}| {percentage:3.0f}%" + step + fidelity + ", {remaining} left",
            "{desc} references, {percentage:3.0f}%" + step + ", {remaining} left",
            "{desc}" + step + ", {remaining} left",
        )
        columns = self._bar.format_dict["ncols"] or sys.maxsize  # a line of a file has no end
        longest = {"desc": self._bar.desc, "bar": "", "percentage": 100, "remaining": "00:00:00"}
        fitting = (layout for layout in layouts if len(layout.format(**longest)) < columns)
        self._bar.bar_format = next(fitting, layouts[-1])

    def _done(self, search: LatentOptimization) -> int:
        return sum(len(group) for group in search.groups[: search.position])

    def _catch_up(self, search: LatentOptimization) -> None:
        """Counts the steps that a group did not need."""
        self._bar.update(search.position * search.steps - self._bar.n)

    def _describe(self, done: int) -> None:
        self._bar.set_description_str(f"{done}/{self._references}", refresh=False)


def _search(module: pl.LightningModule) -> LatentOptimization:
    assert isinstance(module, LatentOptimization)
    return module
