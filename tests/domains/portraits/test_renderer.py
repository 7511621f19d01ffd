"""The procedural portraits: contract of the renderer, alignment, splits, and what its random detail is for."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from multimodal_pulse.domains.portraits.renderer import (
    FACTORS,
    NUM_FACTORS,
    SPLITS,
    mouth_mask,
    render,
    render_seeds,
    sample_factors,
    split_seeds,
)

SEEDS = list(split_seeds("validation", 24))


@pytest.fixture(scope="module")
def factors() -> Tensor:
    return sample_factors(SEEDS)


@pytest.fixture(scope="module")
def portraits(factors: Tensor) -> Tensor:
    return render(factors, SEEDS)


def rms(difference: Tensor) -> float:
    return difference.square().mean().sqrt().item()


def downsample(images: Tensor, factor: int) -> Tensor:
    size = images.shape[-1] // factor
    return F.interpolate(images, size=(size, size), mode="bicubic", antialias=True, align_corners=False)


def column(name: str) -> int:
    return [factor.name for factor in FACTORS].index(name)


def test_portraits_are_float32_rgb_in_the_unit_range(portraits: Tensor) -> None:
    assert portraits.shape == (len(SEEDS), 3, 128, 128)
    assert portraits.dtype == torch.float32
    assert portraits.min() >= 0 and portraits.max() <= 1
    assert portraits.std(dim=(1, 2, 3)).min() > 0.05
    assert (portraits[0] - portraits[1]).abs().mean() > 0.02


def test_factors_are_uniform_named_and_one_stream_per_seed(factors: Tensor) -> None:
    assert len({factor.name for factor in FACTORS}) == NUM_FACTORS >= 24
    assert torch.equal(sample_factors(SEEDS[5:7]), factors[5:7])
    many = sample_factors(range(2000))
    assert many.min() >= 0 and many.max() < 1
    # standard error of a mean of 2000 uniform values: 0.0065
    assert (many.mean(0) - 0.5).abs().max() < 0.033
    assert torch.corrcoef(many.T).fill_diagonal_(0).abs().max() < 0.12
    assert sample_factors([]).shape == (0, NUM_FACTORS)


@pytest.mark.parametrize("resolution", [32, 100, 128])
def test_a_row_does_not_depend_on_its_batch_mates(factors: Tensor, resolution: int) -> None:
    batch = render(factors[:11], SEEDS[:11], resolution)
    alone = render(factors[9:10], SEEDS[9:10], resolution)
    reordered = render(factors[[9, 3]], [SEEDS[9], SEEDS[3]], resolution)
    torch.testing.assert_close(batch[9:10], alone, rtol=0, atol=1e-6)
    torch.testing.assert_close(batch[[9, 3]], reordered, rtol=0, atol=1e-6)


def test_rendering_is_deterministic_and_leaves_the_global_stream_alone(factors: Tensor, portraits: Tensor) -> None:
    state = torch.get_rng_state()
    assert torch.equal(render(factors[:8], SEEDS[:8]), portraits[:8])
    assert torch.equal(torch.get_rng_state(), state)


def test_render_seeds_follows_from_the_seeds() -> None:
    first = render_seeds(SEEDS[:3])
    assert torch.equal(first, render_seeds(SEEDS[:3]))
    torch.testing.assert_close(first[2:], render_seeds(SEEDS[2:3]), rtol=0, atol=1e-6)


@pytest.mark.parametrize("resolution", [16, 50, 64, 256])
def test_every_resolution_shows_the_same_portrait(factors: Tensor, portraits: Tensor, resolution: int) -> None:
    other = render(factors[:6], SEEDS[:6], resolution)
    assert other.shape == (6, 3, resolution, resolution)
    if resolution == 256:
        # measured 0.0147: film grain alone gives 0.012 * sqrt(1 + 1/4) = 0.0134, sampling of strands and edges the rest
        assert rms(F.avg_pool2d(other, 2) - portraits[:6]) < 0.02
    coarse = min(16, resolution)
    shrunk = [F.interpolate(x, size=(coarse, coarse), mode="area") for x in (other, portraits[:6])]
    assert rms(shrunk[0] - shrunk[1]) < 0.02


def test_every_factor_changes_the_picture(factors: Tensor) -> None:
    base = factors[:4].clone()
    base[:, column("glasses")] = 0.9
    base[:2, column("beard")], base[:2, column("presentation")] = 0.1, 0.1
    base[2:, column("presentation")] = 0.8
    base[:, column("age")] = 0.7
    base[:, column("hair_grey")] = 0.4
    before = render(base, SEEDS[:4], 64)
    changed = base.repeat(NUM_FACTORS, 1, 1)
    for index in range(NUM_FACTORS):
        changed[index, :, index] = torch.where(base[:, index] < 0.5, 0.98, 0.02)
    after = render(changed.flatten(0, 1), SEEDS[:4] * NUM_FACTORS, 64).unflatten(0, (NUM_FACTORS, 4))
    difference = (after - before).abs().amax(dim=(1, 2, 3, 4))
    assert [factor.name for factor, change in zip(FACTORS, difference, strict=True) if change < 0.04] == []


def test_detail_seed_changes_pixels_but_hardly_the_degraded_picture(factors: Tensor, portraits: Tensor) -> None:
    other = render(factors, [seed + 7 for seed in SEEDS])
    pixels = rms(other - portraits) / 2**0.5
    degraded = rms(downsample(other, 8) - downsample(portraits, 8)) / 2**0.5
    assert pixels > 0.025
    assert degraded < 0.5 * pixels
    assert (other - portraits).square().mean((1, 2, 3)).min() > 0.012**2


def test_the_degradation_hides_real_energy(portraits: Tensor) -> None:
    identity = torch.eye(128)[None, None]
    matrix = F.interpolate(identity, size=(16, 128), mode="bicubic", antialias=True, align_corners=False)[0, 0]
    visible = torch.linalg.pinv(matrix) @ matrix
    hidden = portraits - visible @ portraits @ visible.T
    assert 0.04 < rms(hidden) < 0.08  # measured 0.07


def test_eyes_are_where_the_alignment_puts_them(factors: Tensor) -> None:
    plain = factors.clone()
    plain[:, column("glasses")] = 0
    plain[:, column("gaze")] = 0.5
    plain[:, column("fringe")] = 0
    plain[:, column("shift_x")] = 0.5
    plain[:, column("shift_y")] = 0.5
    plain[:, column("eye_spacing")] = 0.5
    plain[:, column("skin_tone")] = 0.1
    plain[:, column("eye_colour")] = 0
    mean = render(plain, SEEDS, 128).mean(dim=(0, 1))
    for centre in (0.38, 0.62):
        rows, columns = slice(52, 70), slice(round(centre * 128) - 9, round(centre * 128) + 9)
        darkness = (0.45 - mean[rows, columns]).clamp(min=0)
        y = (torch.arange(rows.start, rows.stop) + 0.5) / 128
        x = (torch.arange(columns.start, columns.stop) + 0.5) / 128
        assert abs((darkness.sum(0) @ x / darkness.sum()).item() - centre) < 0.01
        assert abs((darkness.sum(1) @ y / darkness.sum()).item() - 0.475) < 0.015


def test_mouth_mask_holds_every_change_of_the_mouth(factors: Tensor) -> None:
    mask = mouth_mask(128)
    assert mask.shape == (1, 1, 128, 128)
    assert mask.min() == 0 and mask.max() == 1 and 0.02 < mask.mean() < 0.1
    changed = factors.clone()
    for name in ("lip_colour", "lip_fullness", "mouth_open"):
        changed[:, column(name)] = 1 - changed[:, column(name)]
    difference = (render(changed, SEEDS) - render(factors, SEEDS)).square().sum(dim=(0, 1))
    assert (difference * mask[0, 0]).sum() / difference.sum() > 0.97


def test_splits_are_disjoint_and_large() -> None:
    ranges = sorted(SPLITS.values(), key=lambda seeds: seeds.start)
    assert set(SPLITS) == {"train", "validation", "test"}
    assert all(first.stop <= second.start for first, second in zip(ranges, ranges[1:], strict=False))
    assert len(SPLITS["train"]) >= 10_000_000 and min(map(len, ranges)) >= 100_000
    assert ranges[-1].stop <= 2**32
    assert list(split_seeds("test", 2, start=3)) == [SPLITS["test"].start + 3, SPLITS["test"].start + 4]


@pytest.mark.parametrize(("split", "count", "start"), [("training", 1, 0), ("test", 10**9, 0), ("test", 1, -1)])
def test_split_seeds_refuses_what_it_does_not_hold(split: str, count: int, start: int) -> None:
    with pytest.raises(ValueError, match="split"):
        split_seeds(split, count, start)


def test_render_refuses_wrong_input(factors: Tensor) -> None:
    with pytest.raises(ValueError, match="factors"):
        render(factors[:, 1:], SEEDS)
    with pytest.raises(ValueError, match="detail seeds"):
        render(factors, SEEDS[1:])
    with pytest.raises(ValueError, match="resolution"):
        render(factors, SEEDS, 8)
