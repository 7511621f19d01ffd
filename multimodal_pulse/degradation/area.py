"""Downsampling by the mean of squares of pixels, as the pixels of a camera collect light."""

import torch
from torch import Tensor

from multimodal_pulse.degradation.separable import Separable


class Area(Separable):
    """The mean of each square of factor x factor pixels: [..., C, H, W] -> [..., C, H / factor, W / factor].

    All singular values of A are 1 / factor, so that A+ repeats each LR pixel factor x factor times.

    Args:
        factor: a positive integer; 1 is the identity.
    Raises:
        UserError: `factor` is not a positive integer, or (when used) does not divide the picture's sides.
    """

    def __init__(self, factor: int = 8) -> None:
        super().__init__(factor)
        self.name = f"area, {factor} x"
        self.sentence = f"Each side is {factor} times shorter: every pixel is the mean of {factor} x {factor}."

    def axis(self, size: int) -> Tensor:
        """Makes the matrix of one axis, float64 [size / factor, size]."""
        lr_side = torch.eye(self.lr_side(size), dtype=torch.float64)
        return lr_side.repeat_interleave(self.factor, dim=1) / self.factor
