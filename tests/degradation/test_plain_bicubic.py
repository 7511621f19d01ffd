"""Bicubic downsampling without antialiasing, against PyTorch's own."""

import pytest
import torch
import torch.nn.functional as F

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.degradation import Bicubic, PlainBicubic


def random_image(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("factor", [1, 2, 3, 4, 5, 8])
def test_equals_pytorchs_interpolation(factor: int) -> None:
    images = random_image(2, 3, 6 * factor, 4 * factor, seed=factor)
    expected = F.interpolate(images, size=(6, 4), mode="bicubic", align_corners=False)
    degradation = PlainBicubic(factor)
    assert degradation.lr_shape((3, 6 * factor, 4 * factor)) == (3, 6, 4)
    assert torch.allclose(degradation(images), expected, atol=1e-12)
    assert torch.allclose(degradation(images.float()), expected.float(), atol=1e-6)


@pytest.mark.parametrize("factor", [1, 2, 3, 8])
def test_transpose_and_pseudo_inverse_are_its_own(factor: int) -> None:
    degradation = PlainBicubic(factor)
    x, y = random_image(3, 5 * factor, 7 * factor) - 0.5, random_image(3, 5, 7, seed=1) - 0.5
    assert torch.allclose((degradation(x) * y).sum(), (x * degradation.transpose(y)).sum(), atol=1e-12)
    shortest = degradation.pseudo_inverse(y)
    assert torch.allclose(degradation(shortest), y, atol=1e-10)
    hidden = x - degradation.pseudo_inverse(degradation(x))  # what A does not see
    assert torch.allclose((shortest * hidden).sum(), torch.zeros((), dtype=torch.float64), atol=1e-10)


def test_is_another_operator_than_the_antialiased_one_and_says_so() -> None:
    plain, antialiased = PlainBicubic(8), Bicubic(8)
    image = random_image(3, 64, 64)
    assert (plain(image) - antialiased(image)).abs().max() > 0.1
    assert plain.name != antialiased.name and "without antialiasing" in plain.sentence
    assert (repr(plain), repr(antialiased)) == ("<bicubic without antialiasing, 8 x>", "<bicubic, 8 x>")


def test_refuses_what_bicubic_refuses() -> None:
    with pytest.raises(UserError, match="degradation.factor"):
        PlainBicubic(0)
    with pytest.raises(UserError, match=r"degradation.factor=7 does not divide"):
        PlainBicubic(7)(torch.zeros(3, 128, 128))
