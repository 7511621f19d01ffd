"""Overrides of the command line: which of them a sweep chose, how one is typed, and the names of jobs' folders."""

import re
from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser


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


def as_argument(key: str, value: str) -> str:
    """Writes an override as it is typed, with quotes for Hydra inside quotes for the shell if the value needs them."""
    plain = re.fullmatch(r"[\w./+-]+", value, flags=re.ASCII)
    return f"{key}={value}" if plain else f"'{key}=\"{value}\"'"


def folder_of_sweep_job(number: int, method: str, own: Sequence[str], shard: int | None = None) -> str:
    """Returns the name of a job's folder, such as "3-lr_noise-noise.lr_std-0.2-seed-1".

    It has at most 100 characters, which need no quotes in a path or an override. In a sweep over the shards of one
    evaluation it is "shard-5", no matter which other shards are started.
    """
    if shard is not None and all(override.startswith("shard.index=") for override in own):
        return f"shard-{shard}"
    name = "-".join([f"{number}-{method}", *(override for override in own if not override.startswith("method="))])
    return re.sub(r"[^\w.+-]", "-", name, flags=re.ASCII)[:100]
