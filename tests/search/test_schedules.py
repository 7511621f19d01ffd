import math

import pytest

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.search.schedules import (
    FixedSchedule,
    Geometric,
    Linear1Cycle,
    Linear1CycleDrop,
    NoSchedule,
    Ramp,
)


def test_linear1cycle_rises_to_half_time_and_falls_again():
    schedule = Linear1Cycle()
    assert [schedule(step, 100) for step in (0, 25, 50, 75, 100)] == pytest.approx([0.1, 0.55, 1.0, 0.55, 0.1])


def test_linear1cycledrop_has_a_tail_that_ends_at_a_thousandth():
    schedule = Linear1CycleDrop()
    factors = [schedule(step, 100) for step in (0, 45, 89, 90, 95, 100)]
    assert factors == pytest.approx([0.1, 1.0, 0.12, 0.1, 0.0505, 0.001])


def test_a_ramp_rises_stays_and_falls_along_a_cosine():
    schedule = Ramp(up=0.05, down=0.25)
    assert [schedule(step, 100) for step in (0, 1, 4, 5, 75)] == pytest.approx([0.0, 0.2, 0.8, 1.0, 1.0])
    assert schedule(90, 100) == pytest.approx(0.5 - 0.5 * math.cos(math.pi * 0.1 / 0.25))
    assert schedule(100, 100) == 0.0


def test_a_geometric_schedule_falls_by_equal_ratios_to_1():
    schedule = Geometric(16.0)
    assert [schedule(step, 5) for step in range(5)] == pytest.approx([16, 8, 4, 2, 1])
    assert Geometric(16.0)(0, 1) == 16.0


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Ramp(up=0.0, down=0.5), r"schedule\.up=0\.0"),
        (lambda: Ramp(up=0.5, down=1.5), r"schedule\.down=1\.5"),
        (lambda: Geometric(0.0), r"schedule\.start=0\.0"),
    ],
)
def test_numbers_out_of_range_are_refused(make, words):
    with pytest.raises(UserError, match=words):
        make()


@pytest.mark.parametrize("steps", [1, 2, 3, 7, 100])
def test_every_factor_is_positive_and_at_most_one(steps):
    for schedule in (NoSchedule(), FixedSchedule(), Linear1Cycle(), Linear1CycleDrop()):
        assert all(0 < schedule(step, steps) <= 1 for step in range(steps + 1))


def test_only_no_schedule_keeps_what_is_built_into_the_optimizer():
    assert NoSchedule().keeps_built_in
    others = (FixedSchedule(), Linear1Cycle(), Linear1CycleDrop(), Ramp(0.1, 0.5), Geometric(4.0))
    assert not any(schedule.keeps_built_in for schedule in others)
