"""Bicubic downsampling without antialiasing: only the nearest 4 x 4 pixels enter an LR pixel."""

import torch
from torch import Tensor

from multimodal_pulse.degradation.separable import Separable

_A = -0.75
"""PyTorch's parameter of the cubic kernel; MATLAB's is -0.5."""


def _cubic_kernel(x: Tensor) -> Tensor:
    """Computes the cubic convolution kernel (Keys 1981, before equation 15) with a = -0.75; zero for |x| >= 2."""
    x = x.abs()
    inner = (_A + 2) * x**3 - (_A + 3) * x**2 + 1
    outer = _A * (x**3 - 5 * x**2 + 8 * x - 4)
    return torch.where(x <= 1, inner, torch.where(x <= 2, outer, torch.zeros_like(x)))


def interpolation_matrix(in_size: int, out_size: int) -> Tensor:
    """Makes the matrix that interpolates one axis at the centres of `out_size` pixels, from the nearest four of each.

    Returns: float64 [out_size, in_size] on the CPU; every row sums to one.
    """
    centers = (torch.arange(out_size, dtype=torch.float64) + 0.5) * in_size / out_size - 0.5
    taps = torch.floor(centers)[:, None] + torch.arange(-1, 3, dtype=torch.float64)
    weights = _cubic_kernel(centers[:, None] - taps)
    columns = taps.long().clamp(0, in_size - 1)  # the outermost pixels are repeated beyond the border
    return torch.zeros(out_size, in_size, dtype=torch.float64).scatter_add_(1, columns, weights)


class PlainBicubic(Separable):
    """PyTorch's bicubic `interpolate`, by a whole factor: [..., C, H, W] -> [..., C, H / factor, W / factor].

    The report's own program makes its references so. Most pixels of the original do not enter the LR picture at all,
    which therefore has jagged edges.

    Args:
        factor: a positive integer; 1 is the identity.
    Raises:
        UserError: `factor` is not a positive integer, or (when used) does not divide the picture's sides.
    """

    def __init__(self, factor: int = 8) -> None:
        super().__init__(factor)
        self.name = f"bicubic without antialiasing, {factor} x"
        self.sentence = f"Each side is {factor} times shorter, by bicubic interpolation without antialiasing."

    def axis(self, size: int) -> Tensor:
        """Makes the matrix of one axis, float64 [size / factor, size]."""
        return interpolation_matrix(size, self.lr_side(size))
