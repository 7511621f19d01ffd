"""What lies outside of a mask: the term that holds it during the search, and the consistency step that keeps it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.degradation.bicubic import Bicubic
from multimodal_pulse.references.held import Held
from multimodal_pulse.search import ExactConsistency, Hold, Iterate, NoConsistency, NoisyConsistency

SIDE = 64


def pictures(count: int, seed: int) -> torch.Tensor:
    """Pictures of mean brightness with some detail, [count, 3, 64, 64]."""
    rng = torch.Generator().manual_seed(seed)
    return 0.35 + 0.3 * Bicubic(2).upsample(torch.rand(count, 3, 32, 32, generator=rng)).clamp(0, 1)


def held(parent: torch.Tensor) -> Held:
    mask = torch.zeros(1, SIDE, SIDE)
    mask[:, 14:46, 20:60] = 1
    return Held(parent, mask)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 3), st.integers(1, 3), st.floats(0.01, 1), st.integers(0, 1000))
def test_the_term_is_its_formula(problems, samples, sigma, seed):
    rng = np.random.default_rng(seed)
    images = rng.random((problems, samples, 3, 4, 5))
    parent, outside = rng.random((problems * samples, 3, 4, 5)), rng.random((problems * samples, 1, 4, 5))
    latent = torch.zeros(problems * samples, 1)
    iterate = Iterate(
        {"latent": latent}, {"latent": latent}, latent, torch.from_numpy(images), latent[:, 0], 1,
        parent=torch.from_numpy(parent), outside=torch.from_numpy(outside),
    )  # fmt: skip
    expected = [
        sum(((keep * (image - mine)) ** 2).sum() for image, mine in zip(sample, of, strict=True)) / (2 * sigma**2)
        for sample, of, (keep,) in zip(images.reshape(-1, 3, 4, 5), parent, outside, strict=True)
    ]
    assert Hold(1.0, sigma)(iterate).tolist() == pytest.approx(expected, rel=1e-9)
    with pytest.raises(UserError, match="only method=vary has"):
        Hold(1.0, sigma)(replace(iterate, parent=None))


def test_a_sigma_of_nothing_is_refused():
    with pytest.raises(UserError, match=r"objective\.terms\.hold\.sigma=0"):
        Hold(1.0, 0.0)


@pytest.mark.parametrize("factor", [4, 8])
def test_consistency_changes_what_may_change_and_nothing_else(factor):
    degradation, parent = Bicubic(factor), pictures(1, 0)[0]
    keeps, samples, lr = held(parent), pictures(3, 1), degradation(parent[None])[0]
    found = ExactConsistency()(samples, lr, degradation, held=keeps)
    outside = ~keeps.inside[0]
    assert torch.equal(found[:, :, outside], parent[:, outside].expand(3, -1, -1))
    assert -10 * (degradation(found) - lr).square().mean(dim=(1, 2, 3)).log10().max() > 80
    assert (found - keeps.blended(samples))[:, :, keeps.inside[0]].abs().max() > 0.01  # which alone would not do
    assert (found[0] - found[1])[:, keeps.inside[0]].square().mean().sqrt() > 0.01


def test_it_is_the_picture_that_changes_the_least_where_less_may_change_less():
    """Both conditions of the minimum of |(x - x0) / sqrt(w)|^2 with A x = lr: it holds, and x - x0 = w A^T c."""
    degradation, parent = Bicubic(8), pictures(1, 0)[0].double()
    keeps, samples, lr = held(parent), pictures(1, 1).double(), degradation(parent[None])[0]
    found = ExactConsistency(rounds=1000)(samples, lr, degradation, held=keeps)
    assert -10 * (degradation(found) - lr).square().mean().log10() > 99
    rows = degradation.transpose(torch.eye(64, dtype=torch.float64).view(64, 1, 8, 8)).view(64, -1)
    moved = (found - keeps.blended(samples)).view(3, -1).T
    span = (keeps.weight.double().flatten() * rows).T
    left = moved - span @ torch.linalg.lstsq(span, moved, driver="gelsd").solution
    assert left.abs().max() < 1e-9 < 0.05 < moved.abs().max()


@pytest.mark.parametrize("consistency", [NoConsistency(), NoisyConsistency(0.02), ExactConsistency()])
@pytest.mark.parametrize("noise_std", [0.0, 0.03])
def test_every_consistency_keeps_what_is_held(consistency, noise_std):
    degradation, parent = Bicubic(8), pictures(1, 0)[0]
    keeps, samples, lr = held(parent), pictures(2, 1), degradation(parent[None])[0]
    found = consistency(samples, lr, degradation, noise_std, keeps)
    outside = ~keeps.inside[0]
    assert torch.equal(found[:, :, outside], parent[:, outside].expand(2, -1, -1))
    assert (found - parent)[:, :, keeps.inside[0]].abs().max() > 0.02
