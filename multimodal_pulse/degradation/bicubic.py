"""Antialiased bicubic downsampling, with its transpose and its pseudo-inverse.

The same operator makes the references, enters the loss and serves the scores. It follows MATLAB's `imresize`, and
everything here is exact linear algebra.
"""

from torch import Tensor

from multimodal_pulse.degradation.resize import axis_matrix, resize_matrix, separable
from multimodal_pulse.degradation.separable import Separable


class Bicubic(Separable):
    """Antialiased bicubic downsampling by a whole factor: [..., C, H, W] -> [..., C, H / factor, W / factor].

    Args:
        factor: a positive integer; 1 is the identity.
    Raises:
        UserError: `factor` is not a positive integer, or (when used) does not divide the picture's sides.
    """

    def __init__(self, factor: int = 8) -> None:
        super().__init__(factor)
        self.name = f"bicubic, {factor} x"
        self.sentence = f"Each side is {factor} times shorter, by antialiased bicubic downsampling."

    def axis(self, size: int) -> Tensor:
        """Makes the matrix of one axis, float64 [size / factor, size]."""
        return resize_matrix(size, self.lr_side(size))

    def pseudo_inverse(self, y: Tensor) -> Tensor:
        """Computes A+ y, the smallest x with A x = y: [..., h, w] -> [..., H, W]. A has full row rank, so A A+ = 1.

        The condition number is about two at every size, so that nothing is cut off, and each axis is inverted alone.
        """
        height, width = y.shape[-2:]
        rows = axis_matrix(height * self.factor, height, True, y.dtype, y.device)
        columns = axis_matrix(width * self.factor, width, True, y.dtype, y.device)
        return separable(rows, y, columns)
