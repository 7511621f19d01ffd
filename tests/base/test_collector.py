"""Python's collector waits for the imports of this program's own process, and of no other."""

import gc
import weakref

import pytest

from multimodal_pulse.base.collector import collect_again, postpone_collections


class Cycle:
    def __init__(self):
        self.itself = self


@pytest.fixture
def collecting():
    """The collector as the other tests have it."""
    yield
    gc.enable()
    gc.unfreeze()


def test_after_the_imports_what_is_new_is_collected_and_what_was_there_is_left_alone(collecting):
    postpone_collections()
    assert not gc.isenabled()
    before = Cycle()
    imported = weakref.ref(before)
    collect_again()
    after = Cycle()
    made = weakref.ref(after)
    del before, after
    gc.collect()
    assert gc.isenabled() and imported() is not None and made() is None


def test_a_program_that_has_switched_its_collector_off_keeps_it_off(collecting):
    gc.disable()
    collect_again()
    assert not gc.isenabled() and gc.get_freeze_count() == 0
