"""Hydra's errors in one line each; for a wrong key, with the key that was probably meant."""

import argparse
import difflib
import os.path
import re
from collections.abc import Sequence
from pathlib import Path

from hydra._internal.utils import get_args_parser
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException, ValidationError

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.configuration.compose import Job, compose_job
from multimodal_pulse.configuration.option_files import all_keys, options, slots
from multimodal_pulse.configuration.overrides import as_argument, with_paths_as_they_are
from multimodal_pulse.interface.subcommands import COMMANDS

HINTS = {
    "references": ". Pictures of your own: references=folder references.path=<folder>",
    "generator": ". A network of your own: generator=file generator.path=<file>",
    "hydra/launcher": ". The extra `launchers` of this package adds joblib and submitit, the extra `ray` Ray",
}
"""What a user may have meant who names an option that a slot does not have."""


def read_arguments(arguments: Sequence[str]) -> list[str]:
    """Returns the arguments with quotes around paths that Hydra would not read otherwise.

    Raises:
        UserError: a slot is set to null, which Hydra refuses without its name.
    """
    for argument in arguments:
        slot, _, option = argument.partition("=")
        if option == "null" and slot in slots():
            raise UserError(f"{slot}=null is not an option of {slot}: choose one of {', '.join(options(slot))}.")
    return with_paths_as_they_are(arguments)


def refuse_arguments(arguments: Sequence[str]) -> None:
    """Refuses, in one line, the arguments that Hydra would answer with its whole usage.

    Raises:
        UserError: an unknown flag, or a flag without its value.
    """
    parser = get_args_parser()
    parser.exit_on_error = False
    try:
        _, unknown = parser.parse_known_args(arguments)
    except argparse.ArgumentError as error:
        raise UserError(f"{error}.") from error
    if unknown:
        raise UserError(f"{unknown[0]} is no flag: knobs are written key=value, all together; --help lists them.")


def composed(overrides: Sequence[str], run_dir: str | Path = "") -> tuple[DictConfig, Job]:
    """Composes a configuration and its job as `compose_job` does.

    Raises:
        UserError: an override cannot be used.
    """
    try:
        return compose_job(read_arguments(overrides), run_dir)
    except (HydraException, ValueError) as error:
        raise UserError(explain(error)) from error


def explain(error: Exception) -> str:
    """Returns one line about an error that Hydra raised while it composed a configuration."""
    cause = error.__cause__
    if isinstance(cause, ConfigKeyError | ConfigAttributeError):
        # Of an unknown dotted key, the cause may name the first part alone.
        whole = re.match("Could not override '(.+?)'", str(error))
        return _unknown_key(whole[1] if whole else str(cause.full_key))
    if isinstance(cause, ValidationError) and "is not Optional" in str(cause):
        return f"{cause.full_key}=null: it must have a value."
    if isinstance(cause, OmegaConfBaseException):
        return f"{cause.full_key}: {str(cause).splitlines()[0].rstrip('.')}."
    if isinstance(error, MissingConfigException) and error.options:
        path = str(error.missing_cfg_file)
        slot, _, option = path.rpartition("/") if path.startswith("hydra/") else path.partition("/")
        there = ", ".join(error.options)
        return f"{slot}={option} is not an option of {slot}: choose one of {there}{HINTS.get(slot, '')}."
    if isinstance(error, OverrideParseException):
        key, equals, value = error.override.partition("=")
        if not equals:
            if near := difflib.get_close_matches(key, (*COMMANDS, "--help", "--version"), n=1):
                return f"unknown command {key}. Did you mean {near[0]}?"
            return f"{key}: write key=value, such as references=image references.path=photo.jpg."
        # Hydra reads no ~, and the shell expands none after "key=".
        return f"{error.override} cannot be read: write {as_argument(key, os.path.expanduser(value))}."
    if added := re.match("Could not append to config. An item is already at '(.+?)'", str(error)):
        return f"+{added[1]}: nothing can be added to this configuration or taken from it; leave out the sign."
    return " ".join(str(error).split())


def _unknown_key(key: str) -> str:
    known = all_keys()
    if options := known.get(key):
        return f"{key} belongs to {_either(options)}."
    last = key.rpartition(".")[2]
    near = difflib.get_close_matches(key.lower(), known, n=1, cutoff=0.8)
    near += [other for other in known if other.rpartition(".")[2] == last or other.startswith(key)]
    if near:
        belongs = f" It belongs to {_either(known[near[0]])}." if known[near[0]] else ""
        return f"unknown key {key}. Did you mean {near[0]}?{belongs}"
    slot = key.partition(".")[0]
    siblings = [other for other in known if other.startswith(f"{slot}.")]
    return f"unknown key {key}. " + (f"There are: {', '.join(siblings)}." if siblings else "--help lists all keys.")


def _either(options: Sequence[str]) -> str:
    """The options that have a key, and the advice to choose one."""
    return f"{options[0]}: add it" if len(options) == 1 else f"{', '.join(options)}: add one of them"
