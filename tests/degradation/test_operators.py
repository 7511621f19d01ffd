"""Every degradation against its own algebra, and against its matrix, over sizes and factors."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from operators import ILL_CONDITIONED, OPERATORS, dense, original_shape
from PIL import Image
from torch import Tensor

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.degradation import (
    Area,
    Bicubic,
    Degradation,
    GaussianBlur,
    Grayscale,
    Inpainting,
    MotionBlur,
    RandomProjection,
)
from multimodal_pulse.degradation.resize import axis_matrix, separable
from multimodal_pulse.degradation.separable import CUTOFF

cases = st.tuples(
    st.sampled_from(sorted(OPERATORS)), st.integers(1, 9), st.integers(2, 9), st.integers(2, 9), st.floats(0, 1)
)
Case = tuple[str, int, int, int, float]


def made(case: Case) -> tuple[Degradation, tuple[int, int, int]]:
    """The operator of a case, and the shape of an original."""
    name, factor, height, width, strength = case
    degradation = OPERATORS[name](factor, strength)
    return degradation, original_shape(degradation, height, width)


def pictures(*shape: int, seed: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def agree(found: Tensor, expected: Tensor, tolerance: float = 1e-5) -> bool:
    return bool((found - expected).norm() <= tolerance * max(1.0, float(expected.norm())))


@settings(deadline=None, max_examples=150)
@given(cases, st.integers(0, 2**31))
def test_transpose_is_the_adjoint(case: Case, seed: int) -> None:
    degradation, shape = made(case)
    x = pictures(2, *shape, seed=seed) - 0.5
    y = pictures(2, *degradation.lr_shape(shape), seed=seed + 1) - 0.5
    scale = float(x.norm() * y.norm())
    assert abs(float((degradation(x) * y).sum() - (x * degradation.transpose(y)).sum())) <= 1e-5 * scale


@settings(deadline=None, max_examples=150)
@given(cases, st.integers(0, 2**31))
def test_the_pseudo_inverse_in_single_precision(case: Case, seed: int) -> None:
    """A A+ A = A, without the singular values that are cut off, and both products are symmetric projections."""
    degradation, shape = made(case)
    x, x2 = pictures(2, *shape, seed=seed)
    y, y2 = pictures(2, *degradation.lr_shape(shape), seed=seed + 1)
    inverse = degradation.pseudo_inverse
    kept = degradation(inverse(degradation(x)))
    if case[0] not in ILL_CONDITIONED:
        assert agree(kept, degradation(x))
    else:
        assert float((kept - degradation(x)).norm()) <= CUTOFF * 1.001 * float(x.norm())
    assert agree(inverse(kept), inverse(degradation(x)))
    projected = x + inverse(y - degradation(x))  # what consistency does, once and again
    assert agree(projected + inverse(y - degradation(projected)), projected)
    assert agree(inverse(degradation(inverse(y))), inverse(y))
    assert agree((degradation(inverse(y)) * y2).sum(), (y * degradation(inverse(y2))).sum())
    assert agree((inverse(degradation(x)) * x2).sum(), (x * inverse(degradation(x2))).sum())


@pytest.mark.parametrize("factor", [1, 2, 3])
@pytest.mark.parametrize("name", OPERATORS)
def test_it_is_the_pseudo_inverse_of_the_matrix(name: str, factor: int) -> None:
    degradation, shape = made((name, factor, 4, 3, 0.4))
    matrix = dense(degradation, shape)
    y = pictures(*degradation.lr_shape(shape), seed=0, dtype=torch.float64)
    expected = torch.linalg.pinv(matrix, rtol=CUTOFF) @ y.flatten()
    assert torch.allclose(degradation.pseudo_inverse(y).flatten(), expected, atol=1e-9)
    assert torch.allclose(degradation.transpose(y).flatten(), matrix.T @ y.flatten(), atol=1e-12)


@settings(deadline=None, max_examples=60)
@given(cases, st.floats(1e-4, 1), st.integers(0, 2**31))
def test_the_closed_forms_solve_what_conjugate_gradients_do(case: Case, ridge: float, seed: int) -> None:
    degradation, shape = made(case)
    y = pictures(2, *degradation.lr_shape(shape), seed=seed, dtype=torch.float64) - 0.5
    solved = degradation.solve(y, ridge)
    assert agree(degradation(degradation.transpose(solved)) + ridge * solved, y, 1e-9)
    assert agree(Degradation.solve(degradation, y, ridge), solved, 1e-9)


@settings(deadline=None, max_examples=60)
@given(cases, st.integers(0, 2**31))
def test_a_picture_gives_a_picture(case: Case, seed: int) -> None:
    """Values in [0, 1] stay there; only bicubic's negative weights and extreme contrast in a projection leave it."""
    degradation, shape = made(case)
    x = 0.3 + 0.4 * pictures(*shape, seed=seed)
    lr = degradation(x)
    assert lr.shape == degradation.lr_shape(shape) and lr.dtype == x.dtype
    within = 0.35 if case[0] in ("bicubic", "random projection") else 1e-5
    assert lr.min() >= 0.3 - within and lr.max() <= 0.7 + within or case[0] == "inpainting"
    uniform = degradation(torch.full(shape, 0.6))
    assert torch.allclose(uniform[uniform != 0], torch.tensor(0.6), atol=1e-5)
    assert (uniform == 0).any() == (case[0] == "inpainting")


