"""What tensors free stays with the process during a search, and goes back to the system afterwards."""

import ctypes
import resource
import subprocess
import sys

import pytest
import torch
from places import ROOT
from tiny_search import run, tiny_references, tiny_search

from multimodal_pulse.search.allocator import freed_memory_kept


def is_glibc() -> bool:
    try:
        return hasattr(ctypes.CDLL(None), "gnu_get_libc_version")
    except (OSError, TypeError):
        return False


needs_glibc = pytest.mark.skipif(not is_glibc(), reason="the C library is not glibc")


IN_A_NEW_PROCESS = """
import resource
import torch
from multimodal_pulse.search.allocator import freed_memory_kept

PAGE, LARGE = resource.getpagesize(), 64 * 2**20

def share_of_new_pages(tensors=20):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(tensors):
        torch.ones(LARGE // 4)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) * PAGE / (tensors * LARGE)

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * PAGE

before, shares, kept = resident(), [share_of_new_pages()], []
try:
    with freed_memory_kept():
        shares.append(share_of_new_pages())
        kept.append(resident() - before)
        raise ValueError("stop")
except ValueError:
    kept.append(resident() - before)
print(*shares, *(bytes / LARGE for bytes in kept))
"""
"""It prints the share of new pages of large tensors one after the other, without the block and in it, and how many such
tensors are in memory at the end of the block and after it. Earlier tests would have left other memory."""


def resident() -> int:
    """The bytes of this process that are in memory."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


@needs_glibc
def test_large_tensors_take_the_memory_of_earlier_ones_which_goes_back_at_the_end():
    done = subprocess.run(
        [sys.executable, "-c", IN_A_NEW_PROCESS], cwd=ROOT, capture_output=True, text=True, check=True
    )
    usual, in_the_block, kept, kept_after_an_error = map(float, done.stdout.split())
    assert usual > 0.9 and in_the_block < 0.5
    assert kept > 0.9 and kept_after_an_error < 0.5


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
