"""Hydra's errors in one line, with what would have been right."""

import difflib
import mimetypes
import os.path
import re
from collections.abc import Iterator, Sequence
from dataclasses import fields
from itertools import pairwise

import yaml
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.configuration.compose import compose_config
from multimodal_pulse.configuration.conf_folder import CONF
from multimodal_pulse.configuration.overrides import as_argument
from multimodal_pulse.configuration.schema import Config
from multimodal_pulse.configuration.validation import FILES

HYDRA_FLAGS = frozenset(
    (
        "--help", "-h", "--hydra-help", "--version", "--cfg", "-c", "--resolve", "--package", "-p", "--run", "-r",
        "--multirun", "-m", "--shell-completion", "-sc", "--config-path", "-cp", "--config-name", "-cn", "--config-dir",
        "-cd", "--experimental-rerun", "--info", "-i",
    )
)  # fmt: skip
LAUNCHERS_TO_INSTALL = "; the extra `launchers` of this package adds joblib and submitit, the extra `ray` Ray"
KEYS = frozenset(field.name for field in fields(Config))
GENERATOR_SUFFIXES = (".pkl", ".pt", ".pth", ".safetensors")


def refuse_arguments(arguments: Sequence[str]) -> None:
    """Refuses what Hydra would answer with its whole usage, or about half of what was meant.

    Raises:
        UserError: a flag that there is not, or a space beside the = of an override.
    """
    for argument, following in pairwise([*arguments, ""]):
        if argument.endswith("=") and following and "=" not in following and following not in HYDRA_FLAGS:
            raise UserError(f"{argument} {following}: no space after =, write {argument}{following}.")
        if following.startswith("="):
            raise UserError(f"{argument} {following}: no space before =.")
        flag, _, value = argument.partition("=")
        if flag.startswith("-") and flag not in HYDRA_FLAGS:
            key = flag.lstrip("-").replace("-", "_")
            if key.partition(".")[0] not in KEYS:
                raise UserError(f"{flag}: there is no such flag; --help lists what there is.")
            if not value and "=" not in following and following not in HYDRA_FLAGS:
                value = following
            raise UserError(f"{flag}: write {key}={value or '<value>'}.")


def explain(error: Exception, overrides: Sequence[str]) -> str:
    """One line about an error that Hydra raised while it composed a configuration.

    Args:
        error: the error.
        overrides: those that were to be composed.
    """
    cause = error.__cause__
    if isinstance(cause, ConfigKeyError | ConfigAttributeError):
        # The cause knows the first part alone of a key none of whose parts there is.
        whole = re.match("Could not override '(.+?)'", str(error))
        return _unknown_key(whole[1] if whole else str(cause.full_key), overrides)
    if isinstance(cause, OmegaConfBaseException):
        return _unsuitable_value(str(cause.full_key), str(cause).splitlines()[0].rstrip("."))
    if isinstance(error, MissingConfigException) and error.options:
        slot, _, option = str(error.missing_cfg_file).partition("/")
        if slot not in KEYS:  # one of Hydra's, as hydra/launcher
            slot, _, option = str(error.missing_cfg_file).rpartition("/")
        if chosen := _option_for_a_path(slot, option):
            return f"{slot}={option}: {chosen} {as_argument(f'{slot}.path', option)} uses it."
        installed = LAUNCHERS_TO_INSTALL if slot == "hydra/launcher" else ""
        return f"{slot}={option} is not an option of {slot}: choose one of {', '.join(error.options)}{installed}."
    if isinstance(error, OverrideParseException):
        key, equals, value = error.override.partition("=")
        if not equals:
            return _without_key(key)
        path = os.path.expanduser(value)  # no shell does so after a key, and Hydra reads no ~
        if chosen := _option_for_a_path(key, path):
            return f"{error.override}: {chosen} {as_argument(f'{key}.path', path)} uses it."
        if path != value:
            return f"{error.override}: a ~ cannot be read here, write {as_argument(key, path)}."
        return f"{error.override} cannot be read: put the value in quotes of its own, {as_argument(key, value)}."
    if several := re.match("(?:Ambiguous value for argument|Sweep parameters) '([^=]+)=([^\n]*)'", str(error)):
        key, value = several.groups()
        if key in FILES:
            return f"{key}={value}: put a path with a comma in quotes of its own, {as_argument(key, value)}."
        return f"several values for {key}: put -m before them, for a run of each."
    return " ".join(str(error).split())


