"""The configuration of a run directory: written once, and compared when the run is resumed."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.base.files import short, write_atomic
from multimodal_pulse.configuration.former_names import translated
from multimodal_pulse.configuration.validation import AUTO

CONFIG_FILE = "config.yaml"
OVERRIDES_FILE = "overrides.yaml"
MOST_DIFFERENCES = 3
"""The most keys that an error message names; the others are counted."""
DECIDED = ("metrics.lpips_net", "degradation.factor", "trainer.precision", "trainer.kernels", "trainer.compile")
"""Keys whose `auto` is decided once, when a run begins; its config.yaml has what was decided."""
FOUND = ("generator", "degradation")
"""Slots whose option `found` stands for the one of a parent; its config.yaml has what was found."""
PLACE_KEYS = frozenset({"trainer.device", "trainer.price_per_hour", "dry_run"})
"""Keys that do not change the results of a run: it may be resumed with other values."""


def refuse_another_config(run_dir: Path, cfg: DictConfig) -> None:
    """Refuses a run directory that belongs to another run.

    Raises:
        UserError: the run directory holds a run with another configuration, or the config.yaml of another program.
    """
    path = run_dir / CONFIG_FILE
    if not path.exists():
        return
    there = read_config(path)
    if there is None:
        raise UserError(f"{path} is not this program's: give this run a hydra.run.dir of its own.")
    now = translated(yaml.safe_load(OmegaConf.to_yaml(cfg)))
    # A method only chooses options: another name for the same ones, as after a renaming, makes no other run.
    if differences(there, now, PLACE_KEYS | {"method"}):
        differing = differences(there, now, PLACE_KEYS)
        raise UserError(
            f"{short(run_dir)} holds a run with another configuration ({in_words(differing, 'there', 'now')}): give"
            f" this one a hydra.run.dir of its own, or go on with that one by the arguments in"
            f" {short(run_dir) / OVERRIDES_FILE}."
        )


def as_begun(run_dir: Path, cfg: DictConfig) -> DictConfig:
    """Returns the configuration with what a run was begun with in place of `auto` and `found`, see DECIDED and FOUND.

    What `auto` chooses depends on the machine, its files and the pictures, and one run needs one of it.
    """
    path = run_dir / CONFIG_FILE
    left = [key for key in DECIDED if OmegaConf.select(cfg, key) == AUTO]
    left += [slot for slot in FOUND if "parent" in cfg[slot]]
    if not left or not path.exists():
        return cfg
    there, begun = OmegaConf.create(read_config(path) or {}), cfg.copy()
    for key in left:
        if (value := OmegaConf.select(there, key)) is not None:  # else it was begun without, which is another run
            OmegaConf.update(begun, key, value, merge=False)
    return begun


def read_config(path: Path) -> dict[str, Any] | None:
    """Returns the content of a config.yaml, with its interpolations and in the names of this version; None if the file
    is something else.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError):
        return None
    return translated(content) if isinstance(content, dict) else None


def write_config_once(run_dir: Path, cfg: DictConfig, overrides: Sequence[str]) -> None:
    """Writes config.yaml and overrides.yaml, unless they exist because the run is resumed.

    From then on the run directory belongs to this configuration, so nothing may refuse the run afterwards.
    """
    if (run_dir / CONFIG_FILE).exists():
        return
    run_dir.mkdir(parents=True, exist_ok=True)
    write_atomic(run_dir / OVERRIDES_FILE, OmegaConf.to_yaml(list(overrides)))
    write_atomic(run_dir / CONFIG_FILE, OmegaConf.to_yaml(cfg))


def differences(
    first: Mapping[str, Any], second: Mapping[str, Any], ignored: Collection[str] = ()
) -> dict[str, tuple[Any, Any]]:
    """Returns the keys with different values in two configurations, with both values; keys that users set come first.

    Classes and interpolations, which belong to an option, are left out if something else differs too.
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
    """Names the first differences, such as "seed: 0 there, 1 now", and counts the others."""
    phrases = [f"{key}: {before} {first}, {after} {second}" for key, (before, after) in differing.items()]
    more = len(phrases) - MOST_DIFFERENCES
    return "; ".join(phrases[:MOST_DIFFERENCES]) + (f"; and {more} more" if more > 0 else "")


def _leaves(node: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in node.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
