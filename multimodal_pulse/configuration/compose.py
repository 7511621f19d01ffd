"""Composes the configuration of a run as on the command line."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, open_dict

from multimodal_pulse.configuration.conf_folder import CONF
from multimodal_pulse.configuration.schema import register


@dataclass(frozen=True)
class Job:
    """The facts about a run that are not part of its configuration.

    Attributes:
        run_dir: the run directory.
        choices: the chosen option of each slot.
        overrides: the overrides of the command line.
        sweep: the folder of its sweep; None for a single run.
        started: the time at which it began, by `time.perf_counter`, in seconds.
    """

    run_dir: Path
    choices: Mapping[str, str]
    overrides: Sequence[str]
    sweep: Path | None = None
    started: float = field(default_factory=time.perf_counter, compare=False)


def compose_job(overrides: Sequence[str], run_dir: str | Path) -> tuple[DictConfig, Job]:
    """Returns the configuration that `python run.py <overrides>` would run, and its job in `run_dir`.

    Raises:
        hydra.errors.HydraException: an unknown option or key, a value of another type, an override that does not parse.
    """
    register()
    with own_hydra():
        cfg = compose("config", list(overrides), return_hydra_config=True)
    job = Job(Path(run_dir), dict(cfg.hydra.runtime.choices), list(cfg.hydra.overrides.task))
    with open_dict(cfg):
        del cfg["hydra"]
    return cfg, job


def compose_config(overrides: Sequence[str] = ()) -> DictConfig:
    """Returns the configuration alone."""
    return compose_job(overrides, run_dir="")[0]


@contextmanager
def own_hydra() -> Iterator[None]:
    """Sets Hydra up for this program, and afterwards as it was before, in a notebook or an application."""
    outer = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            yield
    finally:
        GlobalHydra.instance().hydra = outer
