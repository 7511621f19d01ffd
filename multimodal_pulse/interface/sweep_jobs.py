"""What the jobs of a sweep tell the process that makes the common table, wherever a launcher runs them."""

import json
import shutil
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from hydra.core.singleton import Singleton
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from multimodal_pulse.base.files import write_atomic
from multimodal_pulse.configuration.compose import Job
from multimodal_pulse.interface.sweep_table import EndedJob

LOST = "did not end: its process was ended, or the launcher lost it"
"""The error of a job that has begun and has said nothing since."""


class CommandLine(metaclass=Singleton):
    """What all processes of a command know. Hydra's launchers copy its singletons to the processes that they start,
    also on other machines, where the environment may differ.

    Attributes:
        arguments: the arguments of the command.
        sweep: the folder of its sweep; None for a single run, or before it is known.
        name: a name that no other command has.
    """

    def __init__(self) -> None:
        self.begin([])

    def begin(self, arguments: Sequence[str]) -> None:
        """Begins a command."""
        self.arguments = list(arguments)
        self.sweep: Path | None = None
        self.name = uuid.uuid4().hex


class RememberSweep(Callback):
    """Tells the command where its sweep lies; Hydra calls it before it gives the jobs to a launcher."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Keeps the folder of the sweep."""
        CommandLine().sweep = Path(config.hydra.sweep.dir)


def leave(ended: EndedJob, number: int) -> None:
    """Writes a job to a hidden folder of the sweep, for the process that makes the table.

    A job that only begins is left with the error `LOST`, and replaced when it has ended.

    Args:
        ended: the job.
        number: its number in the sweep, from 0.
    """
    assert ended.job.sweep is not None
    folder = _folder(ended.job.sweep)
    content = {
        "run_dir": str(ended.job.run_dir),
        "method": ended.job.choices["method"],
        "own": list(ended.own),
        "metrics": ended.metrics,
        "error": ended.error,
    }
    with suppress(OSError):  # a full disk, which is not the reason that a user should see
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(folder / f"{number}.json", json.dumps(content))


def collect() -> list[EndedJob]:
    """Returns the jobs that were left in the sweep of this command, in order, and removes what they left."""
    sweep = CommandLine().sweep
    if sweep is None or not _folder(sweep).is_dir():
        return []
    jobs = []
    for path in sorted(_folder(sweep).glob("[0-9]*.json"), key=lambda path: int(path.stem)):
        content = json.loads(path.read_text(encoding="utf-8"))
        job = Job(Path(content["run_dir"]), {"method": content["method"]}, content["own"], sweep)
        jobs.append(EndedJob(job, content["own"], content["metrics"], content["error"]))
    shutil.rmtree(_folder(sweep))
    return jobs


def _folder(sweep: Path) -> Path:
    return sweep / f".jobs-{CommandLine().name}"
