"""Compares two run directories: they must have the same files, byte for byte, apart from times."""

import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from multimodal_pulse.base.files import PARTIAL

TIMES = "seconds"
"""The key of every time in our JSON files; in plan.json it is an estimate."""
OF_ITS_OWN = ("provenance.json", "wandb")
"""The files that say when and where a run was made, not what it found."""


def differing(one: Path, other: Path, without: Collection[str] = ()) -> list[str]:
    """Returns the paths of files that only one of two run directories has, or whose contents differ.

    Args:
        without: the first parts of paths to ignore, besides `OF_ITS_OWN`.
    """
    left_out = {*OF_ITS_OWN, *without}
    first, second = (
        {
            path.relative_to(run).as_posix(): path
            for path in files(run)
            if path.relative_to(run).parts[0] not in left_out
        }
        for run in (one, other)
    )
    return sorted(
        name
        for name in first.keys() | second.keys()
        if name not in first or name not in second or content(first[name]) != content(second[name])
    )


def leftovers(folder: Path) -> list[Path]:
    """Returns what killed writers have left anywhere in a folder."""
    return sorted(folder.rglob(f"{PARTIAL}*"))


def files(folder: Path) -> Iterator[Path]:
    """Returns all files below a folder."""
    return (path for path in folder.rglob("*") if path.is_file())


def content(path: Path) -> Any:
    """Returns the content of a file: its bytes, or for our JSON files the data without the times."""
    if path.suffix == ".json":
        return _without_times(json.loads(path.read_text(encoding="utf-8")))
    if path.suffix == ".jsonl":
        return [_without_times(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
    return path.read_bytes()


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_times(item) for key, item in value.items() if key != TIMES}
    return [_without_times(item) for item in value] if isinstance(value, list) else value
