"""The C library's memory allocator during a search: memory that is freed stays with the process."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

# Parameters of mallopt(3) in glibc's malloc.h, and their defaults there.
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
_DEFAULTS = {_TRIM_THRESHOLD: 128 * 1024, _MMAP_MAX: 65536}


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Keeps what tensors free for the next ones, and gives it back to the system at the end.

    glibc gives every tensor above 32 MB back at once and has the next step's mapped anew, one page fault for every
    4096 bytes. Without that call in the C library, as on other systems, nothing is changed.
    """
    try:
        libc = ctypes.CDLL(None)
        mallopt, trim = libc.mallopt, libc.malloc_trim
    except (AttributeError, OSError, TypeError):  # Windows has no library without a name
        yield
        return
    mallopt(_TRIM_THRESHOLD, -1)
    mallopt(_MMAP_MAX, 0)
    try:
        yield
    finally:
        for parameter, default in _DEFAULTS.items():
            mallopt(parameter, default)
        trim(0)
