"""Tensors that take long to compute: computed once, and read from a file from then on."""

import contextlib
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from multimodal_pulse.base.files import cache_folder, write_atomic

log = logging.getLogger(__name__)

Tensors = dict[str, Tensor]
_SECONDS_BETWEEN_SAVES = 30


class Unfinished:
    """The rows that have been computed of a long tensor, kept in a file so that a killed computation is resumed.

    Args:
        path: the file.
    """

    def __init__(self, path: Path):
        self._path, self._saved = path, time.monotonic()

    def read(self) -> Tensor | None:
        """Returns the rows that an earlier process has kept, or None."""
        try:
            return load_file(self._path).get("rows")
        except (OSError, SafetensorError):
            return None

    def keep(self, rows: Callable[[], Tensor]) -> None:
        """Writes the rows computed so far, unless that was done less than 30 seconds ago."""
        if time.monotonic() - self._saved < _SECONDS_BETWEEN_SAVES:
            return
        self._saved = time.monotonic()
        with contextlib.suppress(OSError):  # `computed_once` warns of a cache that cannot be written
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(self._path, save({"rows": rows()}))

    def forget(self) -> None:
        """Removes the file."""
        with contextlib.suppress(OSError):
            self._path.unlink()


def computed_once(
    beside: Path | None, name: str, what: str, fits: Callable[[Tensors], bool], compute: Callable[[Unfinished], Tensors]
) -> Tensors:
    """Reads tensors from a file, in `beside` or in `cache_folder()`; else computes them and keeps them in the latter.

    Args:
        beside: a folder that is looked into first, such as a generator's `companions`; None: there is none.
        name: of the file; it must differ for whatever gives other tensors.
        what: the beginning of the line that is printed before they are computed, and of the warning if they cannot be
            kept, such as "The statistics of W are".
        fits: whether the tensors in a file can be used; a file that is missing or damaged is not asked about.
        compute: makes the tensors; it may keep what is unfinished.
    """
    for folder in (beside, cache_folder()):
        try:
            if folder is not None and fits(kept := load_file(folder / name)):
                return kept
        except (OSError, SafetensorError):
            continue
    print(f"note: {what[0].lower()}{what[1:]} computed now and kept for later runs", file=sys.stderr, flush=True)
    path = cache_folder() / name
    unfinished = Unfinished(path.with_suffix(".unfinished"))
    tensors = compute(unfinished)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, save(tensors))
        unfinished.forget()
    except OSError as error:
        log.warning("%s computed again in every run: %s cannot be written (%s).", what, path, error)
    return tensors
