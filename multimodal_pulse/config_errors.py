"""Hydra's errors in one line, with what would have been right."""

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import fields
from importlib.resources import files

import yaml
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
        return _unsuitable_value(str(cause.full_key), str(cause).splitlines()[0].rstrip("."))
    if isinstance(error, MissingConfigException) and error.options:
        slot, _, option = str(error.missing_cfg_file).rpartition("/")
        return f"{slot}={option} is not an option of {slot}: choose one of {', '.join(error.options)}."
    if isinstance(error, OverrideParseException):
        key, equals, value = error.override.partition("=")
        if not equals:
            return f"{key}: write key=value."
        return f"{error.override} cannot be read: put the value in quotes of its own, '{key}=\"{value}\"'."
    return " ".join(str(error).split())


def _unsuitable_value(key: str, said: str) -> str:
    number = re.fullmatch("Value '(.*)' of type '.*' could not be converted to (Integer|Float)", said)
    if not number:
        return f"{key}: {said}."
    value, kind = number.groups()
    return f"{key}={value}: {'a whole number' if kind == 'Integer' else 'a number'} is needed."


def _unknown_key(key: str, overrides: Sequence[str]) -> str:
    try:
        cfg = compose_config(list(_slots_chosen(overrides)))
    except (HydraException, ValueError):
        return f"unknown key {key}."
    parent, _, last = key.rpartition(".")
    node = OmegaConf.select(cfg, parent) if parent else cfg
    if not isinstance(node, DictConfig):
        return f"unknown key {key}."
    if owners := _options_with(parent, last):
        remedy = "add it" if len(owners) == 1 else "add one of them"
        return f"{key} belongs to {' and '.join(f'{parent}={option}' for option in owners)}: {remedy}."
    siblings = [f"{parent}.{name}".lstrip(".") for name in map(str, node) if not name.startswith("_")]
    everywhere = [*siblings, *_dotted_keys(cfg)]
    near = [known for known in everywhere if known.rpartition(".")[2] == last]
    # The last part alone: what stands before it is alike in all of them.
    alike = difflib.get_close_matches(last, [known.rpartition(".")[2] for known in siblings], n=1)
    near = near or [f"{parent}.{name}".lstrip(".") for name in alike]
    if near:
        return f"unknown key {key}. Did you mean {near[0]}?"
    if siblings:
        return f"unknown key {key}. There are: {', '.join(siblings)}."
    return f"unknown key {key}: the option chosen for {parent} has no keys."


def _options_with(slot: str, key: str) -> list[str]:
    """The options of a slot that have a key, the one with the fewest keys first; none where there is no such slot."""
    folder = files("multimodal_pulse").joinpath("conf", slot)
    if slot not in {field.name for field in fields(Config)} or not folder.is_dir():
        return []
    nodes = {
        entry.name.removesuffix(".yaml"): yaml.safe_load(entry.read_text(encoding="utf-8"))
        for entry in folder.iterdir()
        if entry.name.endswith(".yaml")
    }
    return sorted((option for option, node in nodes.items() if key in node), key=lambda option: len(nodes[option]))


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
