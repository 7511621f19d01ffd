"""Which factor suits pictures of given sizes."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multimodal_pulse.references.auto_factor import chosen_factor, nearest_factor


@given(st.sampled_from([16, 32, 64, 128, 256, 512, 1024]), st.integers(1, 2000))
def test_no_other_power_of_two_is_nearer(resolution: int, side: int) -> None:
    factor = nearest_factor(resolution, side)
    assert factor >= 2 and factor & (factor - 1) == 0 and resolution % factor == 0

    def distance(candidate: int) -> float:
        return abs(math.log(resolution / candidate / side))

    others = (2**power for power in range(1, 11) if 2**power <= resolution)
    assert distance(factor) <= min(map(distance, others)) + 1e-12


@pytest.mark.parametrize(("side", "factor"), [(8, 16), (11, 16), (12, 8), (22, 8), (23, 4), (45, 4), (46, 2), (127, 2)])
def test_of_a_generator_of_128(side: int, factor: int) -> None:
    assert nearest_factor(128, side) == factor


def test_one_picture() -> None:
    assert chosen_factor(128, [50]) == (
        2, "degradation.factor=auto is 2: 64 x 64 is the LR size nearest to the picture's 50 pixels.",
    )  # fmt: skip


def test_of_several_pictures_the_middle_one_decides() -> None:
    factor, why = chosen_factor(128, [100, 9, 30, 31])
    assert factor == 4
    nearest = "32 x 32 is the LR size nearest to the middle one of 4 LR references' 30 pixels."
    assert why == f"degradation.factor=auto is 4: {nearest}"


def test_without_small_pictures_it_is_the_default() -> None:
    assert chosen_factor(256, []) == (8, "degradation.factor=auto is 8: no picture is an LR reference.")
