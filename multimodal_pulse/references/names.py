"""Names for references: unique, and usable as folder names on any file system."""

import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

MAX_LENGTH = 60
"""The most characters of a name; 60 need at most 240 bytes, and file systems allow 255."""


def safe_name(text: str) -> str:
    """Keeps letters, digits, "_", "-" and inner dots of `text` and replaces all else by "_"; never empty."""
    text = re.sub(r"[^\w.-]", "_", unicodedata.normalize("NFC", text))[:MAX_LENGTH]
    return text.strip(".") or "picture"


def unique_names(paths: Iterable[Path]) -> list[str]:
    """Returns one name per file, whose path is relative to the folder of all: its stem, as `safe_name` writes it, after
    the folders between, as in `sub_a` for `sub/a.jpg`.

    If two stems are equal then, ignoring case, one file gets its type and, if necessary, a number as well. The others
    come before a file whose stem cannot be its name: `a.jpg`, `a.png` -> `a`, `a-png`; `a b.png`, `a_b.png` ->
    `a_b-png`, `a_b`.
    """
    stems = [("/".join([*path.parent.parts, path.stem]), path.suffix[1:].lower()) for path in paths]
    names = {}
    taken: set[str] = set()

    def take(index: int, name: str) -> None:
        names[index] = name
        taken.add(name.casefold())

    for index, (stem, _) in enumerate(stems):
        if safe_name(stem) == stem and stem.casefold() not in taken:
            take(index, stem)
    for index, (stem, kind) in enumerate(stems):
        if index not in names:
            name = safe_name(stem)
            candidates = (f"{name}-{kind}{count}" for count in ("", *map(str, range(2, len(stems) + 2))))
            take(index, next(free for free in (name, *candidates) if free.casefold() not in taken))
    return [names[index] for index in range(len(stems))]
