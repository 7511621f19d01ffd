import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from multimodal_pulse.diversity.batch_diversity import BatchDiversity, NoBatchDiversity


def equation_1(images: np.ndarray) -> float:
    """Both sums of the report's equation (1), with the pinned scale: images [K, C, H, W]."""
    scale = np.sqrt(3 * 256 * 256 / images[0].size)
    return sum(
        -scale * np.linalg.norm(images[i] - images[j]) for i in range(len(images)) for j in range(len(images)) if i != j
    )


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 3), st.integers(1, 5), st.sampled_from([2, 4, 16]), st.integers(0, 1000))
def test_equals_the_double_loop_per_reference(num_references, num_samples, size, seed):
    images = np.random.default_rng(seed).random((num_references, num_samples, 3, size, size))
    expected = sum(equation_1(of_reference) for of_reference in images)
    assert BatchDiversity()(torch.from_numpy(images)).item() == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_is_unscaled_at_the_report_s_resolution():
    images = torch.zeros(1, 2, 3, 256, 256)
    images[:, 1] = 0.5
    assert BatchDiversity()(images).item() == pytest.approx(-2 * 0.5 * np.sqrt(3 * 256 * 256), rel=1e-6)


def test_means_the_same_at_every_resolution():
    images = torch.rand(1, 3, 3, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    enlarged = images.repeat_interleave(4, dim=-1).repeat_interleave(4, dim=-2)
    assert BatchDiversity()(enlarged).item() == pytest.approx(BatchDiversity()(images).item(), rel=1e-9)


def test_gradient_is_finite_between_identical_images_and_parts_different_ones():
    identical = torch.full((1, 2, 3, 4, 4), 0.5, requires_grad=True)
    BatchDiversity()(identical).backward()
    assert torch.equal(identical.grad, torch.zeros_like(identical))

    images = torch.tensor([0.4, 0.6]).view(1, 2, 1, 1, 1).expand(1, 2, 3, 4, 4).clone().requires_grad_()
    BatchDiversity()(images).backward()
    assert (images.grad[0, 0] > 0).all() and (images.grad[0, 1] < 0).all()  # a step downhill moves them apart


def test_off_is_zero_without_a_gradient():
    off = NoBatchDiversity()(torch.rand(1, 2, 3, 4, 4, requires_grad=True))
    assert off.item() == 0 and not off.requires_grad
