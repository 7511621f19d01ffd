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
    """Returns one name per file: its stem. If two stems are equal, ignoring case, the later name gets the file's type
    and, if necessary, a number: `a.jpg`, `a.png` -> `a`, `a-png`."""
    taken: set[str] = set()
    names = []
    for path in paths:
        stem = safe_name(path.stem)
        candidates = (f"{stem}-{path.suffix[1:].lower()}{count}" for count in ("", *map(str, range(2, len(taken) + 3))))
        name = next(name for name in (stem, *candidates) if name.casefold() not in taken)
        taken.add(name.casefold())
        names.append(name)
    return names
