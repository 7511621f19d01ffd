"""A run before it starts: its configuration, composed as on the command line, and where it goes."""

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
    """What a run has besides its configuration.

    Attributes:
        run_dir: the run directory.
        choices: the option chosen for each slot.
        overrides: as given on the command line.
        sweep: the folder of the sweep that the run is part of; None for a single run.
        started: when it began, by `time.perf_counter`.
    """

    run_dir: Path
    choices: Mapping[str, str]
    overrides: Sequence[str]
    sweep: Path | None = None
    started: float = field(default_factory=time.perf_counter, compare=False)


def compose_job(overrides: Sequence[str], run_dir: str | Path) -> tuple[DictConfig, Job]:
    """The configuration that `python run.py <overrides>` would run, and its job in `run_dir`.

    Raises:
        hydra.errors.HydraException: an unknown option or key, a value of another type, an override that does not parse.
    """
    register()
    with _own_hydra():
        cfg = compose("config", list(overrides), return_hydra_config=True)
    job = Job(Path(run_dir), dict(cfg.hydra.runtime.choices), list(cfg.hydra.overrides.task))
    with open_dict(cfg):
        del cfg["hydra"]
    return cfg, job


def compose_config(overrides: Sequence[str] = ()) -> DictConfig:
    """The configuration alone."""
    return compose_job(overrides, run_dir="")[0]


@contextmanager
def _own_hydra() -> Iterator[None]:
    """Hydra, set up for this program; one that is already set up (a notebook's, an application's) is put back."""
    outer = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            yield
    finally:
        GlobalHydra.instance().hydra = outer
