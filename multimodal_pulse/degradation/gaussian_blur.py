"""A Gaussian blur, with or without downsampling: a lens out of focus, an unknown reduction, a blurred scan."""

import math

import torch
from torch import Tensor

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.degradation.resize import mirrored
from multimodal_pulse.degradation.separable import Separable

_WIDTHS = 5
"""Beyond so many standard deviations a weight is below 4e-6 of the largest."""


class GaussianBlur(Separable):
    """A Gaussian blur, of which every factor-th value is kept: [..., C, H, W] -> [..., C, H / factor, W / factor].

    The Gaussian stands over the centre of each LR pixel, its weights sum to one, and beyond its borders the picture
    goes on as in a mirror. A strong blur leaves nothing of fine detail: A+ ignores the singular values below `CUTOFF`
    times the largest.

    Args:
        std: the standard deviation of the Gaussian, in pixels of the original.
        factor: a positive integer; with 1 the size stays.
    Raises:
        UserError: `std` is not positive, `factor` is not a positive integer, or (when used) the factor does not divide
            the picture's sides.
    """

    def __init__(self, std: float = 4.0, factor: int = 8) -> None:
        super().__init__(factor)
        if not 0 < std < math.inf:
            raise UserError(f"degradation.std={std} must be a positive number of pixels of the original.")
        self.std = float(std)
        self.name = f"Gaussian blur of {self.std!r} pixels, {factor} x"
        self.sentence = f"A Gaussian of standard deviation {self.std:g} pixels blurs the picture{self.and_smaller()}."

    def axis(self, size: int) -> Tensor:
        """Makes the matrix of one axis, float64 [size / factor, size]."""
        # Centre of each LR pixel in coordinates of the original, where pixel i is centred on i (from 0).
        centres = (torch.arange(self.lr_side(size), dtype=torch.float64) + 0.5) * self.factor - 0.5
        reach = math.ceil(_WIDTHS * self.std)
        taps = torch.floor(centres)[:, None] + torch.arange(-reach, reach + 2, dtype=torch.float64)
        weights = torch.exp(-0.5 * ((taps - centres[:, None]) / self.std).square())
        return mirrored(taps.long(), weights / weights.sum(dim=1, keepdim=True), size)
