"""JSON files with finite numbers or null, never NaN."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from multimodal_pulse.base.files import write_atomic


def write_json(path: str | Path, content: Any) -> None:
    """Writes `content` to `path`, whole or not at all, with null for every number that is not finite."""
    write_atomic(path, json.dumps(_plain(content), indent=2, allow_nan=False, ensure_ascii=False) + "\n")


def _plain(value: Any) -> Any:
    """The same with JSON's own types only: tensors as numbers, paths as text, non-finite numbers as None."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, Tensor):
        return _plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (str, int, bool)):
        return value
    return str(value)
