import math
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from places import SHARED
from torch import Tensor
from torchmetrics.image import LearnedPerceptualImagePatchSimilarity

from multimodal_pulse.metrics.backbones import OUTPUTS, Net, backbone
from multimodal_pulse.metrics.deep_features import Features
from multimodal_pulse.metrics.lpips import Lpips, build_lpips
from multimodal_pulse.references.pixels import load_rgb

EXAMPLES = SHARED / "lpips" / "examples"


def random_features(count: int, seed: int, size=(12, 20), grids=((12, 20), (5, 7), (3, 5))) -> Features:
    generator = torch.Generator().manual_seed(seed)
    return Features([torch.rand(count, 4, *grid, generator=generator) for grid in grids], size)


def errors(one: Features, other: Features, i: int, j: int) -> list[np.ndarray]:
    """Squared distance at each position of each layer."""
    pairs = zip(one.layers, other.layers, strict=True)
    return [((a[i].double().numpy() - b[j].double().numpy()) ** 2).sum(0) for a, b in pairs]


def enlarged(grid: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bilinear: output pixel o looks at (o + 1/2) s - 1/2 of the input, nearest where that is outside."""

    def look(at: int, inside: int, outside: int) -> tuple[int, int, float]:
        place = min(max((at + 0.5) * inside / outside - 0.5, 0), inside - 1)
        first = min(int(place), inside - 1)
        return first, min(first + 1, inside - 1), place - first

    result = np.empty((height, width))
    for y in range(height):
        top, bottom, down = look(y, grid.shape[0], height)
        for x in range(width):
            left, right, across = look(x, grid.shape[1], width)
            upper = (1 - across) * grid[top, left] + across * grid[top, right]
            lower = (1 - across) * grid[bottom, left] + across * grid[bottom, right]
            result[y, x] = (1 - down) * upper + down * lower
    return result


def test_distances_and_maps_equal_loops_over_positions():
    one, other = random_features(3, seed=0), random_features(3, seed=1)
    distances = [sum(error.mean() for error in errors(one, other, i, i)) for i in range(3)]
    assert one.distance(other).tolist() == pytest.approx(distances, rel=1e-5)
    for i, found in enumerate(one.maps(other)):
        expected = sum(enlarged(error, 12, 20) for error in errors(one, other, i, i))
        np.testing.assert_allclose(found.numpy(), expected, rtol=2e-5)


def test_the_only_picture_is_compared_with_every_one():
    one, other = random_features(3, seed=0), random_features(1, seed=1)
    distances = [sum(error.mean() for error in errors(one, other, i, 0)) for i in range(3)]
    assert one.distance(other).tolist() == pytest.approx(distances, rel=1e-5)
    assert one.maps(other).shape == (3, 12, 20)


def test_every_pair_is_compared_once_in_order():
    some = random_features(4, seed=0)
    pairs = [sum(error.mean() for error in errors(some, some, i, j)) for i, j in combinations(range(4), 2)]
    assert some.pairwise().tolist() == pytest.approx(pairs, rel=1e-5)
    for few in (some[:1], some[:0]):
        assert few.pairwise().shape == (0,) and len(few) == len(few.layers[0])


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 1000), st.sampled_from([(1, 1), (2, 3), (4, 4), (6, 12)]))
def test_the_mean_of_a_map_is_the_distance_where_layers_divide_the_picture(seed: int, grid: tuple[int, int]):
    one, other = (random_features(2, seed + n, size=(12, 12), grids=(grid, (12, 12))) for n in (0, 1))
    means = one.maps(other).mean(dim=(1, 2))
    torch.testing.assert_close(means, one.distance(other), rtol=1e-5, atol=0)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 1000))
def test_a_distance_is_symmetric_and_zero_to_itself(seed: int):
    one, other = random_features(2, seed), random_features(2, seed + 1)
    assert torch.equal(one.distance(other), other.distance(one))
    assert torch.equal(one.maps(other), other.maps(one))
    assert not one.distance(one).any() and not one.maps(one).any()


def test_what_is_unknown_is_nan_in_every_comparison():
    unknown = Features.unknown(torch.zeros(3, 3, 8, 10))
    assert len(unknown) == 3
    for other in (unknown, unknown[:1]):
        assert unknown.distance(other).isnan().all() and unknown.distance(other).shape == (3,)
        assert unknown.maps(other).isnan().all() and unknown.maps(other).shape == (3, 8, 10)
    assert unknown.pairwise().isnan().all() and len(unknown.pairwise()) == 3


# With the real backbones.


@pytest.fixture(params=["alex", "squeeze"])
def lpips(request: pytest.FixtureRequest, torch_home: Path, monkeypatch: pytest.MonkeyPatch) -> Lpips:
    monkeypatch.setenv("TORCH_HOME", str(torch_home))
    lpips = build_lpips(request.param)
    assert isinstance(lpips, Lpips)
    return lpips


@pytest.fixture
def pictures() -> Tensor:
    """[3, 3, 64, 48]: two variants and, last, what they are variants of."""
    return torch.stack([load_rgb(EXAMPLES / f"ex_{name}.png") for name in ("p0", "p1", "ref")])[..., :48]


def test_distances_equal_those_of_torchmetrics(lpips: Lpips, pictures: Tensor):
    features = lpips.features(pictures)
    metric = LearnedPerceptualImagePatchSimilarity(lpips.net, normalize=True)
    pairs = [float(metric(pictures[i, None], pictures[j, None])) for i, j in combinations(range(3), 2)]
    assert features.pairwise().tolist() == pytest.approx(pairs, rel=1e-4)
    assert features[:2].distance(features[2:]).tolist() == pytest.approx(pairs[1:], rel=1e-4)


def test_maps_equal_those_of_torchmetrics_network(lpips: Lpips, pictures: Tensor):
    features = lpips.features(pictures)
    network = LearnedPerceptualImagePatchSimilarity(lpips.net).net
    network.spatial = True
    expected = network(pictures[:2], pictures[2:].expand(2, -1, -1, -1), normalize=True)[:, 0]
    maps = features[:2].maps(features[2:])
    torch.testing.assert_close(maps, expected, rtol=1e-4, atol=1e-6)
    # No layer of these backbones divides the picture: the mean is the distance up to the borders.
    torch.testing.assert_close(maps.mean((1, 2)), features[:2].distance(features[2:]), rtol=0.02, atol=0)


def test_features_do_not_depend_on_the_other_pictures_or_autocast(lpips: Lpips, pictures: Tensor):
    broken = pictures.clone()
    broken[0, 1, 2, 3] = math.inf
    with torch.autocast("cpu", dtype=torch.bfloat16):
        features = lpips.features(broken)
    whole = lpips.features(pictures)
    distances = features.pairwise()
    assert distances.isnan().tolist() == [True, True, False]
    assert distances[2] == whole.pairwise()[2]


@pytest.mark.parametrize("zipped", [True, False])  # torchvision's vgg16 is in PyTorch's older format
@pytest.mark.parametrize("net", ["alex", "squeeze", "vgg"])
def test_backbones_are_those_of_torchvision(net: Net, zipped: bool, tmp_path: Path):
    make = {"alex": torchvision.models.alexnet, "squeeze": torchvision.models.squeezenet1_1}
    expected = make.get(net, torchvision.models.vgg16)().eval()
    torch.save(expected.state_dict(), tmp_path / "random.pth", _use_new_zipfile_serialization=zipped)
    own = backbone(net, tmp_path / "random.pth")
    x = torch.rand(2, 3, 64, 48)
    for layer, other in zip(own, expected.features, strict=False):
        x, y = layer(x.clone()), other(x.clone())
        torch.testing.assert_close(x, y)
    assert len(own) == OUTPUTS[net][-1] + 1 >= len(expected.features) - 1
    assert not any(weight.requires_grad for weight in own.parameters())
