"""A run before it starts: its configuration, composed as on the command line, and where it goes."""

import re
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from hydra import compose, initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf, open_dict

from multimodal_pulse.config import register
from multimodal_pulse.errors import UserError
from multimodal_pulse.files import short, write_atomic

CONFIG_MODULE = "multimodal_pulse.conf"
CONFIG_FILE = "config.yaml"
OVERRIDES_FILE = "overrides.yaml"
MOST_DIFFERENCES = 3
"""Keys that a refusal names; it counts the others."""
PLACE_KEYS = frozenset({"trainer.device", "trainer.price_per_hour", "dry_run"})
"""Keys that say where a run works, or how far it goes now, and not what it does: it may be taken up again elsewhere."""


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


STOPPED = "stopped"


@dataclass(frozen=True)
class EndedJob:
    """A job of a sweep that has come to its end.

    Attributes:
        job: what it was.
        own: its own overrides, which other jobs of the sweep have otherwise.
        metrics: the content of metrics.json; None for a job that failed or was stopped.
        error: one line, why there is none, or why some references are missing in it; `STOPPED` after Ctrl-C, "" for a
            job that did everything.
    """

    job: Job
    own: Sequence[str]
    metrics: Mapping[str, Any] | None = None
    error: str = ""


def own_overrides(overrides: Sequence[str], command: Sequence[str]) -> list[str]:
    """Of a job's overrides, those that a sweep chose for it.

    Args:
        overrides: of the job, as Hydra writes them: `noise.lr_std=0.2` where the command says `.2` or `2e-1`.
        command: its arguments; what it sets to a single value is no choice of the sweep.

    Raises:
        hydra.errors.OverrideParseException: an argument that Hydra would not read either.
    """
    parser = OverridesParser.create()
    given = [parser.parse_override(argument) for argument in command if "=" in argument and argument[0] != "-"]
    swept_of_key = {override.get_key_element(): override.is_sweep_override() for override in given}
    return [override for override in overrides if swept_of_key.get(override.partition("=")[0], True)]


def as_argument(key: str, value: str) -> str:
    """An override as it is typed: with quotes for Hydra within quotes for the shell, where the value needs them."""
    plain = re.fullmatch(r"[\w./+-]+", value, flags=re.ASCII)
    return f"{key}={value}" if plain else f"'{key}=\"{value}\"'"


def folder_of_sweep_job(number: int, method: str, own: Sequence[str], shard: int | None = None) -> str:
    """The name of a job's folder, such as "3-lr_noise-noise.lr_std-0.2-seed-1".

    Of at most 100 characters that stand in a path and in an override without quotes. Of a sweep over the shards of one
    evaluation it is "shard-5", with whatever other shards that one is started.
    """
    if shard is not None and all(override.startswith("shard.index=") for override in own):
        return f"shard-{shard}"
    name = "-".join([f"{number}-{method}", *(override for override in own if not override.startswith("method="))])
    return re.sub(r"[^\w.+-]", "-", name, flags=re.ASCII)[:100]


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
        with initialize_config_module(CONFIG_MODULE, version_base="1.3"):
            yield
    finally:
        GlobalHydra.instance().hydra = outer


def refuse_another_config(run_dir: Path, cfg: DictConfig) -> None:
    """
    Raises:
        UserError: the run directory holds a run with another configuration, or somebody else's config.yaml.
    """
    path = run_dir / CONFIG_FILE
    if not path.exists():
        return
    there = read_config(path)
    if there is None:
        raise UserError(f"{path} is not this program's: give this run a hydra.run.dir of its own.")
    differing = differences(there, yaml.safe_load(OmegaConf.to_yaml(cfg)), PLACE_KEYS)
    if differing:
        raise UserError(
            f"{short(run_dir)} holds a run with another configuration ({in_words(differing, 'there', 'now')}): give"
            f" this one a hydra.run.dir of its own, or go on with that one by the arguments in"
            f" {short(run_dir) / OVERRIDES_FILE}."
        )


def read_config(path: Path) -> dict[str, Any] | None:
    """The content of a config.yaml, interpolations as they stand there; None where it is no such file."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError):
        return None
    return content if isinstance(content, dict) else None


def settle_config(run_dir: Path, cfg: DictConfig, overrides: Sequence[str]) -> None:
    """Writes config.yaml and overrides.yaml, unless they are there (a run that is taken up again).

    From then on the run directory belongs to this configuration, so this comes after all that may refuse the run.
    """
    if (run_dir / CONFIG_FILE).exists():
        return
    run_dir.mkdir(parents=True, exist_ok=True)
    write_atomic(run_dir / OVERRIDES_FILE, OmegaConf.to_yaml(list(overrides)))
    write_atomic(run_dir / CONFIG_FILE, OmegaConf.to_yaml(cfg))


def differences(
    first: Mapping[str, Any], second: Mapping[str, Any], ignored: Collection[str] = ()
) -> dict[str, tuple[Any, Any]]:
    """The keys whose values differ in two configurations, with both values, what a user is likely to have set first.

    Classes and interpolations, which go with an option, are left out where something else differs too.
    """
    before, after = dict(_leaves(first)), dict(_leaves(second))
    absent = "not set"
    values = {key: (before.get(key, absent), after.get(key, absent)) for key in {**before, **after}}
    differing = {key: pair for key, pair in values.items() if pair[0] != pair[1] and key not in ignored}
    telling = [
        key for key, pair in differing.items() if not key.endswith("_target_") and "${" not in f"{pair[0]}{pair[1]}"
    ]
    keys = sorted(telling or differing, key=lambda key: (key != "method", "." in key, not key.endswith(".path")))
    return {key: differing[key] for key in keys}


def in_words(differing: Mapping[str, tuple[Any, Any]], first: str, second: str) -> str:
    """A phrase for each of the first differences, such as "seed: 0 there, 1 now", and how many more there are."""
    phrases = [f"{key}: {before} {first}, {after} {second}" for key, (before, after) in differing.items()]
    more = len(phrases) - MOST_DIFFERENCES
    return "; ".join(phrases[:MOST_DIFFERENCES]) + (f"; and {more} more" if more > 0 else "")


def _leaves(node: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in node.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
