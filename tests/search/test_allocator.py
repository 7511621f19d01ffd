"""What tensors free stays with the process during a search, and goes back to the system afterwards."""

import ctypes
import resource

import pytest
import torch
from tiny_search import run, tiny_references, tiny_search

from multimodal_pulse.search.allocator import freed_memory_kept

PAGE = resource.getpagesize()
LARGE = 64 * 2**20


def is_glibc() -> bool:
    try:
        return hasattr(ctypes.CDLL(None), "gnu_get_libc_version")
    except (OSError, TypeError):
        return False


needs_glibc = pytest.mark.skipif(not is_glibc(), reason="the C library is not glibc")


def share_of_new_pages(tensors: int = 20) -> float:
    """The share of their pages that are new, of large tensors one after the other."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(tensors):
        torch.ones(LARGE // 4)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) * PAGE / (tensors * LARGE)


def resident() -> int:
    """The bytes of this process that are in memory."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * PAGE


@needs_glibc
def test_large_tensors_take_the_memory_of_earlier_ones():
    with freed_memory_kept():
        assert share_of_new_pages() < 0.5
    assert share_of_new_pages() > 0.9


@needs_glibc
def test_memory_goes_back_to_the_system_after_a_search_and_after_an_error():
    before = resident()
    with pytest.raises(ValueError, match="stop"), freed_memory_kept():
        torch.ones(LARGE // 4)
        assert resident() > before + LARGE / 2
        raise ValueError("stop")
    assert resident() < before + LARGE / 2


def test_without_that_call_in_the_c_library_nothing_happens(monkeypatch):
    for library in (object(), None):
        monkeypatch.setattr(ctypes, "CDLL", lambda name, library=library: library)
        with freed_memory_kept():
            assert torch.ones(3).sum() == 3


@needs_glibc
def test_memory_does_not_grow_from_group_to_group():
    search = tiny_search(tiny_references(12), [[index] for index in range(12)], steps=5, num_samples=16)
    after: list[int] = []
    search.on_train_epoch_start = lambda begin=search.on_train_epoch_start: (after.append(resident()), begin())
    run(search)
    assert len(after) == 12
    assert after[-1] - after[3] < 20e6
