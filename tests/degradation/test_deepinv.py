"""Operators of deepinv as degradations, compared with deepinv's own answers and with dense matrices."""

import pytest
import torch
from operators import dense

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.degradation import DeepinvPhysics

deepinv = pytest.importorskip("deepinv", reason="deepinv is not installed: pip install -e '.[deepinv]'")

SHAPE = (3, 16, 16)


def physics(kind: str) -> torch.nn.Module:
    if kind == "downsampling":
        return deepinv.physics.Downsampling(img_size=SHAPE, factor=2, filter="bicubic", max_iter=200, tol=1e-6)
    if kind == "blur":
        # Narrow, so that its inverse is not ruled by rounding.
        kernel = deepinv.physics.functional.blur.gaussian_blur(sigma=(0.5, 0.5))
        return deepinv.physics.Blur(filter=kernel, padding="circular", max_iter=200, tol=1e-6)
    mask = (torch.rand(SHAPE, generator=torch.Generator().manual_seed(0)) < 0.6).float()
    return deepinv.physics.Inpainting(img_size=SHAPE, mask=mask)


KINDS = ("downsampling", "blur", "inpainting")


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("kind", KINDS)
class TestOperator:
    def test_is_deepinvs(self, kind: str) -> None:
        theirs, ours = physics(kind), DeepinvPhysics(physics(kind))
        x = random(2, *SHAPE).float()
        y = theirs.A(x)
        assert torch.equal(ours(x), y) and ours.lr_shape(SHAPE) == y.shape[1:]
        assert torch.equal(ours.transpose(y), theirs.A_adjoint(y))
        assert torch.allclose(ours.pseudo_inverse(y), theirs.A_dagger(y), atol=1e-4)

    def test_the_transpose_is_the_adjoint(self, kind: str) -> None:
        ours = DeepinvPhysics(physics(kind))
        x, y = random(*SHAPE), random(*ours.lr_shape(SHAPE), seed=1)
        assert float((ours(x) * y).sum()) == pytest.approx(float((x * ours.transpose(y)).sum()), rel=1e-6)

    def test_the_pseudo_inverse_is_that_of_the_dense_matrix(self, kind: str) -> None:
        ours = DeepinvPhysics(physics(kind))
        y = ours(random(*SHAPE))
        expected = (torch.linalg.pinv(dense(ours, SHAPE)) @ y.flatten()).view(SHAPE)
        assert torch.allclose(ours.pseudo_inverse(y), expected, atol=1e-3)

    def test_any_number_of_axes_and_no_sample_depends_on_the_others(self, kind: str) -> None:
        ours = DeepinvPhysics(physics(kind))
        x = random(2, 3, *SHAPE)
        y = ours(x)
        assert y.shape[:2] == (2, 3) and torch.allclose(y[1, 2], ours(x[1, 2]))
        assert torch.equal(ours.pseudo_inverse(y)[1, 2], ours.pseudo_inverse(y[1, 2]))

    def test_the_key_tells_operators_apart(self, kind: str) -> None:
        first, again = DeepinvPhysics(physics(kind)), DeepinvPhysics(physics(kind))
        others = [DeepinvPhysics(physics(other)) for other in KINDS if other != kind]
        assert first.key == again.key == DeepinvPhysics(physics(kind).eval()).key
        assert first.key not in [other.key for other in others]


def test_two_masks_have_two_keys() -> None:
    keys = {DeepinvPhysics(deepinv.physics.Inpainting(SHAPE, mask=mask)).key for mask in torch.eye(16)[:3]}
    assert len(keys) == 3


def test_what_is_no_linear_operator_on_pictures_is_refused() -> None:
    for other in (None, torch.nn.Identity(), deepinv.physics.Haze()):
        with pytest.raises(UserError, match=r"must be a linear operator of deepinv\.physics"):
            DeepinvPhysics(other)
    sensing = DeepinvPhysics(deepinv.physics.CompressedSensing(m=20, img_size=SHAPE))
    with pytest.raises(UserError, match="no picture of three channels"):
        sensing.lr_shape(SHAPE)
    with pytest.raises(UserError, match="does not accept pictures"):
        DeepinvPhysics(physics("inpainting")).lr_shape((3, 20, 20))
