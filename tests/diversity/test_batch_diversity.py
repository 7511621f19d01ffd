import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.degradation import Bicubic
from multimodal_pulse.diversity.batch_diversity import (
    AveragedBatchDiversity,
    BatchDiversity,
    FeatureDistance,
    InsideDistance,
    NoBatchDiversity,
    PixelDistance,
    Repulsion,
)


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
    assert BatchDiversity()(torch.from_numpy(images), None).sum().item() == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_is_unscaled_at_the_report_s_resolution():
    images = torch.zeros(1, 2, 3, 256, 256)
    images[:, 1] = 0.5
    assert BatchDiversity()(images, None).item() == pytest.approx(-2 * 0.5 * np.sqrt(3 * 256 * 256), rel=1e-6)


def test_means_the_same_at_every_resolution():
    images = torch.rand(1, 3, 3, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    enlarged = images.repeat_interleave(4, dim=-1).repeat_interleave(4, dim=-2)
    assert BatchDiversity()(enlarged, None).item() == pytest.approx(BatchDiversity()(images, None).item(), rel=1e-9)


def test_gradient_is_finite_between_identical_images_and_parts_different_ones():
    identical = torch.full((1, 2, 3, 4, 4), 0.5, requires_grad=True)
    BatchDiversity()(identical, None).backward()
    assert torch.equal(identical.grad, torch.zeros_like(identical))

    images = torch.tensor([0.4, 0.6]).view(1, 2, 1, 1, 1).expand(1, 2, 3, 4, 4).clone().requires_grad_()
    BatchDiversity()(images, None).backward()
    assert (images.grad[0, 0] > 0).all() and (images.grad[0, 1] < 0).all()  # a step downhill moves them apart


def test_averaged_counts_each_pair_once_and_divides_by_the_samples():
    images = torch.rand(2, 4, 3, 256, 256, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = [
        -sum(torch.dist(of_reference[i], of_reference[j]) for i in range(4) for j in range(i + 1, 4)) / 4
        for of_reference in images
    ]
    found = AveragedBatchDiversity()(images, None)
    assert found.tolist() == pytest.approx([value.item() for value in expected], rel=1e-9)
    assert (0.02 * found).tolist() == pytest.approx((0.0025 * BatchDiversity()(images, None)).tolist(), rel=1e-12)


def test_off_is_zero_without_a_gradient():
    off = NoBatchDiversity()(torch.rand(3, 2, 3, 4, 4, requires_grad=True), None)
    assert off.tolist() == [0.0] * 6 and not off.requires_grad


def repulsion(images: np.ndarray, distance: float, factor: int) -> float:
    """The definition, pair by pair and with a dense pseudo-inverse: images [K, C, H, W]."""
    size = images.shape[-1]
    columns = torch.eye(size * size, dtype=torch.float64).view(-1, size, size)
    matrix = Bicubic(factor)(columns).flatten(1).T.numpy()  # [h * w, H * W]
    hidden = images.reshape(*images.shape[:2], -1) @ (np.eye(size * size) - np.linalg.pinv(matrix) @ matrix).T
    total = 0.0
    for i in range(len(images)):
        for j in range(len(images)):
            if i != j:
                rms = 255 * np.sqrt(((hidden[i] - hidden[j]) ** 2).mean() + 1e-8)  # the gradient stays finite
                total += max(0.0, distance - rms) ** 2
    return total


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 3), st.integers(2, 4), st.sampled_from([(8, 2), (8, 4), (16, 8)]), st.integers(0, 1000))
def test_repulsion_equals_its_definition(num_references, num_samples, sizes, seed):
    size, factor = sizes
    images = 0.2 * np.random.default_rng(seed).random((num_references, num_samples, 3, size, size))
    expected = [repulsion(of_reference, 20.0, factor) for of_reference in images]
    assert Repulsion(PixelDistance(), 20.0)(torch.from_numpy(images), Bicubic(factor)).tolist() == pytest.approx(
        expected, rel=1e-4
    )


def test_repulsion_ends_at_its_distance_and_costs_no_fidelity():
    images = torch.rand(1, 3, 3, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    images.requires_grad_()
    degradation = Bicubic(8)
    assert Repulsion(PixelDistance(), 1.0)(images, degradation).item() == 0  # they are farther apart than that
    Repulsion(PixelDistance(), 200.0)(images, degradation).sum().backward()
    assert degradation(images.grad).abs().max() < 1e-9 * images.grad.abs().max()


class Layers(torch.nn.Module):
    """A stand-in for LPIPS's network: two random layers of unit length, of other sizes."""

    def __init__(self):
        super().__init__()
        rng = torch.Generator().manual_seed(0)
        self.first = torch.nn.Parameter(torch.randn(5, 3, 3, 3, generator=rng), requires_grad=False)
        self.second = torch.nn.Parameter(torch.randn(4, 5, 2, 2, generator=rng), requires_grad=False)

    def forward(self, x):
        first = torch.tanh(torch.nn.functional.conv2d(x, self.first))
        second = torch.tanh(torch.nn.functional.conv2d(first, self.second, stride=2))
        return [layer / (layer.square().sum(dim=1, keepdim=True) + 1e-8).sqrt() for layer in (first, second)]


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 3), st.integers(2, 4), st.integers(0, 1000))
def test_repulsion_of_features_equals_its_definition(num_references, num_samples, seed):
    images = torch.from_numpy(np.random.default_rng(seed).random((num_references, num_samples, 3, 8, 8)))
    expected = []
    for samples in images:
        layers = [[layer[0].numpy() for layer in Layers().double()(sample[None])] for sample in samples]
        apart = [
            100 * sum(((a - b) ** 2).sum(axis=0).mean() for a, b in zip(layers[i], layers[j], strict=True))
            for i in range(num_samples)
            for j in range(num_samples)
            if i != j
        ]
        expected.append(sum(max(0.0, 600.0 - distance) ** 2 for distance in apart))
    found = Repulsion(FeatureDistance(Layers()), 600.0)(images, Bicubic(4))
    assert found.tolist() == pytest.approx(expected, rel=1e-9) and found.max() > 0


