"""The bootstrap interval of a mean over references."""

import numpy as np
import pytest

from multimodal_pulse.metrics.intervals import estimate


def test_interval_is_that_of_the_normal_distribution_where_it_must_be() -> None:
    values = np.random.default_rng(3).normal(5, 2, size=400)
    found = estimate(values)
    half = 1.96 * values.std() / 20
    assert found.mean == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - half, abs=0.02)
    assert found.high == pytest.approx(values.mean() + half, abs=0.02)


def test_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(4)
    hits = 0
    for _ in range(100):
        found = estimate(rng.normal(1, 1, size=40))
        hits += found.low <= 1 <= found.high
    assert 86 <= hits <= 100  # 95 expected; 86 and fewer have a probability of 2e-4
