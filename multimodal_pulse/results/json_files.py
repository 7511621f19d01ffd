"""JSON files with finite numbers or null, never NaN."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.base.files import short, write_atomic


def write_json(path: str | Path, content: Any) -> None:
    """Writes `content` to `path`, whole or not at all; see `to_json`."""
    write_atomic(path, to_json(content))


def read_json(path: Path) -> dict[str, Any] | None:
    """Returns the object in a JSON file; None if there is no such file.

    Raises:
        UserError: it is damaged, or holds something else than an object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{short(path)} is damaged, or not this program's: {error}.") from error
    if not isinstance(content, dict):
        raise UserError(f"{short(path)} is damaged, or not this program's: it holds no object.")
    return content


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
