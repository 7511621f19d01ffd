import math
from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pixel_features import PixelFeatures, pixel_distance
from torch import Tensor

from multimodal_pulse.degradation.bicubic import Bicubic
from multimodal_pulse.metrics.functional import (
    PSNR_CAP_DB,
    best,
    calibration,
    lr_psnr,
    lr_psnr_ntire,
    mean_image_gain,
    mean_image_psnr,
    over_references,
    pairwise_lpips,
    pairwise_rms,
    pixel_std,
    psnr,
    share_below,
    spread,
    ssim,
)
from multimodal_pulse.references.pixels import quantise


def random_pictures(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def numpy_psnr(x: Tensor, y: Tensor) -> float:
    error = np.clip(x.double().numpy(), 0, 1) - np.clip(y.double().numpy(), 0, 1)
    return float(-10 * np.log10(np.mean(error**2)))


def numpy_ssim(x: Tensor, y: Tensor) -> float:
    """Wang et al. 2004, equation 13, every window written out; borders mirrored without repeating the edge."""
    axis = np.arange(-5, 6)
    window = np.exp(-(axis[:, None] ** 2 + axis[None] ** 2) / (2 * 1.5**2))
    window /= window.sum()

    def windows(channel: np.ndarray) -> np.ndarray:
        return np.lib.stride_tricks.sliding_window_view(np.pad(channel, 5, mode="reflect"), (11, 11))

    values = []
    for a, b in zip(x.double().numpy(), y.double().numpy(), strict=True):
        a, b = windows(a), windows(b)
        mean_a, mean_b = (a * window).sum((2, 3)), (b * window).sum((2, 3))
        centered_a, centered_b = a - mean_a[..., None, None], b - mean_b[..., None, None]
        variance_a, variance_b = (centered_a**2 * window).sum((2, 3)), (centered_b**2 * window).sum((2, 3))
        covariance = (centered_a * centered_b * window).sum((2, 3))
        luminance = (2 * mean_a * mean_b + 0.01**2) / (mean_a**2 + mean_b**2 + 0.01**2)
        values.append(luminance * (2 * covariance + 0.03**2) / (variance_a + variance_b + 0.03**2))
    return float(np.mean(values))


def test_psnr_is_taken_per_picture_and_not_pooled():
    hr = random_pictures(3, 20, 24)
    x = torch.stack([hr, hr, hr]) + torch.tensor([0.3, 0.05, 0.001])[:, None, None, None]
    scores = psnr(x, hr)
    assert scores.shape == (3,)
    torch.testing.assert_close(scores, torch.tensor([numpy_psnr(one, hr) for one in x]), rtol=0, atol=1e-3)
    pooled = -10 * math.log10(float((x.clamp(0, 1) - hr).square().mean()))
    assert abs(float(scores.mean()) - pooled) > 5


@settings(deadline=None, max_examples=40)
@given(st.floats(1e-4, 0.5))
def test_psnr_of_a_constant_offset_is_its_definition(offset: float):
    x = torch.full((1, 3, 12, 12), 0.25, dtype=torch.float64)
    assert float(psnr(x + offset, x)) == pytest.approx(-20 * math.log10(offset), rel=1e-6)


def test_identical_pictures_score_the_cap():
    x = random_pictures(2, 3, 16, 16)
    assert psnr(x, x).tolist() == [PSNR_CAP_DB, PSNR_CAP_DB]


def test_scores_see_pictures_clamped():
    hr = random_pictures(1, 3, 16, 16)
    wild = 3 * random_pictures(1, 3, 16, 16, seed=1) - 1
    assert torch.equal(psnr(wild, hr), psnr(wild.clamp(0, 1), hr))
    assert torch.equal(ssim(wild, hr), ssim(wild.clamp(0, 1), hr))
    assert torch.equal(pairwise_rms(torch.cat([wild, hr])), pairwise_rms(torch.cat([wild, hr]).clamp(0, 1)))


def test_ssim_equals_the_written_out_definition():
    hr = random_pictures(3, 26, 31)
    x = torch.stack([hr + 0.1 * random_pictures(3, 26, 31, seed=k) for k in (1, 2)]).clamp(0, 1)
    smooth = torch.linspace(0, 1, 31).expand(3, 26, 31)
    x = torch.cat([x, smooth[None]])
    torch.testing.assert_close(ssim(x, hr), torch.tensor([numpy_ssim(one, hr) for one in x]), rtol=0, atol=2e-6)


def test_ssim_refuses_pictures_smaller_than_its_window():
    with pytest.raises(ValueError, match="11 pixels"):
        ssim(torch.zeros(1, 3, 10, 40), torch.zeros(1, 3, 10, 40))


def test_lr_psnr_compares_the_downsampled_picture_with_the_reference():
    x, lr = random_pictures(2, 3, 32, 32), random_pictures(3, 4, 4, seed=1)
    scores = lr_psnr(x, lr, lambda pictures: pictures.unflatten(-1, (4, 8)).unflatten(-3, (4, 8)).mean((-1, -3)))
    blocks = x.numpy().reshape(2, 3, 4, 8, 4, 8).mean((3, 5))
    torch.testing.assert_close(
        scores, torch.tensor([numpy_psnr(torch.tensor(one), lr) for one in blocks]), rtol=0, atol=1e-4
    )
    degradation = Bicubic(8)
    assert lr_psnr(x, degradation(x), degradation).tolist() == [PSNR_CAP_DB, PSNR_CAP_DB]


@settings(deadline=None, max_examples=40)
@given(st.integers(2, 6), st.integers(0, 1000))
def test_pairwise_rms_is_the_mean_over_pairs_in_grey_levels(samples: int, seed: int):
    x = random_pictures(samples, 3, 5, 7, seed=seed)
    arrays = x.double().numpy()
    pairs = [255 * np.sqrt(np.mean((a - b) ** 2)) for a, b in combinations(arrays, 2)]
    assert float(pairwise_rms(x)) == pytest.approx(float(np.mean(pairs)), rel=1e-5)


def shrunk_and_rounded(grid: np.ndarray, factor: int) -> np.ndarray:
    """Whole grey levels [n, m] -> [n / factor, m]: MATLAB's imresize along one axis of an 8-bit picture.

    Keys' cubic, widened by the factor; borders mirrored with the edge repeated; the result rounded to whole levels.
    """

    def cubic(x: float) -> float:
        inner, outer = 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
        return inner if x <= 1 else outer if x <= 2 else 0.0

    n = len(grid)
    result = np.zeros((n // factor, grid.shape[1]))
    for row in range(n // factor):
        center = factor * (row + 0.5) - 0.5
        weights = {tap: cubic(abs(tap - center) / factor) for tap in range((row - 3) * factor, (row + 4) * factor)}
        for tap, weight in weights.items():
            inside = tap % (2 * n)
            result[row] += weight / sum(weights.values()) * grid[min(inside, 2 * n - 1 - inside)]
    return np.rint(result.clip(0, 255))


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_ntires_lr_psnr_rounds_the_file_and_then_each_axis(factor: int):
    x, lr = random_pictures(2, 3, 32, 48), quantise(random_pictures(3, 32 // factor, 48 // factor, seed=1))
    expected = []
    for picture in np.rint(255 * x.double().numpy()):
        small = [shrunk_and_rounded(shrunk_and_rounded(colour, factor).T, factor).T for colour in picture]
        mean_square = np.mean((np.stack(small) - np.rint(255 * lr.double().numpy())) ** 2)
        expected.append(10 * np.log10(255**2 / mean_square))
    assert lr_psnr_ntire(x, lr).tolist() == pytest.approx(expected, abs=1e-5)


def test_ntires_lr_psnr_of_the_original_is_what_rounding_leaves():
    hr, degradation = quantise(random_pictures(1, 3, 64, 64)), Bicubic(4)
    lr = quantise(degradation(hr))[0]
    assert 55 < float(lr_psnr_ntire(hr, lr)) < 62
    assert float(lr_psnr_ntire(torch.full((1, 3, 64, 64), 0.2), torch.full((3, 16, 16), 0.2))) == PSNR_CAP_DB


@settings(deadline=None, max_examples=40)
@given(st.integers(2, 6), st.integers(0, 1000))
def test_pixel_std_is_the_unbiased_one_in_grey_levels(samples: int, seed: int):
    x = 1.2 * random_pictures(samples, 3, 4, 5, seed=seed) - 0.1
    pixels = 255 * x.double().clamp(0, 1).reshape(samples, -1).numpy().T
    deviations = [math.sqrt(sum((v - sum(p) / samples) ** 2 for v in p) / (samples - 1)) for p in pixels.tolist()]
    assert float(pixel_std(x)) == pytest.approx(sum(deviations) / len(deviations), rel=1e-6)
    assert float(pixel_std(x.flip(0))) == pytest.approx(float(pixel_std(x)), rel=1e-9)
    assert float(pixel_std(x[:1].expand(samples, -1, -1, -1))) == pytest.approx(0, abs=1e-6)


def test_twice_the_pixel_variance_is_the_mean_squared_difference_of_two_samples():
    offsets = torch.tensor([0.1, 0.25, 0.3, 0.8])
    x = offsets[:, None, None, None].expand(4, 3, 2, 2)
    squares = [(255 * (a - b)) ** 2 for a, b in combinations(offsets.tolist(), 2)]
    assert 2 * float(pixel_std(x)) ** 2 == pytest.approx(np.mean(squares), rel=1e-6)


def test_distances_of_fewer_than_two_samples_do_not_exist():
    for samples in (torch.zeros(1, 3, 4, 4), torch.zeros(0, 3, 4, 4)):
        assert math.isnan(pairwise_rms(samples)) and math.isnan(pixel_std(samples))
        assert math.isnan(pairwise_lpips(PixelFeatures().features(samples)))


def test_pairwise_lpips_takes_every_pair_once():
    samples = random_pictures(3, 3, 8, 8)
    pairs = [float(pixel_distance(samples[a, None], samples[b])) for a, b in ((0, 1), (0, 2), (1, 2))]
    assert float(pairwise_lpips(PixelFeatures().features(samples))) == pytest.approx(sum(pairs) / 3, rel=1e-5)


def posterior(samples: int, spread: float) -> tuple[Tensor, Tensor]:
    """Draws around the same grey: an original, and samples with `spread` times its standard deviation."""
    generator = torch.Generator().manual_seed(samples)
    noise = torch.randn(samples + 1, 3, 64, 64, generator=generator)
    return 0.5 + 0.05 * spread * noise[1:], 0.5 + 0.05 * noise[0]


@pytest.mark.parametrize("samples", [2, 4, 16])
def test_an_ideal_posterior_has_calibration_one_and_the_gain_of_theory(samples: int):
    drawn, hr = posterior(samples, spread=1.0)
    assert float(calibration(drawn, hr)) == pytest.approx(1.0, abs=0.02)
    assert float(mean_image_gain(drawn, hr)) == pytest.approx(10 * math.log10(2 * samples / (samples + 1)), abs=0.1)


@pytest.mark.parametrize("spread", [0.5, 2.0])
def test_calibration_is_below_one_for_samples_that_differ_too_little(spread: float):
    drawn, hr = posterior(8, spread)
    expected = math.sqrt(2 * spread**2 / (1 + spread**2))
    assert float(calibration(drawn, hr)) == pytest.approx(expected, abs=0.02)
    assert (expected < 1) == (spread < 1)


def test_calibration_is_its_definition():
    samples, hr = random_pictures(3, 3, 8, 8), random_pictures(3, 8, 8, seed=1)
    pairs = [(samples[a] - samples[b]).square().mean().item() for a, b in ((0, 1), (0, 2), (1, 2))]
    errors = [(sample - hr).square().mean().item() for sample in samples]
    assert float(calibration(samples, hr)) == pytest.approx(math.sqrt(sum(pairs) / sum(errors)), rel=1e-5)


def test_the_spread_is_the_standard_deviation_of_each_pixel():
    samples = random_pictures(5, 3, 6, 7)
    expected = 255 * np.sqrt(samples.double().numpy().var(axis=0, ddof=1).mean(axis=0))
    assert spread(samples).numpy() == pytest.approx(expected)
    assert spread(samples[:1]).isnan().all()


def test_one_sample_has_no_calibration_and_its_mean_no_gain():
    samples, hr = random_pictures(1, 3, 16, 16), random_pictures(3, 16, 16, seed=1)
    assert calibration(samples, hr).isnan() and mean_image_gain(samples, hr).isnan()


def test_the_mean_of_the_samples_is_scored_unrounded():
    hr, samples = random_pictures(3, 12, 12), quantise(random_pictures(4, 3, 12, 12, seed=1))
    mean = torch.tensor(samples.double().numpy().mean(0))
    assert float(mean_image_psnr(samples, hr)) == pytest.approx(numpy_psnr(mean, hr), abs=1e-4)
    assert float(mean_image_psnr(samples, hr)) > float(psnr(samples, hr).max())
    assert float(mean_image_psnr(samples[:1], hr)) == pytest.approx(float(psnr(samples[:1], hr)), abs=1e-5)
    assert math.isnan(mean_image_psnr(samples[:0], hr))


@settings(deadline=None, max_examples=40)
@given(st.lists(st.one_of(st.floats(-50, 50), st.just(math.nan)), max_size=6))
def test_the_best_score_and_the_share_below_a_bound(scores: list[float]):
    some = torch.tensor(scores, dtype=torch.float64)
    present = [score for score in scores if not math.isnan(score)]
    assert float(best(some)) == max(present) if present else math.isnan(best(some))
    share = share_below(some, 10.0)
    if scores:
        # A sample that failed has no score, and is no success.
        assert share == pytest.approx(1 - sum(score >= 10 for score in scores) / len(scores))
    else:
        assert math.isnan(share)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_picture_that_is_not_finite_scores_nan_and_leaves_the_others_alone(bad: float):
    hr = random_pictures(3, 16, 16)
    x = random_pictures(2, 3, 16, 16, seed=1)
    broken = x.clone()
    broken[0, 1, 2, 3] = bad
    for score in (psnr, ssim):
        scores = score(broken, hr)
        assert math.isnan(scores[0])
        assert scores[1] == score(x, hr)[1]


def test_autocast_does_not_coarsen_the_scores():
    hr, x = random_pictures(3, 32, 32), random_pictures(2, 3, 32, 32, seed=1)
    degradation = Bicubic(8)
    lr = degradation(hr)
    outside = psnr(x, hr), ssim(x, hr), lr_psnr(x, lr, degradation), pairwise_rms(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = psnr(x, hr), ssim(x, hr), lr_psnr(x, lr, degradation), pairwise_rms(x)
    for before, after in zip(outside, inside, strict=True):
        assert torch.equal(before, after)


def test_half_precision_pictures_are_scored_in_float32():
    x = random_pictures(1, 3, 16, 16).bfloat16()
    assert psnr(x, random_pictures(3, 16, 16)).dtype == torch.float32


def test_shapes_that_cannot_be_compared_are_refused():
    with pytest.raises(ValueError, match=r"\[2, 3, 8, 8\] and \[1, 3, 8, 8\]"):
        psnr(torch.zeros(2, 3, 8, 8), torch.zeros(1, 3, 8, 8))


def test_aggregation_averages_samples_before_references():
    # Two references with one and three samples: the sample mean would be 2.5, and is not what is reported.
    result = over_references([torch.tensor([1.0]), torch.tensor([2.0, 3.0, 4.0])])
    assert result == {"mean": 2.0, "std": 1.0, "min": 1.0}


@settings(deadline=None, max_examples=40)
@given(st.lists(st.lists(st.one_of(st.floats(-50, 50), st.just(math.nan)), min_size=1, max_size=4), max_size=5))
def test_aggregation_ignores_what_does_not_exist(scores: list[list[float]]):
    result = over_references(torch.tensor(values, dtype=torch.float64) for values in scores)
    present = [[value for value in values if not math.isnan(value)] for values in scores]
    means = [np.mean(values) for values in present if values]
    if not means:
        assert all(math.isnan(value) for value in result.values())
    else:
        assert result["mean"] == pytest.approx(np.mean(means), abs=1e-12)
        assert result["std"] == pytest.approx(np.std(means), abs=1e-6)
        assert result["min"] == min(value for values in present for value in values)
