"""Slots, options and keys of the configuration, with their comments, as the files of `conf/` have them."""

import re
from collections.abc import Iterator

import yaml

from multimodal_pulse.configuration.conf_folder import CONF
from multimodal_pulse.configuration.generator_choice import generator_for

Key = tuple[str, str | None]
"""The value of a key and the comment beside it."""


def text_of(name: str) -> str:
    return (CONF / name).read_text(encoding="utf-8")


def slots() -> dict[str, str | None]:
    """Returns the default option of each slot, in the order of the data path.

    The generator and its objective follow the references: theirs are those of the default references.
    """
    defaults = yaml.safe_load(text_of("config.yaml"))["defaults"]
    chosen = {slot: option for entry in defaults if isinstance(entry, dict) for slot, option in entry.items()}
    return {
        slot: generator_for(chosen["references"]) if str(option).startswith("${") else option
        for slot, option in chosen.items()
        if not slot.startswith("override ")
    }


def options(slot: str) -> list[str]:
    """Returns the options of a slot, in alphabetical order."""
    return sorted(entry.name.removesuffix(".yaml") for entry in (CONF / slot).iterdir() if entry.name.endswith(".yaml"))


def first_comment(slot: str, option: str) -> str:
    """Returns the sentence with which an option's file begins."""
    lines = text_of(f"{slot}/{option}.yaml").splitlines()
    return next(line[2:] for line in lines if line.startswith("# ") and not line.startswith("# @"))


def choices(slot: str, option: str) -> dict[str, str]:
    """Returns the options of other slots that an option chooses, such as those of a method."""
    entries = (yaml.safe_load(text_of(f"{slot}/{option}.yaml")) or {}).get("defaults", [])
    chosen = {name: str(value) for entry in entries if isinstance(entry, dict) for name, value in entry.items()}
    return {name.removeprefix("override /"): value for name, value in chosen.items() if name.startswith("override /")}


def option_keys(slot: str, option: str) -> dict[str, Key]:
    """Returns the keys of an option, with those of the option on which it is based."""
    name = f"{slot}/{option}.yaml"
    found: dict[str, Key] = {}
    for base in (yaml.safe_load(text_of(name)) or {}).get("defaults", []):
        if isinstance(base, str) and base != "_self_" and not base.startswith("/"):
            found |= option_keys(slot, base)
    return found | {key: (value, said or found.get(key, ("", None))[1]) for key, (value, said) in keys(name).items()}


def keys(name: str) -> dict[str, Key]:
    """Returns the keys of a file that have a value, one or two levels deep, by their dotted names."""
    found: dict[str, Key] = {}
    parent = ""
    for line in text_of(name).split("\nhydra:")[0].splitlines():
        match = re.match(r"( *)(\w+):(?: ([^#]+?))?(?: # (.*))?$", line)
        if not match:
            continue
        indent, key, value, said = match.groups()
        if not indent:
            parent = key
        if value:
            found[f"{parent}.{key}" if indent else key] = value.replace("???", "(to be given)"), said
    return found


def all_keys() -> dict[str, list[str]]:
    """Returns every key of every option with the options that have it; none where every configuration has it."""
    found: dict[str, list[str]] = {key: [] for key in keys("config.yaml")}
    for slot in slots():
        found[slot] = []
        for option, key in _keys_of_slot(slot):
            found.setdefault(f"{slot}.{key}", []).append(f"{slot}={option}")
    return found


def _keys_of_slot(slot: str) -> Iterator[tuple[str, str]]:
    for option in options(slot):
        if "# @package _global_" not in text_of(f"{slot}/{option}.yaml"):
            yield from ((option, key) for key in option_keys(slot, option) if not key.startswith("_"))