def test_the_gradient_of_features_is_that_of_differences_and_reaches_the_images_alone():
    images = torch.rand(2, 3, 3, 6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    metric = FeatureDistance(Layers())
    repulsion = Repulsion(metric, 600.0)
    assert torch.autograd.gradcheck(lambda x: repulsion(x, Bicubic(2)), images.requires_grad_())
    repulsion(images, Bicubic(2)).sum().backward()
    assert images.grad.abs().max() > 0 and all(weight.grad is None for weight in metric.network.parameters())


def test_features_of_one_reference_do_not_move_another():
    images = torch.rand(2, 3, 3, 8, 8, generator=torch.Generator().manual_seed(0)).requires_grad_()
    repulsion = Repulsion(FeatureDistance(Layers()), 600.0)
    together = repulsion(images, Bicubic(4))
    assert together.tolist() == pytest.approx([repulsion(one[None], Bicubic(4)).item() for one in images], rel=1e-5)
    together[0].backward()
    assert images.grad[0].abs().max() > 0 and images.grad[1].abs().max() == 0


def test_half_precision_is_left_before_the_features():
    images = torch.rand(1, 2, 3, 8, 8, generator=torch.Generator().manual_seed(0)).bfloat16()
    repulsion = Repulsion(FeatureDistance(Layers()), 600.0)
    assert torch.equal(repulsion(images, Bicubic(4)), repulsion(images.float(), Bicubic(4)))


def test_the_distance_is_the_metric_s_own_unless_it_is_given():
    assert Repulsion(PixelDistance()).distance == PixelDistance.distance
    assert Repulsion(FeatureDistance(Layers())).distance == FeatureDistance.distance
    assert Repulsion(FeatureDistance(Layers()), 3.0).distance == 3.0


def test_repulsion_of_no_distance_is_refused():
    with pytest.raises(UserError, match=r"batch_diversity\.distance=0"):
        Repulsion(PixelDistance(), 0.0)


def test_what_is_coupled_is_one_problem():
    assert NoBatchDiversity().problems(3, 4) == 12
    for coupling in (BatchDiversity(), AveragedBatchDiversity(), Repulsion(PixelDistance(), 1.0)):
        assert coupling.problems(3, 4) == 3


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 2), st.integers(2, 4), st.integers(0, 1000))
def test_the_distance_inside_of_a_mask_equals_its_definition(num_references, num_samples, seed):
    rng, degradation = np.random.default_rng(seed), Bicubic(4)
    images = torch.from_numpy(rng.random((num_references, num_samples, 3, 8, 8)))
    weight = torch.from_numpy(rng.random((1, 8, 8)) * (rng.random((1, 8, 8)) > 0.5))
    if not weight.any():
        return
    found = list(InsideDistance(weight)(images, degradation))
    pairs = [(i, j) for i in range(num_samples) for j in range(i + 1, num_samples)]
    for distance, (i, j) in zip(found, pairs, strict=True):
        change = weight * (images[:, i] - images[:, j])
        hidden = change - degradation.pseudo_inverse(degradation(change))
        share = (weight**2).sum() / weight.numel()
        expected = 255 * (hidden.square().mean(dim=(1, 2, 3)) / share).sqrt()
        assert distance.tolist() == pytest.approx(expected.tolist(), rel=1e-5, abs=0.05)


def test_the_distance_inside_of_a_white_mask_is_that_of_pixels_and_moves_nothing_outside():
    images = torch.rand(1, 3, 3, 8, 8, generator=torch.Generator().manual_seed(0)).requires_grad_()
    everywhere, degradation = InsideDistance(torch.ones(1, 8, 8)), Bicubic(4)
    for one, other in zip(everywhere(images, degradation), PixelDistance()(images, degradation), strict=True):
        assert torch.allclose(one, other, rtol=1e-5)
    weight = torch.zeros(1, 8, 8)
    weight[:, 2:5, 3:] = 1
    Repulsion(InsideDistance(weight), 300.0)(images, degradation).sum().backward()
    assert images.grad[..., weight[0] == 1].abs().min() > 0 and not images.grad[..., weight[0] == 0].any()
