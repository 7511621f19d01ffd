"""The configuration that belongs to a run directory: written once, compared when the run is started again."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.base.files import short, write_atomic
from multimodal_pulse.configuration.former_names import translated

CONFIG_FILE = "config.yaml"


OVERRIDES_FILE = "overrides.yaml"


MOST_DIFFERENCES = 3
"""Keys that a refusal names; it counts the others."""


PLACE_KEYS = frozenset({"trainer.device", "trainer.price_per_hour", "dry_run"})
"""Keys that say where a run works, or how far it goes now, and not what it does: it may be taken up again elsewhere."""


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
    """The content of a config.yaml, interpolations as they stand there, in the names of this version; None where it is
    no such file.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError):
        return None
    return translated(content) if isinstance(content, dict) else None


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
