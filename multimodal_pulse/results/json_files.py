"""JSON files with finite numbers or null, never NaN."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from multimodal_pulse.base.files import write_atomic


def write_json(path: str | Path, content: Any) -> None:
    """Writes `content` to `path`, whole or not at all; see `to_json`."""
    write_atomic(path, to_json(content))


def to_json(content: Any) -> str:
    """Returns the text of a JSON file, with null for every number that is not finite."""
    text = json.dumps(plain(content), indent=2, allow_nan=False, ensure_ascii=False) + "\n"
    # A file name that is no text has lone surrogates, which no encoding has, but JSON's escapes do.
    return text.encode(errors="backslashreplace").decode()


def plain(value: Any) -> Any:
    """Converts to JSON's own types: tensors to numbers, paths to text, non-finite numbers to None."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, Tensor):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (str, int, bool)):
        return value
    return str(value)
