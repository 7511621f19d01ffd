import math

import pytest
import torch

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.diversity.lr_noise import GaussianLrNoise, MaskedLrNoise, NoLrNoise, SharedLrNoise, lr_mask

LR = torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(0))


def test_no_noise_gives_the_reference_k_times():
    assert torch.equal(NoLrNoise().targets(LR, 0, "a", 3), LR.expand(3, 3, 32, 32))


def test_gaussian_noise_has_mean_0_and_the_std_and_differs_per_sample():
    targets = GaussianLrNoise(0.108).targets(LR, 0, "a", 8)
    noise = targets - LR
    assert abs(noise.mean()) < 3 * 0.108 / math.sqrt(noise.numel())
    assert noise.std().item() == pytest.approx(0.108, rel=0.02)
    assert (torch.corrcoef(noise.flatten(1)) - torch.eye(8)).abs().max() < 0.08
    assert targets.min() < 0 and targets.max() > 1  # clamping would shift the mean


def test_sample_k_does_not_depend_on_how_many_there_are():
    noise = GaussianLrNoise(0.1)
    assert torch.equal(noise.targets(LR, 0, "a", 5)[:2], noise.targets(LR, 0, "a", 2))


def test_shared_noise_is_one_clipped_copy_for_all_samples():
    targets = SharedLrNoise(0.4).targets(LR, 0, "a", 5)
    assert targets.shape == (5, 3, 32, 32)
    assert all(torch.equal(target, targets[0]) for target in targets)
    assert targets.min() == 0 and targets.max() == 1
    within = (targets[0] > 0) & (targets[0] < 1)
    assert 0.3 < within.float().mean() < 0.9
    first = GaussianLrNoise(0.4).targets(LR, 0, "a", 1)[0]
    assert torch.equal(targets[0][within], first[within])
    assert not torch.equal(targets, SharedLrNoise(0.4).targets(LR, 1, "a", 5))


def test_a_mask_confines_the_noise_bit_for_bit():
    mask = torch.zeros(1, 32, 32)
    mask[:, 8:16, 4:20] = 1
    masked = MaskedLrNoise(0.2, mask).targets(LR, 0, "a", 4)
    inside = mask.bool().expand(4, 3, 32, 32)
    assert torch.equal(masked[~inside], LR.expand_as(masked)[~inside])
    free = GaussianLrNoise(0.2).targets(LR, 0, "a", 4)
    assert torch.allclose(masked[inside], free[inside], atol=1e-6)


def test_a_gray_mask_scales_the_noise():
    half = MaskedLrNoise(0.2, torch.full((1, 32, 32), 0.5)).targets(LR, 0, "a", 2) - LR
    full = GaussianLrNoise(0.2).targets(LR, 0, "a", 2) - LR
    assert torch.allclose(half, full / 2, atol=1e-6)


def test_lr_mask_takes_either_size():
    hr = torch.zeros(1, 128, 128)
    hr[:, :64, :] = 1
    hr[:, 64, :] = 1  # an eighth of the LR pixels below
    lr = lr_mask(hr, lr_size=(16, 16), resolution=128)
    assert lr.shape == (1, 16, 16)
    assert lr[0, :, 0].tolist() == [1.0] * 8 + [0.125] + [0.0] * 7
    assert torch.equal(lr_mask(lr, lr_size=(16, 16), resolution=128), lr)


def test_another_size_is_refused_by_name():
    with pytest.raises(UserError, match=r"noise\.lr_mask is 20 x 10 pixels; it must be 16 x 16 .* 128 x 128"):
        lr_mask(torch.zeros(1, 10, 20), lr_size=(16, 16), resolution=128)
    with pytest.raises(UserError, match=r"noise\.lr_mask is 16 x 16 pixels, the reference 'a' is 32 x 32"):
        MaskedLrNoise(0.1, torch.zeros(1, 16, 16)).targets(LR, 0, "a", 1)


@pytest.mark.parametrize("side", [16, 128])
@pytest.mark.parametrize("brightest", [0, 5])
def test_a_black_mask_is_refused_also_one_with_the_faint_noise_of_a_jpeg(side, brightest):
    mask = torch.zeros(1, side, side)
    mask[0, 3, 4] = brightest / 255
    with pytest.raises(UserError, match=r"noise\.lr_mask is black everywhere.*lr_noise=none"):
        lr_mask(mask, lr_size=(16, 16), resolution=128)
    mask[0, 3, 4] = 1
    assert lr_mask(mask, lr_size=(16, 16), resolution=128).max() > 0


@pytest.mark.parametrize("std", [-0.1, math.nan])
def test_a_negative_std_is_refused(std):
    with pytest.raises(UserError, match=r"noise\.lr_std"):
        GaussianLrNoise(std)
    with pytest.raises(UserError, match=r"noise\.lr_std"):
        MaskedLrNoise(std, torch.zeros(1, 32, 32))