def _without_key(value: str) -> str:
    for slot in ("references", "generator"):
        if chosen := _option_for_a_path(slot, value):
            return f"{value}: {chosen} {as_argument(f'{slot}.path', value)} uses it."
    return f"{value}: write key=value."


def _option_for_a_path(slot: str, value: str) -> str:
    """The option that takes such a path; none where the slot has none or `value` does not look like one."""
    if slot == "generator" and (value.endswith(GENERATOR_SUFFIXES) or os.path.isfile(value)):
        return "generator=file"
    if slot == "references" and (mimetypes.guess_type(value)[0] or "").startswith("image/"):
        return "references=image"
    if slot == "references" and ("/" in value or os.path.isdir(value)):
        return "references=folder"
    return ""


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
    known_keys = list(_dotted_keys(cfg))
    if not isinstance(node, DictConfig):
        near = [known for known in known_keys if known.rpartition(".")[2] == last]
        if near:
            return f"unknown key {key}. Did you mean {_nearest(key, near)}?"
        return f"unknown key {key}."
    owners = _owners(parent)
    if last in owners:
        return f"{key} belongs to {owners[last]}."
    siblings = [f"{parent}.{name}".lstrip(".") for name in map(str, node) if not name.startswith("_")]
    everywhere = [*siblings, *known_keys]
    near = [known for known in everywhere if known.rpartition(".")[2] == last]
    # The last part alone: what stands before it is alike in all of them.
    names = [known.rpartition(".")[2] for known in siblings]
    alike = difflib.get_close_matches(last, names, n=1) or [name for name in names if name.startswith(last)]
    near = near or [f"{parent}.{name}".lstrip(".") for name in alike]
    if near:
        return f"unknown key {key}. Did you mean {near[0]}?"
    for other in difflib.get_close_matches(last, owners, n=1):
        return f"unknown key {key}. Did you mean {parent}.{other}? It belongs to {owners[other]}."
    if siblings:
        return f"unknown key {key}. There are: {', '.join(siblings)}."
    return f"unknown key {key}: the option chosen for {parent} has no keys."


def _nearest(key: str, known: Sequence[str]) -> str:
    return difflib.get_close_matches(key, known, n=1, cutoff=0)[0]


def _owners(slot: str) -> dict[str, str]:
    """For each key of a slot's options, which of them have it and what to do; none where there is no such slot."""
    folder = CONF / slot
    if slot not in {field.name for field in fields(Config)} or not folder.is_dir():
        return {}
    texts = {
        entry.name.removesuffix(".yaml"): entry.read_text(encoding="utf-8")
        for entry in folder.iterdir()
        if entry.name.endswith(".yaml")
    }
    # The keys of a file for the whole configuration are not the slot's.
    nodes = {option: yaml.safe_load(text) for option, text in texts.items() if "@package _global_" not in text}
    having: dict[str, list[str]] = {}
    for option in sorted(nodes, key=lambda option: len(nodes[option])):  # the one with the fewest keys first
        for key in nodes[option]:
            if key != "defaults" and not key.startswith("_"):
                having.setdefault(key, []).append(f"{slot}={option}")
    return {
        key: f"{options[0]}: add it"
        if len(options) == 1
        else f"{', '.join(options[:-1])} and {options[-1]}: add one of them"
        for key, options in having.items()
    }


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
