"""Antialiased bicubic downsampling, with its transpose and its pseudo-inverse.

The same operator makes the references, enters the loss and serves the scores. It follows MATLAB's `imresize`: Keys'
cubic kernel with a = -0.5 (R. Keys, "Cubic convolution interpolation for digital image processing", 1981, equation
15), widened by the factor when the picture shrinks, weights normalised to sum to one, symmetric borders. It is
separable, hence two small matrices, one for rows and one for columns, and everything here is exact linear algebra.
"""

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.degradation.operator import Degradation, Shape


def _cubic_kernel(x: Tensor) -> Tensor:
    """Computes Keys' cubic kernel with a = -0.5; it is zero for |x| >= 2."""
    x = x.abs()
    inner = 1.5 * x**3 - 2.5 * x**2 + 1
    outer = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return torch.where(x <= 1, inner, torch.where(x <= 2, outer, torch.zeros_like(x)))


def resize_matrix(in_size: int, out_size: int) -> Tensor:
    """Makes the matrix that resizes one axis from `in_size` to `out_size` pixels, antialiased when it shrinks.

    Returns: float64 [out_size, in_size] on the CPU; every row sums to one.
    """
    scale = out_size / in_size
    widening = min(scale, 1.0)
    support = 4 / widening
    # Centre of each output pixel in input coordinates, where pixel i is centred on i (from 0).
    centers = (torch.arange(out_size, dtype=torch.float64) + 0.5) / scale - 0.5
    first = torch.floor(centers - support / 2)
    taps = first[:, None] + torch.arange(int(support) + 3, dtype=torch.float64)
    weights = _cubic_kernel((centers[:, None] - taps) * widening)
    weights = weights / weights.sum(dim=1, keepdim=True)
    # Symmetric borders: ... 1 0 | 0 1 ... n-1 | n-1 n-2 ..., repeated where the kernel is wider than the picture.
    period = taps.long() % (2 * in_size)
    columns = torch.minimum(period, 2 * in_size - 1 - period)
    return torch.zeros(out_size, in_size, dtype=torch.float64).scatter_add_(1, columns, weights)


MakeMatrix = Callable[[int, int], Tensor]
"""Makes the matrix that resizes one axis, from the numbers of pixels before and after, see `resize_matrix`."""


@lru_cache(maxsize=64)
def _matrix(
    make: MakeMatrix, in_size: int, out_size: int, pseudo_inverse: bool, dtype: torch.dtype, device: torch.device
) -> Tensor:
    # A tensor made in inference mode cannot take part in a gradient, and this one is cached for later callers.
    with torch.inference_mode(False):
        matrix = make(in_size, out_size)
        if pseudo_inverse:
            matrix = torch.linalg.pinv(matrix)
        return matrix.to(dtype=dtype, device=device)


def _separable(rows: Tensor, x: Tensor, columns: Tensor) -> Tensor:
    # Mixed precision would round the product to 8 bits of mantissa: 50 dB, too coarse for LR-PSNR.
    with torch.autocast(x.device.type, enabled=False):
        return rows @ x @ columns.mT


def bicubic_resize(x: Tensor, height: int, width: int) -> Tensor:
    """Resizes by bicubic interpolation with MATLAB's convention, antialiased along each axis that shrinks.

    Args:
        x: float [..., H, W].
        height, width: the new size, in pixels.
    Returns: [..., height, width], same dtype and device, not clamped.
    """
    rows = _matrix(resize_matrix, x.shape[-2], height, False, x.dtype, x.device)
    columns = _matrix(resize_matrix, x.shape[-1], width, False, x.dtype, x.device)
    return _separable(rows, x, columns)


class Bicubic(Degradation):
    """Antialiased bicubic downsampling by a whole factor: [..., C, H, W] -> [..., C, H / factor, W / factor].

    The matrices are computed in float64, once per size, and cached.

    Args:
        factor: a positive integer; 1 is the identity.
    Raises:
        UserError: `factor` is not a positive integer, or (when used) does not divide the picture's sides.
    """

    _make_matrix: MakeMatrix = staticmethod(resize_matrix)

    def __init__(self, factor: int = 8) -> None:
        if not isinstance(factor, int) or factor < 1:
            raise UserError(f"degradation.factor={factor} must be a positive integer, for example 8.")
        self.factor = factor
        self.name = f"bicubic, {factor} x"
        self.sentence = f"Each side is {factor} times shorter, by antialiased bicubic downsampling."

    def __repr__(self) -> str:
        return f"{type(self).__name__}(factor={self.factor})"

    def lr_shape(self, shape: Shape) -> Shape:
        """Returns (C, H / factor, W / factor) for `shape` = (C, H, W)."""
        channels, height, width = shape
        return channels, self._lr_side(height), self._lr_side(width)

    def __call__(self, x: Tensor) -> Tensor:
        """Computes A x: [..., H, W] -> [..., h, w] with h = H / factor, w = W / factor."""
        height, width = self._lr_side(x.shape[-2]), self._lr_side(x.shape[-1])
        rows = _matrix(self._make_matrix, x.shape[-2], height, False, x.dtype, x.device)
        columns = _matrix(self._make_matrix, x.shape[-1], width, False, x.dtype, x.device)
        return _separable(rows, x, columns)

    def transpose(self, y: Tensor) -> Tensor:
        """Computes the adjoint A^T y, with <A x, y> = <x, A^T y>: [..., h, w] -> [..., H, W]."""
        rows, columns = self._matrices(y, pseudo_inverse=False)
        return _separable(rows.mT, y, columns.mT)

    def pseudo_inverse(self, y: Tensor) -> Tensor:
        """Computes A+ y, the smallest x with A x = y: [..., h, w] -> [..., H, W]. A has full row rank, so A A+ = 1."""
        rows, columns = self._matrices(y, pseudo_inverse=True)
        return _separable(rows, y, columns)

    def upsample(self, y: Tensor) -> Tensor:
        """Enlarges by bicubic interpolation, [..., h, w] -> [..., h * factor, w * factor]: the traditional baseline."""
        return bicubic_resize(y, y.shape[-2] * self.factor, y.shape[-1] * self.factor)

    def _lr_side(self, side: int) -> int:
        if side % self.factor:
            divisors = ", ".join(str(n) for n in range(1, side + 1) if side % n == 0)
            raise UserError(
                f"degradation.factor={self.factor} does not divide a side of {side} pixels; choose one of {divisors}."
            )
        return side // self.factor

    def _matrices(self, y: Tensor, pseudo_inverse: bool) -> tuple[Tensor, Tensor]:
        height, width = y.shape[-2:]
        return (
            _matrix(self._make_matrix, height * self.factor, height, pseudo_inverse, y.dtype, y.device),
            _matrix(self._make_matrix, width * self.factor, width, pseudo_inverse, y.dtype, y.device),
        )
