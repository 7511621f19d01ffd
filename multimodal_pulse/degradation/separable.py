"""Degradations that treat rows and columns alone, each with one small matrix: exact linear algebra of any border."""

from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from multimodal_pulse.degradation.operator import Downsampling
from multimodal_pulse.degradation.resize import bicubic_resize, separable

CUTOFF = 0.05
"""Singular values below this share of the largest are taken as zero in a pseudo-inverse: the rounding of an 8-bit
reference would be enlarged more than twenty times by their inverses."""


@dataclass(frozen=True)
class Axis:
    """The matrix of one axis and its singular value decomposition, left diag(values) right^T.

    Attributes:
        matrix: [h, H], h <= H.
        left: [h, h].
        values: [h], at least 0.
        right: [H, h].
    """

    matrix: Tensor
    left: Tensor
    values: Tensor
    right: Tensor


class Separable(Downsampling):
    """A degradation A x = rows x columns^T, the same for every channel: [..., H, W] -> [..., H / factor, W / factor].

    The singular values of A are the products of those of its two axes. They and the singular vectors are computed in
    float64, once per size, and kept. Those products that are below `CUTOFF` times the largest are zero for the
    pseudo-inverse.
    """

    def __init__(self, factor: int) -> None:
        super().__init__(factor)
        self._axes: dict[tuple[int, torch.dtype, torch.device], Axis] = {}

    @abstractmethod
    def axis(self, size: int) -> Tensor:
        """Makes the matrix of one axis of `size` pixels, float64 [size / factor, size]."""

    def __call__(self, x: Tensor) -> Tensor:
        """Computes A x: [..., H, W] -> [..., h, w] with h = H / factor, w = W / factor."""
        rows, columns = (self._axis(size, x) for size in x.shape[-2:])
        return separable(rows.matrix, x, columns.matrix)

    def transpose(self, y: Tensor) -> Tensor:
        """Computes the adjoint A^T y, with <A x, y> = <x, A^T y>: [..., h, w] -> [..., H, W]."""
        rows, columns = self._axes_of(y)
        return separable(rows.matrix.mT, y, columns.matrix.mT)

    def pseudo_inverse(self, y: Tensor) -> Tensor:
        """Computes A+ y without the smallest singular values of A: [..., h, w] -> [..., H, W]."""
        rows, columns = self._axes_of(y)
        values = rows.values[:, None] * columns.values
        inverse = (1 / values).masked_fill(values < CUTOFF * values.max(), 0)
        return separable(rows.right, inverse * separable(rows.left.mT, y, columns.left.mT), columns.right)

    def solve(self, y: Tensor, ridge: float) -> Tensor:
        """Computes (A A^T + ridge I)^-1 y from the singular values: [..., h, w] -> [..., h, w]."""
        rows, columns = self._axes_of(y)
        values = (rows.values[:, None] * columns.values).square() + ridge
        return separable(rows.left, separable(rows.left.mT, y, columns.left.mT) / values, columns.left)

    def upsample(self, y: Tensor) -> Tensor:
        """Enlarges by bicubic interpolation, [..., h, w] -> [..., h * factor, w * factor]: the traditional baseline."""
        return bicubic_resize(y, y.shape[-2] * self.factor, y.shape[-1] * self.factor)

    def _axes_of(self, y: Tensor) -> tuple[Axis, Axis]:
        """The axes of the original of an LR picture."""
        height, width = y.shape[-2:]
        return self._axis(height * self.factor, y), self._axis(width * self.factor, y)

    def _axis(self, size: int, like: Tensor) -> Axis:
        key = size, like.dtype, like.device
        if key not in self._axes:
            # A tensor made in inference mode cannot take part in a gradient, and these are kept for later callers.
            with torch.inference_mode(False):
                matrix = self.axis(size)
                left, values, right = torch.linalg.svd(matrix, full_matrices=False)
                parts = (matrix, left, values, right.mT)
                self._axes[key] = Axis(*(part.to(dtype=like.dtype, device=like.device) for part in parts))
        return self._axes[key]
