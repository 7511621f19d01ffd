"""Overrides of the command line: which of them a sweep chose, how one is typed, and the names of jobs' folders."""

import os
import re
import shlex
from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from multimodal_pulse.configuration.validation import FILES

FOLDERS = ("hydra.run.dir", "hydra.sweep.dir")
"""Keys of folders that a run makes."""


def own_overrides(overrides: Sequence[str], command: Sequence[str]) -> list[str]:
    """Returns those of a job's overrides that a sweep chose for it.

    Args:
        overrides: the overrides of the job, as Hydra writes them: `noise.lr_std=0.2` for `.2` or `2e-1` of the command.
        command: the arguments of the command; a key with a single value there is not a choice of the sweep.

    Raises:
        hydra.errors.OverrideParseException: Hydra cannot read an argument.
    """
    parser = OverridesParser.create()
    given = [parser.parse_override(argument) for argument in command if "=" in argument and argument[0] != "-"]
    swept_of_key = {override.get_key_element(): override.is_sweep_override() for override in given}
    return [override for override in overrides if swept_of_key.get(override.partition("=")[0], True)]


def with_paths_as_they_are(arguments: Sequence[str]) -> list[str]:
    """Quotes those paths among the arguments that Hydra would not read, or not as what they are: a name may have any
    character. A path is quoted if it exists; in a list of a sweep, if all paths of the list do.
    """
    return [_with_path_as_it_is(argument) for argument in arguments]


def _with_path_as_it_is(argument: str) -> str:
    key, _, text = argument.partition("=")
    if key not in (*FILES, *FOLDERS) or text in ("", "null"):
        return argument
    parts = [text] if _exists(text) else text.split(",")
    if all(map(_exists, parts)):
        return f"{key}={','.join(literal(os.path.expanduser(part)) for part in parts)}"
    if key in FOLDERS and (home := re.fullmatch(r"(['\"])(~.*)\1", text)):  # Hydra would make a folder called ~
        return f"{key}={home[1]}{os.path.expanduser(home[2])}{home[1]}"
    if text[0] in "'\"[" or "${" in text or _is_read(argument):
        return argument
    return f"{key}={literal(os.path.expanduser(text))}"


def _exists(path: str) -> bool:
    try:
        return os.path.lexists(os.path.expanduser(path))
    except ValueError:  # a null character
        return False


def _is_read(argument: str) -> bool:
    try:
        OverridesParser.create().parse_override(argument)
    except HydraException:
        return False
    return True


def quoted(text: str) -> str:
    """Writes text as a value that Hydra reads as it is, but for interpolations; with quotes if it needs them."""
    if re.fullmatch(r"[\w./+-]+", text, flags=re.ASCII) and not re.fullmatch(r"[\d.+-][\w.+-]*", text):
        return text
    # A backslash is only special before a quote.
    escaped = re.sub(r'(\\*)("|$)', lambda match: 2 * match[1] + ("\\" if match[2] else "") + match[2], text)
    return f'"{escaped}"'


def literal(text: str) -> str:
    """Writes text as a value that Hydra reads as it is, also a word such as null, and without interpolations."""
    if text.lower() in ("null", "true", "false", "nan", "inf"):
        return f'"{text}"'
    return quoted(without_interpolations(text))


def without_interpolations(text: str) -> str:
    """Writes text as a value that OmegaConf reads as it is: `${` is not the beginning of an interpolation."""
    return re.sub(r"(\\*)\$\{", lambda match: 2 * match[1] + "\\${", text)


def as_argument(key: str, value: str) -> str:
    """Writes an override as it is typed, with quotes for Hydra inside quotes for the shell if the value needs them."""
    return shlex.quote(f"{key}={literal(value)}")


def folder_of_sweep_job(number: int, method: str, own: Sequence[str], shard: int | None = None) -> str:
    """Returns the name of a job's folder, such as "3-lr_noise-noise.lr_std-0.2-seed-1".

    It has at most 100 characters, which need no quotes in a path or an override. In a sweep over the shards of one
    evaluation it is "shard-5", no matter which other shards are started.
    """
    if shard is not None and all(override.startswith("shard.index=") for override in own):
        return f"shard-{shard}"
    name = "-".join([f"{number}-{method}", *(override for override in own if not override.startswith("method="))])
    return re.sub(r"[^\w.+-]", "-", name, flags=re.ASCII)[:100]
