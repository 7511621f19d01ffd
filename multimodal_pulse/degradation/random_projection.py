"""Random projections: what compressed sensing measures instead of pixels."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.degradation.operator import Downsampling
from multimodal_pulse.degradation.resize import separable

GAIN = 0.5
"""How strongly a measurement shows the contrast of a picture: their standard deviation is GAIN times that of the
pixels, so that measurements of ordinary pictures stay in [0, 1]."""


class _Parts(NamedTuple):
    """Random signs of the pixels, [H, W]; the cosine transforms of rows and columns, [H, H] and [W, W]; the chosen
    frequencies, [m]; what these see of a uniform picture of length 1, [m]; and beta, which keeps the rows orthonormal
    when that is taken out."""

    signs: Tensor
    rows: Tensor
    columns: Tensor
    chosen: Tensor
    uniform: Tensor
    beta: float


class RandomProjection(Downsampling):
    """Random measurements of each channel, factor^2 times fewer than pixels: [..., C, H, W] -> [..., C, h, w].

    A measurement is the mean of the channel plus `GAIN` times a random projection of it. The projections are
    structured, so that nothing large is stored: random signs, a cosine transform, and a random choice of its values
    (Do, Gan, Nguyen & Tran 2012, "Fast and efficient compressive sensing using structurally random matrices"). Then
    what they see of a uniform picture is taken out, and their rows made orthonormal again, P P^T = 1. So A A^T is
    GAIN^2 on measurements of mean zero, and GAIN^2 + m / n on equal ones, with m measurements of n pixels; A+ is a
    closed form. A measurement of a picture of extreme contrast may leave [0, 1], where the 8-bit reference clips it.

    Args:
        factor: an integer from 2 on.
        seed: fixes the signs and the choice; any integer.
    Raises:
        UserError: `factor` is less than 2, or (when used) does not divide the picture's sides.
    """

    def __init__(self, factor: int = 8, seed: int = 0) -> None:
        super().__init__(factor)
        if factor < 2:
            raise UserError(f"degradation.factor={factor} must be at least 2 for a random projection.")
        self.seed = seed
        self.name = f"random projection {seed}, {factor} x"
        self.sentence = (
            f"Each channel is measured by random sums of all its pixels, {factor**2} times fewer than there are pixels."
        )
        self._made: dict[tuple[int, int, torch.dtype, torch.device], _Parts] = {}

    def __call__(self, x: Tensor) -> Tensor:
        """Computes A x: [..., H, W] -> [..., h, w]."""
        height, width = (self.lr_side(side) for side in x.shape[-2:])
        mean = x.mean(dim=(-2, -1), keepdim=True)
        measured = self._project(x - mean, self._parts(x.shape[-2], x.shape[-1], x))
        return mean + GAIN * measured.unflatten(-1, (height, width))

    def transpose(self, y: Tensor) -> Tensor:
        """Computes the adjoint A^T y, with <A x, y> = <x, A^T y>: [..., h, w] -> [..., H, W]."""
        height, width = (side * self.factor for side in y.shape[-2:])
        parts = self._parts(height, width, y)
        flat = _orthonormalised(y.flatten(-2), parts)
        spectrum = y.new_zeros(*flat.shape[:-1], height * width).index_copy(-1, parts.chosen, flat)
        x = parts.signs * separable(parts.rows.mT, spectrum.unflatten(-1, (height, width)), parts.columns.mT)
        total = y.sum(dim=(-2, -1), keepdim=True)
        return GAIN * (x - x.mean(dim=(-2, -1), keepdim=True)) + total / (height * width)

    def pseudo_inverse(self, y: Tensor) -> Tensor:
        """Computes A+ y, the smallest x with A x = y: [..., h, w] -> [..., H, W]. A has full row rank, so A A+ = 1."""
        return self.transpose(self.solve(y, 0.0))

    def solve(self, y: Tensor, ridge: float) -> Tensor:
        """Computes (A A^T + ridge I)^-1 y, here for a ridge of 0 too: [..., h, w] -> [..., h, w]."""
        mean = y.mean(dim=(-2, -1), keepdim=True)
        return (y - mean) / (GAIN**2 + ridge) + mean / (GAIN**2 + self.factor**-2 + ridge)

    def _project(self, x: Tensor, parts: _Parts) -> Tensor:
        """Computes P x for x of mean zero: [..., H, W] -> [..., m]."""
        measured = separable(parts.rows, parts.signs * x, parts.columns).flatten(-2)[..., parts.chosen]
        return _orthonormalised(measured, parts)

    def _parts(self, height: int, width: int, like: Tensor) -> _Parts:
        key = height, width, like.dtype, like.device
        if key not in self._made:
            with torch.inference_mode(False):  # as in `Separable`
                rng = torch.Generator().manual_seed(self.seed)
                signs = 2.0 * torch.randint(2, (height, width), generator=rng) - 1
                measurements = height * width // self.factor**2
                chosen = torch.randperm(height * width, generator=rng)[:measurements]
                signs, rows, columns = signs.double(), cosine_transform(height), cosine_transform(width)
                uniform = separable(rows, signs, columns).flatten()[chosen] / math.sqrt(height * width)
                # (1 - u u^T)^(-1/2) = 1 + beta u u^T.
                squared = uniform.square().sum()
                beta = float(((1 - squared).rsqrt() - 1) / squared)
                parts = (signs.to(like), rows.to(like), columns.to(like))
                self._made[key] = _Parts(*parts, chosen.to(like.device), uniform.to(like), beta)
        return self._made[key]


def _orthonormalised(measured: Tensor, parts: _Parts) -> Tensor:
    """Computes (1 + beta u u^T) y for y [..., m]; not as a matrix product, which mixed precision would round."""
    return measured + parts.beta * (measured * parts.uniform).sum(dim=-1, keepdim=True) * parts.uniform


def cosine_transform(size: int) -> Tensor:
    """Returns the orthonormal matrix of the discrete cosine transform (DCT-II), float64 [size, size]."""
    frequency, place = torch.arange(size, dtype=torch.float64)[:, None], torch.arange(size, dtype=torch.float64)
    matrix = torch.cos(math.pi / size * (place + 0.5) * frequency) * math.sqrt(2 / size)
    matrix[0] /= math.sqrt(2)
    return matrix
