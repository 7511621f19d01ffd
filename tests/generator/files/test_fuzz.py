"""Mutated files: `CheckpointError` or a network, nothing else. `fuzz_loader.py` does it for as long as one wishes."""

from pathlib import Path

import pytest
from fuzz_loader import Seeds, fuzz, outcome
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def seeds() -> Seeds:
    return Seeds()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rng=st.randoms(use_true_random=False))
def test_a_mutated_file_is_refused_or_loads(rng, seeds, tmp_path: Path):
    path = tmp_path / "mutated"
    path.write_bytes(seeds.mutated(rng))
    assert outcome(path) in ("loaded", "refused")


@pytest.mark.slow
def test_for_ten_minutes(tmp_path):
    counts = fuzz(minutes=10, seed=0, failures=tmp_path)
    assert counts["failed"] == 0 and counts["refused"] > 100, counts