@pytest.mark.parametrize("name", OPERATORS)
def test_it_takes_gradients_even_after_a_first_use_in_inference_mode(name: str) -> None:
    degradation, shape = made((name, 3, 4, 5, 0.3))
    with torch.inference_mode():
        degradation.pseudo_inverse(degradation(torch.rand(shape)))
    x = pictures(*shape, seed=0).requires_grad_()
    y = pictures(*degradation.lr_shape(shape), seed=1)
    (degradation(x) * y).sum().backward()
    assert x.grad is not None and torch.allclose(x.grad, degradation.transpose(y), atol=1e-6)


@pytest.mark.parametrize("name", OPERATORS)
def test_mixed_precision_does_not_reach_it(name: str) -> None:
    degradation, shape = made((name, 2, 8, 8, 0.3))
    x = pictures(*shape, seed=0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = degradation.pseudo_inverse(degradation(x))
    assert torch.allclose(mixed, degradation.pseudo_inverse(degradation(x)), atol=1e-6)


# --- one by one --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("side", "factor"), [(128, 8), (64, 4), (96, 3), (32, 1)])
def test_bicubic_is_the_product_of_two_matrices_to_the_bit(side: int, factor: int) -> None:
    x = pictures(2, 3, side, side, seed=side)
    matrix, inverse = (axis_matrix(side, side // factor, kind, x.dtype, x.device) for kind in (False, True))
    y = separable(matrix, x, matrix)
    assert torch.equal(Bicubic(factor)(x), y)
    assert torch.equal(Bicubic(factor).transpose(y), separable(matrix.mT, y, matrix.mT))
    assert torch.equal(Bicubic(factor).pseudo_inverse(y), separable(inverse, y, inverse))


def test_area_is_the_mean_of_squares() -> None:
    x = pictures(3, 12, 8, seed=0)
    assert torch.allclose(Area(4)(x), torch.nn.functional.avg_pool2d(x, 4))
    y = pictures(3, 3, 2, seed=1)
    assert torch.allclose(Area(4).pseudo_inverse(y), y.repeat_interleave(4, 1).repeat_interleave(4, 2))


def test_a_gaussian_blurs_a_step_as_the_error_function_says() -> None:
    x = torch.zeros(1, 64, 64, dtype=torch.float64)
    x[..., 32:] = 1
    blurred = GaussianBlur(3.0, 1)(x)[0, 10]
    places = torch.arange(64, dtype=torch.float64) - 31.5
    assert torch.allclose(blurred, 0.5 * (1 + torch.erf(places / (3.0 * 2**0.5))), atol=2e-3)
    smaller = GaussianBlur(3.0, 4)(x)
    assert torch.allclose(smaller.flip(-1), 1 - smaller, atol=1e-12)  # every LR pixel is centred


def test_a_movement_is_the_mean_along_its_line() -> None:
    x = torch.zeros(1, 32, 32, dtype=torch.float64)
    x[0, 16, 16] = 1
    across, down = (MotionBlur(8.0, angle, 1)(x)[0] for angle in (0.0, 90.0))
    assert torch.allclose(across, down.T, atol=1e-12)
    assert torch.allclose(across[16].sum(), torch.tensor(1.0, dtype=torch.float64))
    assert torch.allclose(across[16, 13:20], torch.full((7,), 1 / 8, dtype=torch.float64), atol=0.01)
    rising = MotionBlur(12.0, 45.0, 1)(x)[0]
    assert rising[13, 19] > 0.04 and rising[19, 13] > 0.04 and rising[13, 13] < 1e-9


def test_a_movement_of_no_length_is_the_area() -> None:
    x = pictures(3, 24, 24, seed=0)
    assert torch.allclose(MotionBlur(0.0, 0.0, 4)(x), Area(4)(x), atol=1e-6)
    assert torch.allclose(MotionBlur(0.0, 0.0, 1)(x), x, atol=1e-6)


def test_gray_is_pillows_gray() -> None:
    x = (pictures(3, 6, 6, seed=0) * 255).round() / 255
    expected = Image.fromarray((x * 255).byte().permute(1, 2, 0).numpy()).convert("L")
    assert np.abs(np.array(expected) - (Grayscale()(x)[0] * 255).numpy()).max() <= 1
    assert torch.equal(Grayscale()(x)[0], Grayscale()(x)[2])


def test_a_mask_hides_what_is_white(tmp_path) -> None:
    mask = Image.new("L", (8, 4))
    mask.paste(255, (0, 0, 4, 2))
    mask.save(tmp_path / "mask.png")
    x = pictures(3, 16, 16, seed=0)
    seen = Inpainting(str(tmp_path / "mask.png"))(x)
    assert torch.equal(seen[:, :8, :8], torch.zeros(3, 8, 8))
    assert torch.equal(seen[:, 8:], x[:, 8:]) and torch.equal(seen[:, :, 8:], x[:, :, 8:])


def test_a_projection_has_orthonormal_rows_but_for_the_mean() -> None:
    matrix = dense(RandomProjection(2, seed=3), (1, 8, 6))
    measurements, pixels = matrix.shape
    gram = matrix @ matrix.T
    expected = 0.25 * torch.eye(measurements, dtype=torch.float64) + 1 / pixels
    assert torch.allclose(gram, expected, atol=1e-12)
    assert not torch.allclose(matrix, dense(RandomProjection(2, seed=4), (1, 8, 6)))


def test_keys_differ_where_operators_do(tmp_path) -> None:
    masks = []
    for number in range(2):
        mask = Image.new("L", (8, 8))
        mask.putpixel((number, 0), 255)
        mask.save(tmp_path / f"{number}.png")
        masks.append(Inpainting(str(tmp_path / f"{number}.png")))
    different = [
        Bicubic(8), Bicubic(4), Area(8), GaussianBlur(2.0, 8), GaussianBlur(2.0000001, 8), GaussianBlur(2.0, 4),
        MotionBlur(8, 0, 4), MotionBlur(8, 45, 4), MotionBlur(8.5, 45, 4), MotionBlur(8, 45, 8), Grayscale(),
        RandomProjection(8, 0), RandomProjection(8, 1), RandomProjection(4, 0), Inpainting(), *masks,
    ]  # fmt: skip
    assert len({degradation.key for degradation in different}) == len(different)
    assert Inpainting(str(tmp_path / "0.png")).key == masks[0].key


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GaussianBlur(0.0, 8), "degradation.std=0.0"),
        (lambda: GaussianBlur(float("nan"), 8), "degradation.std=nan"),
        (lambda: GaussianBlur(1.0, 0), "degradation.factor=0"),
        (lambda: MotionBlur(-1.0, 0.0, 8), "degradation.length=-1"),
        (lambda: MotionBlur(1.0, float("inf"), 8), "degradation.angle=inf"),
        (lambda: RandomProjection(1), "degradation.factor=1"),
        (lambda: Inpainting("nowhere.png"), "degradation.mask=nowhere.png cannot be read"),
        (lambda: MotionBlur(1.0, 0.0, 7)(torch.zeros(3, 16, 16)), "degradation.factor=7 does not divide"),
    ],
)
def test_what_cannot_be_is_refused(make, message: str) -> None:
    with pytest.raises(UserError, match=message):
        make()


@pytest.mark.parametrize(("brightness", "hides"), [(0, "nothing"), (255, "everything")])
def test_a_mask_that_decides_nothing_is_refused(brightness: int, hides: str, tmp_path) -> None:
    Image.new("L", (8, 8), brightness).save(tmp_path / "mask.png")
    with pytest.raises(UserError, match=f"hides {hides}"):
        Inpainting(str(tmp_path / "mask.png"))
