"""Hydra's errors in one line, with what would have been right."""

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import fields

from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from multimodal_pulse.config import Config
from multimodal_pulse.job import compose_config


def explain(error: Exception, overrides: Sequence[str]) -> str:
    """One line about an error that Hydra raised while it composed a configuration.

    Args:
        error: the error.
        overrides: those that were to be composed.
    """
    cause = error.__cause__
    if isinstance(cause, ConfigKeyError | ConfigAttributeError):
        return _unknown_key(str(cause.full_key), overrides)
    if isinstance(cause, OmegaConfBaseException):
        return f"{cause.full_key}: {str(cause).splitlines()[0].rstrip('.')}."
    if isinstance(error, MissingConfigException) and error.options:
        slot, _, option = str(error.missing_cfg_file).rpartition("/")
        return f"{slot}={option} is not an option of {slot}: choose one of {', '.join(error.options)}."
    if isinstance(error, OverrideParseException) and "=" in error.override:
        key, _, value = error.override.partition("=")
        return f"{error.override} cannot be read: put the value in quotes of its own, '{key}=\"{value}\"'."
    return " ".join(str(error).split())


def _unknown_key(key: str, overrides: Sequence[str]) -> str:
    try:
        cfg = compose_config(list(_slots_chosen(overrides)))
    except (HydraException, ValueError):
        return f"unknown key {key}."
    parent, _, last = key.rpartition(".")
    node = OmegaConf.select(cfg, parent) if parent else cfg
    if not isinstance(node, DictConfig):
        return f"unknown key {key}."
    siblings = [f"{parent}.{name}".lstrip(".") for name in map(str, node) if not name.startswith("_")]
    everywhere = [*siblings, *_dotted_keys(cfg)]
    near = [known for known in everywhere if known.rpartition(".")[2] == last]
    near = near or difflib.get_close_matches(key, everywhere, n=1)
    suggestion = f" Did you mean {near[0]}?" if near else ""
    return f"unknown key {key}.{suggestion} There are: {', '.join(siblings)}."


def _slots_chosen(overrides: Sequence[str]) -> Iterator[str]:
    """The overrides that choose an option, which decides what keys there are; of a sweep the first choice."""
    slots = {field.name for field in fields(Config)} | {"experiment"}
    knobs = {"num_samples", "steps", "seed", "film_frames"}
    for override in overrides:
        slot, _, option = override.partition("=")
        if slot in slots - knobs:
            yield f"{slot}={option.split(',')[0]}"


def _dotted_keys(node: DictConfig, prefix: str = "") -> Iterator[str]:
    for name in map(str, node):
        if OmegaConf.is_dict(node._get_node(name)):
            yield from _dotted_keys(node[name], f"{prefix}{name}.")
        elif not name.startswith("_"):
            yield f"{prefix}{name}"
