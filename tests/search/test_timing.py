"""The clock of a trial, against one that is put forward by hand."""

import time

import pytest
import torch
from tiny_search import tiny_generator, tiny_references, tiny_search

from multimodal_pulse.degradation.bicubic import Bicubic
from multimodal_pulse.search.baselines import BicubicSearch
from multimodal_pulse.search.consistency import NoConsistency
from multimodal_pulse.search.latent_optimization import ReferenceList
from multimodal_pulse.search.timing import Timing, time_search

BEGIN, STEP, FIRST, DRAW, REHEARSE, FIRST_SCORES, RECORD = 3.0, 0.5, 7.0, 2.0, 1.0, 11.0, 1.0
"""Seconds: of a group's beginning for each reference, of a step for each reference, of the first step besides, of a
group's end, of a reference's rehearsal, of the first besides, of its recording."""


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still: call it to put it forward."""
    now = 100.0

    def forward(seconds: float) -> None:
        nonlocal now
        now += seconds

    monkeypatch.setattr(time, "perf_counter", lambda: now)
    return forward


class SlowReferences(ReferenceList):
    """References that take their time."""

    def __init__(self, clock, count: int) -> None:
        self._clock, self._references = clock, tiny_references(count)

    def __len__(self) -> int:
        return len(self._references)

    def __getitem__(self, index: int):
        self._clock(BEGIN)
        return self._references[index]


def slow_generator(clock, limit: int = 100):
    """A generator that takes its time, longer once, and has no memory for more than `limit` images."""
    generator = tiny_generator()
    synthesis = generator.synthesis
    calls = 0

    def slow(w_plus, noise_maps=None):
        nonlocal calls
        if len(w_plus) > limit:
            raise MemoryError
        calls += 1
        clock((STEP * len(w_plus) / 2 if torch.is_grad_enabled() else DRAW) + FIRST * (calls == 1))
        return synthesis(w_plus, noise_maps)

    generator.synthesis = slow  # type: ignore[method-assign]
    return generator


def timed(clock, search) -> Timing:
    rehearsed = []

    def rehearse(outcome):
        clock(REHEARSE + FIRST_SCORES * (not rehearsed))
        rehearsed.append(outcome.reference.name)

    def record(outcome):
        assert rehearsed[-1] == outcome.reference.name
        clock(RECORD)

    return time_search(search, 20.0, rehearse, record, accelerator="cpu")


def test_a_trial_tells_what_happens_once_from_what_each_step_and_each_reference_take(clock):
    search = tiny_search(SlowReferences(clock, 4), [[0, 1, 2, 3]], generator=slow_generator(clock), steps=20)
    timing = timed(clock, search)
    assert timing.step == pytest.approx(STEP)
    assert timing.reference == pytest.approx(BEGIN + DRAW / 4 + RECORD)
    assert timing.once == pytest.approx(20 + FIRST + FIRST_SCORES)
    expected = 20 + FIRST + FIRST_SCORES + 100 * (200 * STEP + BEGIN + DRAW / 4 + RECORD)
    assert timing.seconds(references=100, steps=200) == pytest.approx(expected)


def test_of_a_single_step_nothing_is_told_apart(clock):
    search = tiny_search(SlowReferences(clock, 1), [[0]], generator=slow_generator(clock), steps=1)
    timing = timed(clock, search)
    assert timing.step == pytest.approx(STEP + FIRST)
    assert timing.seconds(1, 1) == pytest.approx(20 + FIRST_SCORES + FIRST + STEP + BEGIN + DRAW + RECORD)


def test_a_group_that_is_halved_is_timed_in_halves(clock):
    generator = slow_generator(clock, limit=4)
    search = tiny_search(SlowReferences(clock, 4), [[0, 1, 2, 3]], generator=generator, steps=3)
    timing = timed(clock, search)
    assert timing.step == pytest.approx(STEP)
    assert timing.reference == pytest.approx(BEGIN + DRAW / 2 + RECORD)


def test_a_method_that_does_not_search_has_no_steps(clock):
    search = BicubicSearch(
        references=SlowReferences(clock, 2), groups=[[0, 1]], degradation=Bicubic(4), consistency=NoConsistency()
    )
    timing = timed(clock, search)
    assert timing == Timing(once=20 + FIRST_SCORES, step=0.0, reference=BEGIN + RECORD)
    assert timing.seconds(10, 200) == 20 + FIRST_SCORES + 10 * (BEGIN + RECORD)
