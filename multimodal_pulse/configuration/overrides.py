"""Overrides of the command line: what a job was given, how one is written, what a job of a sweep is called."""

import re
from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser


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
