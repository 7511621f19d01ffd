"""The degradation against MATLAB imresize's definition, pixel by pixel, and against its own algebra."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.degradation.bicubic import Bicubic
from multimodal_pulse.degradation.resize import bicubic_resize, resize_matrix


def cubic(x: float) -> float:
    x = abs(x)
    if x <= 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    if x <= 2:
        return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return 0.0


def imresize_line(line: list[float], out_size: int) -> list[float]:
    """One line resized by MATLAB's definition, with its 1-based coordinates and its mirrored index table."""
    n = len(line)
    scale = out_size / n
    width = 4.0 if scale >= 1 else 4.0 / scale
    mirrored = [*range(1, n + 1), *range(n, 0, -1)]
    result = []
    for x in range(1, out_size + 1):
        u = x / scale + 0.5 * (1 - 1 / scale)
        left = math.floor(u - width / 2)
        value = total = 0.0
        for index in range(left, left + math.ceil(width) + 2):
            weight = cubic(u - index) if scale >= 1 else scale * cubic(scale * (u - index))
            total += weight
            value += weight * line[mirrored[(index - 1) % (2 * n)] - 1]
        result.append(value / total)
    return result


def imresize(image: Tensor, height: int, width: int) -> Tensor:
    """[H, W] resized pixel by pixel: columns first, then rows."""
    columns = [imresize_line(column, height) for column in image.T.tolist()]
    rows = [imresize_line(row, width) for row in torch.tensor(columns, dtype=torch.float64).T.tolist()]
    return torch.tensor(rows, dtype=torch.float64)


def random_image(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


@pytest.mark.parametrize(
    ("height", "width", "factor"),
    [(32, 32, 8), (16, 48, 4), (12, 9, 3), (10, 6, 2), (7, 5, 1), (8, 8, 8), (20, 10, 5), (14, 28, 7), (64, 32, 16)],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equals_a_loop_over_pixels(height: int, width: int, factor: int, dtype: torch.dtype) -> None:
    image = random_image(height, width, seed=height * width + factor)
    expected = imresize(image, height // factor, width // factor)
    degraded = Bicubic(factor)(image.to(dtype))
    assert degraded.dtype == dtype
    assert (degraded - expected).abs().max() < 1e-6


@pytest.mark.parametrize(("size", "out_size"), [(10, 7), (23, 16), (9, 8), (33, 16), (5, 13), (4, 32), (6, 3), (17, 1)])
def test_any_size_equals_a_loop_over_pixels(size: int, out_size: int) -> None:
    image = random_image(size, size + 2, seed=size)
    assert (bicubic_resize(image, out_size, out_size + 1) - imresize(image, out_size, out_size + 1)).abs().max() < 1e-9


@pytest.mark.parametrize("factor", [1, 2, 3, 8])
def test_upsampling_equals_a_loop_over_pixels(factor: int) -> None:
    image = random_image(5, 4)
    assert (Bicubic(factor).upsample(image) - imresize(image, 5 * factor, 4 * factor)).abs().max() < 1e-9


def test_published_weights_of_factor_two() -> None:
    # The cubic at distances 1/4, 3/4, 5/4, 7/4 is 222, 58, -18, -6 in 256ths; the factor halves it.
    row = resize_matrix(32, 16)[8]
    expected = torch.tensor([-3, -9, 29, 111, 111, 29, -9, -3], dtype=torch.float64) / 256
    assert torch.allclose(row[13:21], expected, atol=1e-12)
    assert row.count_nonzero() == 8


sizes = st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9))


@settings(deadline=None, max_examples=40)
@given(sizes, st.integers(0, 2**31))
def test_transpose_is_the_adjoint(size: tuple[int, int, int], seed: int) -> None:
    height, width, factor = size
    degradation = Bicubic(factor)
    x = random_image(2, 3, height * factor, width * factor, seed=seed) - 0.5
    y = random_image(2, 3, height, width, seed=seed + 1) - 0.5
    assert torch.allclose((degradation(x) * y).sum(), (x * degradation.transpose(y)).sum(), atol=1e-12)


@settings(deadline=None, max_examples=40)
@given(sizes, st.integers(0, 2**31))
def test_pseudo_inverse_satisfies_the_moore_penrose_conditions(size: tuple[int, int, int], seed: int) -> None:
    height, width, factor = size
    degradation = Bicubic(factor)
    x, x2 = random_image(2, 3, height * factor, width * factor, seed=seed) - 0.5
    y = random_image(3, height, width, seed=seed + 1) - 0.5
    assert torch.allclose(degradation(degradation.pseudo_inverse(y)), y, atol=1e-10)  # A A+ = 1, which implies three
    projected, projected2 = (degradation.pseudo_inverse(degradation(v)) for v in (x, x2))
    assert torch.allclose((projected * x2).sum(), (x * projected2).sum(), atol=1e-10)  # A+ A is symmetric


@pytest.mark.parametrize("factor", [2, 3, 4, 8, 16])
def test_condition_number_in_two_dimensions_is_about_two(factor: int) -> None:
    matrix = Bicubic(factor)(torch.eye(12 * factor, dtype=torch.float64)[:, None, :].expand(-1, factor, -1))
    singular = torch.linalg.svdvals(matrix[:, 0, :])
    assert (singular[0] / singular[-1]).square().item() == pytest.approx(2, abs=0.1)


def test_one_projection_in_float32_is_exact_to_over_140_db() -> None:
    degradation = Bicubic(8)
    x, y = random_image(3, 128, 128, dtype=torch.float32), random_image(3, 16, 16, seed=1, dtype=torch.float32)
    projected = x + degradation.pseudo_inverse(y - degradation(x))
    assert (degradation(projected) - y).double().square().mean() < 1e-14


def test_constant_pictures_stay_constant() -> None:
    assert torch.allclose(Bicubic(8)(torch.full((1, 3, 64, 64), 0.7)), torch.full((1, 3, 8, 8), 0.7))


def test_gradient_is_the_transpose_even_after_a_first_use_in_inference_mode() -> None:
    degradation = Bicubic(11)  # a factor no other test has used, so that the matrices are made here
    with torch.inference_mode():
        degradation(torch.rand(3, 22, 33))
    x = random_image(3, 22, 33, dtype=torch.float32).requires_grad_()
    y = random_image(3, 2, 3, seed=1, dtype=torch.float32)
    (degradation(x) * y).sum().backward()
    assert x.grad is not None
    assert torch.allclose(x.grad, degradation.transpose(y), atol=1e-6)


def test_mixed_precision_does_not_reach_it() -> None:
    x = random_image(3, 64, 64, dtype=torch.float32)
    degradation = Bicubic(8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = degradation(x)
    assert torch.equal(mixed, degradation(x))


@pytest.mark.parametrize("factor", [0, -2, 2.5])
def test_refuses_a_factor_that_is_no_positive_integer(factor: int) -> None:
    with pytest.raises(UserError, match="degradation.factor"):
        Bicubic(factor)


def test_refuses_sizes_that_do_not_divide() -> None:
    with pytest.raises(UserError, match=r"degradation.factor=7 does not divide a side of 128 pixels.*1, 2, 4, 8"):
        Bicubic(7)(torch.zeros(3, 128, 128))
