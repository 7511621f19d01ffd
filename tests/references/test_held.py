"""What samples keep of their parent: the weight of a mask, and masks that cannot be used."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.references.held import NOTHING, Held

SIDE = 32
STD = SIDE / 85


def held(mask: torch.Tensor) -> Held:
    return Held(torch.rand(3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)), mask[None])


def weight_by_loops(mask: torch.Tensor, y: int, x: int) -> float:
    """Twice the Gaussian average around a pixel, minus one; beyond the picture its edge goes on."""
    total = weighted = 0.0
    for dy in range(-4, 5):
        for dx in range(-4, 5):
            share = math.exp(-(dy**2 + dx**2) / (2 * STD**2))
            total += share
            near = mask[min(max(y + dy, 0), SIDE - 1), min(max(x + dx, 0), SIDE - 1)] > 0.5
            weighted += share * float(near)
    return max(0.0, 2 * weighted / total - 1) if mask[y, x] > 0.5 else 0.0


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 24), st.integers(0, 24), st.integers(4, 32), st.integers(4, 32), st.data())
def test_the_weight_is_what_it_is_said_to_be(top, left, height, width, data):
    mask = torch.zeros(SIDE, SIDE)
    mask[top : top + height, left : left + width] = data.draw(st.floats(0.51, 1))
    weight = held(mask).weight[0]
    assert weight.max() > 0.9 and not weight[mask == 0].any()
    for _ in range(5):
        y, x = (data.draw(st.integers(0, SIDE - 1)) for _ in range(2))
        assert weight[y, x].item() == pytest.approx(weight_by_loops(mask, y, x), abs=1e-5)


def test_samples_are_their_own_deep_inside_and_the_parent_s_outside():
    mask = torch.zeros(SIDE, SIDE)
    mask[8:24, 8:24] = 1
    keeps = held(mask)
    samples = torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    blended = keeps.blended(samples)
    outside = ~keeps.inside[0]
    assert torch.equal(blended[:, :, outside], keeps.parent[:, outside].expand(2, -1, -1))
    assert torch.allclose(blended[:, :, 12:20, 12:20], samples[:, :, 12:20, 12:20], atol=1e-5)
    assert torch.equal(NOTHING.blended(samples), samples) and torch.equal(NOTHING.share(samples), samples)


def test_a_white_mask_lets_everything_change():
    assert torch.allclose(held(torch.ones(SIDE, SIDE)).weight, torch.ones(1, SIDE, SIDE))


def test_masks_that_cannot_be_meant_are_refused():
    thin = torch.zeros(128, 128)
    thin[60] = 1
    for mask, words in (
        (torch.ones(16, 32), "32 x 16 pixels; it must be 32 x 32"),
        (torch.full((SIDE, SIDE), 8 / 255), "black everywhere"),
    ):
        with pytest.raises(UserError, match=words):
            held(mask)
    with pytest.raises(UserError, match="wider brush"):
        Held(torch.rand(3, 128, 128), thin[None])
