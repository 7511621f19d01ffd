"""Tensors that take long to compute: computed once, and read from a file from then on."""

import logging
import sys
from collections.abc import Callable
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from multimodal_pulse.base.files import cache_folder, write_atomic

log = logging.getLogger(__name__)

Tensors = dict[str, Tensor]


def computed_once(
    beside: Path | None, name: str, what: str, fits: Callable[[Tensors], bool], compute: Callable[[], Tensors]
) -> Tensors:
    """Reads tensors from a file, in `beside` or in `cache_folder()`; else computes them and keeps them in the latter.

    Args:
        beside: a folder that is looked into first, such as a generator's `companions`; None: there is none.
        name: of the file; it must differ for whatever gives other tensors.
        what: the beginning of the line that is printed before they are computed, and of the warning if they cannot be
            kept, such as "The statistics of W are".
        fits: whether the tensors in a file can be used; a file that is missing or damaged is not asked about.
        compute: makes the tensors.
    """
    for folder in (beside, cache_folder()):
        try:
            if folder is not None and fits(kept := load_file(folder / name)):
                return kept
        except (OSError, SafetensorError):
            continue
    print(f"note: {what[0].lower()}{what[1:]} computed now and kept for later runs", file=sys.stderr, flush=True)
    tensors = compute()
    path = cache_folder() / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, save(tensors))
    except OSError as error:
        log.warning("%s computed again in every run: %s cannot be written (%s).", what, path, error)
    return tensors
