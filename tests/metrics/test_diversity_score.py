import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from places import SHARED
from torch import Tensor

from multimodal_pulse.metrics.diversity_score import diversity_score, squared_error_maps
from multimodal_pulse.metrics.functional import psnr
from multimodal_pulse.metrics.lpips import build_lpips
from multimodal_pulse.references.pixels import load_rgb

EXAMPLES = SHARED / "lpips" / "examples"

MAPS = npst.arrays(
    np.float64, st.tuples(st.integers(2, 5), st.integers(1, 6), st.integers(1, 6)), elements=st.floats(0, 10)
)


def score_in_loops(maps: np.ndarray) -> float:
    samples, height, width = maps.shape
    whole = min(sum(maps[i, y, x] for y in range(height) for x in range(width)) for i in range(samples))
    pieced = sum(min(maps[i, y, x] for i in range(samples)) for y in range(height) for x in range(width))
    return 100 * (whole - pieced) / whole if whole > pieced else 0.0


SMALLEST = 5e-324
"""The smallest number above 0: a mean of it and zeros is 0, a sum is not."""


@settings(deadline=None, max_examples=40)
@given(MAPS)
@example(np.array([[[SMALLEST, 0]], [[0, SMALLEST]]]))
@example(np.array([[[SMALLEST, 0]], [[0, 10]]]))
@example(np.array([[[3e-320, 1e-320, 0]], [[1e-320, 1e-320, 9]]]))
@example(np.array([[[1e300, 0]], [[0, SMALLEST]]]))
def test_the_score_equals_loops_over_samples_and_pixels(maps: np.ndarray):
    assert float(diversity_score(torch.tensor(maps))) == pytest.approx(score_in_loops(maps), abs=1e-9)


@settings(deadline=None, max_examples=40)
@given(MAPS, st.permutations(range(5)), st.sampled_from([torch.float32, torch.float64]))
def test_the_score_lies_between_0_and_100_whatever_the_order_and_the_scale(maps, order, dtype):
    some = torch.tensor(maps, dtype=dtype)
    score = diversity_score(some)
    assert 0 <= float(score) <= 100
    shuffled = some[[i for i in order if i < len(some)]]
    assert float(diversity_score(shuffled)) == pytest.approx(float(score), abs=1e-9)
    assert float(diversity_score(4 * shuffled)) == pytest.approx(float(score), abs=1e-9)


@pytest.mark.parametrize("unit", [SMALLEST, 1e-310, 1e-200, 1.0, 1e200, 4e307])
def test_the_score_does_not_depend_on_the_unit_of_the_maps(unit: float):
    maps = torch.tensor([[[4.0, 1.0]], [[1.0, 4.0]]], dtype=torch.float64)
    assert float(diversity_score(unit * maps)) == pytest.approx(60)


@settings(deadline=None, max_examples=40)
@given(MAPS, st.integers(2, 6))
def test_identical_samples_score_nothing(maps: np.ndarray, samples: int):
    assert float(diversity_score(torch.tensor(maps[:1]).expand(samples, -1, -1))) == 0


def test_samples_that_are_right_in_different_places_score_all():
    halves = torch.zeros(2, 4, 4)
    halves[0, :, :2] = halves[1, :, 2:] = 3.0
    assert float(diversity_score(halves)) == 100
    # One that is worse everywhere changes nothing, and the best of two that differ everywhere scores nothing.
    assert float(diversity_score(torch.cat([halves, halves.sum(0, keepdim=True)]))) == 100
    assert float(diversity_score(torch.stack([torch.ones(4, 4), torch.full((4, 4), 2.0)]))) == 0


def test_a_perfect_sample_leaves_nothing_to_score():
    assert float(diversity_score(torch.stack([torch.zeros(4, 4), torch.ones(4, 4)]))) == 0


@pytest.mark.parametrize("maps", [torch.ones(1, 4, 4), torch.ones(0, 4, 4), torch.full((3, 4, 4), math.nan)])
def test_without_a_choice_or_a_map_there_is_no_score(maps: Tensor):
    assert math.isnan(diversity_score(maps))


def boxes_in_loops(error: np.ndarray) -> np.ndarray:
    """Every 16 x 16 box that meets the picture: the sum of what is inside, over 256."""
    height, width = error.shape
    result = np.zeros((height + 15, width + 15))
    for top in range(-15, height):
        for left in range(-15, width):
            rows, columns = slice(max(top, 0), top + 16), slice(max(left, 0), left + 16)
            result[top + 15, left + 15] = error[rows, columns].sum() / 256
    return result


@pytest.mark.parametrize("size", [(20, 33), (5, 9)])
def test_squared_error_is_filtered_as_in_the_challenge(size: tuple[int, int]):
    generator = torch.Generator().manual_seed(0)
    samples = 1.4 * torch.rand(2, 3, *size, generator=generator) - 0.2
    hr = torch.rand(3, *size, generator=generator)
    maps = squared_error_maps(samples, hr)
    for found, sample in zip(maps, samples, strict=True):
        error = 255**2 * ((np.clip(sample.double().numpy(), 0, 1) - hr.double().numpy()) ** 2).mean(0)
        np.testing.assert_allclose(found.numpy(), boxes_in_loops(error), rtol=1e-9)
    # The smallest distance of a whole sample is that of the one with the highest PSNR.
    assert maps.mean((1, 2)).argmin() == psnr(samples, hr).argmax()
    mean_squares = maps.sum((1, 2)) / (size[0] * size[1]) / 255**2
    torch.testing.assert_close((-10 * mean_squares.log10()).float(), psnr(samples, hr), rtol=0, atol=1e-3)


def test_the_score_of_real_lpips_maps(torch_home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TORCH_HOME", str(torch_home))
    lpips = build_lpips("alex")
    reference, near, far = (lpips.features(load_rgb(EXAMPLES / f"ex_{name}.png")[None]) for name in ("ref", "p1", "p0"))
    assert float(diversity_score(torch.cat([near.maps(reference)] * 3))) == 0
    maps = torch.cat([near.maps(reference), far.maps(reference)])
    assert float(diversity_score(maps)) == pytest.approx(score_in_loops(maps.double().numpy()), abs=1e-6)
    assert maps.min() >= 0
