import pytest

from multimodal_pulse.search.schedules import FixedSchedule, Linear1Cycle, Linear1CycleDrop, NoSchedule


def test_linear1cycle_rises_to_half_time_and_falls_again():
    schedule = Linear1Cycle()
    assert [schedule(step, 100) for step in (0, 25, 50, 75, 100)] == pytest.approx([0.1, 0.55, 1.0, 0.55, 0.1])


def test_linear1cycledrop_has_a_tail_that_ends_at_a_thousandth():
    schedule = Linear1CycleDrop()
    factors = [schedule(step, 100) for step in (0, 45, 89, 90, 95, 100)]
    assert factors == pytest.approx([0.1, 1.0, 0.12, 0.1, 0.0505, 0.001])


@pytest.mark.parametrize("steps", [1, 2, 3, 7, 100])
def test_every_factor_is_positive_and_at_most_one(steps):
    for schedule in (NoSchedule(), FixedSchedule(), Linear1Cycle(), Linear1CycleDrop()):
        assert all(0 < schedule(step, steps) <= 1 for step in range(steps + 1))


def test_only_no_schedule_keeps_what_is_built_into_the_optimizer():
    assert NoSchedule().keeps_built_in
    assert not any(schedule.keeps_built_in for schedule in (FixedSchedule(), Linear1Cycle(), Linear1CycleDrop()))
