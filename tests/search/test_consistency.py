"""ExactConsistency against the definition of what it computes, and on the 8-bit values of a saved file."""

import math

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from operators import ILL_CONDITIONED, OPERATORS, dense, original_shape
from torch import Tensor

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.degradation.bicubic import Bicubic
from multimodal_pulse.references.pixels import quantise
from multimodal_pulse.search.consistency import ExactConsistency, NoConsistency, NoisyConsistency, lr_psnr_bound


def smooth_noise(*shape: int, cell: int, contrast: float, seed: int) -> Tensor:
    """Random blobs, `cell` pixels wide, clipped to [0, 1]; a high contrast makes most pixels black or white."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(*shape[:-2], shape[-2] // cell, shape[-1] // cell, generator=generator)
    return ((Bicubic(cell).upsample(coarse) - 0.5) * contrast + 0.5).clamp(0, 1)


def lr_psnr(images: Tensor, lr: Tensor, degradation: Bicubic) -> Tensor:
    return -10 * (degradation(images.double()) - lr.double()).square().mean(dim=(1, 2, 3)).log10()


@settings(deadline=None, max_examples=12)
@given(
    factor=st.sampled_from([2, 4, 8, 16]),
    cell=st.sampled_from([4, 8, 16]),
    contrast=st.floats(0.1, 4.0),
    seed=st.integers(0, 2**31),
)
def test_saved_values_reach_60_db(factor: int, cell: int, contrast: float, seed: int) -> None:
    degradation = Bicubic(factor)
    original = quantise(smooth_noise(3, 64, 64, cell=cell, contrast=contrast, seed=seed))
    lr = quantise(degradation(original))
    samples = smooth_noise(2, 3, 64, 64, cell=4, contrast=2.0, seed=seed + 1)
    result = ExactConsistency()(samples, lr, degradation)
    assert result.min() >= 0 and result.max() <= 1
    assert lr_psnr(quantise(result), lr, degradation).min() >= 60


def test_saved_values_of_ordinary_pictures_reach_70_db() -> None:
    degradation = Bicubic(8)
    lr = quantise(degradation(quantise(smooth_noise(3, 128, 128, cell=8, contrast=1.2, seed=0))))
    samples = smooth_noise(4, 3, 128, 128, cell=4, contrast=1.2, seed=1)
    assert lr_psnr(samples, lr, degradation).max() < 30
    result = ExactConsistency()(samples, lr, degradation)
    assert lr_psnr(result, lr, degradation).min() > 95
    assert lr_psnr(quantise(result), lr, degradation).min() > 70


def test_it_is_the_nearest_feasible_picture() -> None:
    degradation = Bicubic(4)
    lr = quantise(degradation(smooth_noise(3, 32, 32, cell=8, contrast=2.5, seed=0))).double()
    sample = smooth_noise(1, 3, 32, 32, cell=4, contrast=2.5, seed=1).double()
    result = ExactConsistency(rounds=2000)(sample, lr, degradation)
    move = result - sample
    # The nearest point of a convex set: <result - sample, other - result> >= 0 for every other point of it.
    for seed in range(2, 6):
        start = smooth_noise(1, 3, 32, 32, cell=4, contrast=2.5, seed=seed).double()
        other = ExactConsistency(rounds=2000)(start, lr, degradation)
        assert (move * (other - result)).sum() > -1e-3 * move.norm() * (other - result).norm()
    assert (result == 0).any() and (result == 1).any()  # the bounds were active, so that the check was not trivial


def test_first_round_is_the_closed_form() -> None:
    degradation = Bicubic(8)
    samples = smooth_noise(2, 3, 32, 32, cell=4, contrast=2.0, seed=0)
    lr = torch.full((3, 4, 4), 0.5)
    expected = (samples + degradation.pseudo_inverse(lr - degradation(samples))).clamp(0, 1)
    assert torch.allclose(ExactConsistency(rounds=1)(samples, lr, degradation), expected, atol=1e-6)


def test_a_consistent_sample_is_left_alone() -> None:
    degradation = Bicubic(8)
    lr = quantise(torch.rand(3, 4, 4, generator=torch.Generator().manual_seed(0)) * 0.2 + 0.4)
    samples = degradation.pseudo_inverse(lr)[None]
    assert samples.min() > 0 and samples.max() < 1
    assert torch.equal(ExactConsistency()(samples, lr, degradation), samples)


def test_a_sample_does_not_depend_on_the_others() -> None:
    degradation = Bicubic(4)
    lr = quantise(degradation(smooth_noise(3, 32, 32, cell=4, contrast=3.0, seed=0))).double()
    samples = smooth_noise(3, 3, 32, 32, cell=4, contrast=3.0, seed=1).double()
    samples[1] = degradation.pseudo_inverse(lr).clamp(0, 1)  # done in a few rounds, while its neighbours go on
    together = ExactConsistency()(samples, lr, degradation)
    alone = torch.cat([ExactConsistency()(sample[None], lr, degradation) for sample in samples])
    assert torch.allclose(together, alone, rtol=0, atol=1e-10)


def test_an_impossible_reference_is_approached_and_stays_finite() -> None:
    degradation = Bicubic(8)
    checkerboard = ((torch.arange(8)[:, None] + torch.arange(8)) % 2).float().expand(3, 8, 8)
    samples = torch.full((1, 3, 64, 64), 0.5)
    result = ExactConsistency()(samples, checkerboard, degradation)
    before, after = (lr_psnr(x, checkerboard, degradation).item() for x in (samples, result))
    assert math.isfinite(after) and before + 3 < after < 40


def test_none_only_clamps() -> None:
    samples = torch.linspace(-1, 2, 3 * 16).view(1, 3, 4, 4)
    assert torch.equal(NoConsistency()(samples, torch.zeros(3, 2, 2), Bicubic(2)), samples.clamp(0, 1))


def test_refuses_no_rounds() -> None:
    with pytest.raises(UserError, match="consistency.rounds=0"):
        ExactConsistency(rounds=0)


@settings(deadline=None, max_examples=20)
@given(
    factor=st.sampled_from([2, 4, 8]),
    cell=st.sampled_from([2, 4, 8]),
    contrast=st.floats(0.1, 100.0),
    seed=st.integers(0, 2**31),
)
def test_the_reference_of_a_picture_is_never_called_impossible(
    factor: int, cell: int, contrast: float, seed: int
) -> None:
    degradation = Bicubic(factor)
    original = smooth_noise(3, 32, 32, cell=cell, contrast=contrast, seed=seed)
    assert lr_psnr_bound(degradation(original), degradation) == math.inf


@pytest.mark.parametrize("factor", [2, 4, 8])
@pytest.mark.parametrize("width", [1, 2, 8])
def test_no_picture_exceeds_the_bound_of_an_impossible_reference(factor: int, width: int) -> None:
    """Black and white squares of LR pixels: no bicubic downsampling of a picture in [0, 1] has such sharp edges."""
    degradation = Bicubic(factor)
    cells = torch.arange(16) // width
    lr = ((cells[:, None] + cells) % 2).float().expand(3, 16, 16)
    bound = lr_psnr_bound(lr, degradation)
    starts = smooth_noise(2, 3, 16 * factor, 16 * factor, cell=4, contrast=2.0, seed=0)
    best = lr_psnr(ExactConsistency(rounds=1000)(starts, lr, degradation), lr, degradation).max().item()
    assert best <= bound < best + 1.5
    if (factor, width) == (8, 1):
        assert bound == pytest.approx(11.0, abs=0.1)


# --- references with noise ---------------------------------------------------------------------------------------


def operator_cases() -> st.SearchStrategy[tuple[str, int, float]]:
    return st.tuples(st.sampled_from(sorted(OPERATORS)), st.integers(1, 4), st.floats(0, 1))


@settings(deadline=None, max_examples=40)
@given(case=operator_cases(), noise_std=st.floats(0.005, 0.5), seed=st.integers(0, 2**31))
def test_within_the_bounds_it_is_tikhonovs_closed_form(
    case: tuple[str, int, float], noise_std: float, seed: int
) -> None:
    name, factor, strength = case
    degradation = OPERATORS[name](factor, strength)
    shape = original_shape(degradation, 4, 4)
    samples = (0.4 + 0.2 * smooth_noise(2, *shape, cell=1, contrast=1.0, seed=seed)).double()
    lr = degradation(0.4 + 0.2 * smooth_noise(*shape, cell=1, contrast=1.0, seed=seed + 1).double()) + 0.01
    matrix, ridge = dense(degradation, shape), (noise_std / 0.2) ** 2
    gram = matrix @ matrix.T + ridge * torch.eye(len(matrix), dtype=torch.float64)
    misfit = (lr - degradation(samples)).flatten(1)
    expected = samples + (torch.linalg.solve(gram, misfit.T).T @ matrix).view_as(samples)
    assume(expected.min() > 0 and expected.max() < 1)
    assert torch.allclose(NoisyConsistency(noise_std)(samples, lr, degradation), expected, atol=1e-5)


@settings(deadline=None, max_examples=20)
@given(name=st.sampled_from(sorted(set(OPERATORS) - set(ILL_CONDITIONED))), seed=st.integers(0, 99))
def test_without_noise_it_is_the_exact_projection_and_with_much_the_sample(name: str, seed: int) -> None:
    degradation = OPERATORS[name](4, 0.5)
    shape = original_shape(degradation, 8, 8)
    samples = smooth_noise(2, *shape, cell=1, contrast=2.0, seed=seed).double()
    lr = degradation(smooth_noise(*shape, cell=1, contrast=1.5, seed=seed + 1).double())
    projected = ExactConsistency(rounds=2000)(samples, lr, degradation)
    assert torch.allclose(NoisyConsistency(1e-5, rounds=2000)(samples, lr, degradation), projected, atol=2e-3)
    assert torch.allclose(NoisyConsistency(1e5)(samples, lr, degradation), samples, atol=1e-5)


def test_the_more_noise_the_less_is_corrected() -> None:
    degradation = Bicubic(4)
    lr = degradation(smooth_noise(3, 32, 32, cell=8, contrast=1.0, seed=0))
    samples = smooth_noise(1, 3, 32, 32, cell=4, contrast=1.0, seed=1)
    left = [
        (degradation(NoisyConsistency(std)(samples, lr, degradation)) - lr).norm() for std in (0.003, 0.02, 0.1, 0.5)
    ]
    assert left == sorted(left) and left[0] < left[3] / 10


def test_it_never_fits_the_noise_as_the_projection_does() -> None:
    """A sample that is the truth stays nearer to the truth, and a wrong one comes nearer to it."""
    degradation, noise_std = Bicubic(4), 0.1
    truth = smooth_noise(3, 64, 64, cell=8, contrast=0.6, seed=0)
    noise = noise_std * torch.randn(3, 16, 16, generator=torch.Generator().manual_seed(1))
    lr = quantise(degradation(truth) + noise)
    noisy = NoisyConsistency(noise_std, prior_std=0.1)(truth[None], lr, degradation)[0]
    exact = ExactConsistency()(truth[None], lr, degradation)[0]
    assert (noisy - truth).norm() < 0.2 * (exact - truth).norm()
    wrong = (truth + 0.2).clamp(0, 1)
    assert (NoisyConsistency(noise_std)(wrong[None], lr, degradation)[0] - truth).norm() < (wrong - truth).norm()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"noise_std": 0.0}, "noise_std=0.0 must be positive; .*consistency=exact"),
        ({"noise_std": math.nan}, "noise_std=nan"),
        ({"noise_std": 0.1, "prior_std": 0.0}, "prior_std=0.0"),
        ({"noise_std": 0.1, "rounds": 0}, "rounds=0"),
    ],
)
def test_impossible_noise_is_refused(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(UserError, match=message):
        NoisyConsistency(**arguments)


def test_a_reference_that_carries_noise_is_never_projected_onto():
    samples = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    lr, degradation = torch.rand(3, 4, 4, generator=torch.Generator().manual_seed(1)), Bicubic(4)
    expected = NoisyConsistency(0.05)(samples, lr, degradation)
    assert torch.equal(ExactConsistency()(samples, lr, degradation, 0.05), expected)
    # What is known of the reference goes before the option's own number.
    assert torch.equal(NoisyConsistency(0.3)(samples, lr, degradation, 0.05), expected)
    assert torch.equal(NoConsistency()(samples, lr, degradation, 0.05), samples)
    assert (degradation(expected) - lr).norm() > 100 * (
        degradation(ExactConsistency()(samples, lr, degradation)) - lr
    ).norm()
