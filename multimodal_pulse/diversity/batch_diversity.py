"""The loss that drives the samples of one reference apart: equation (1) of Unalan & Alkilani."""

import math
from itertools import combinations

import torch
from torch import Tensor

# The report's pictures, for which its weight of 0.02 was found: distances are scaled to what they would be there.
_REPORT_NUMEL = 3 * 256 * 256
# Keeps the gradient finite between identical images; images one grey level apart at 16 x 16 have 1.2e-2 under the root.
_EPSILON = 1e-8


class NoBatchDiversity:
    """No coupling between samples."""

    def __call__(self, images: Tensor) -> Tensor:
        """images [M, K, C, H, W] -> 0."""
        return images.new_zeros(())


class BatchDiversity:
    """Equation (1): the negative sum of the distances between all ordered pairs of samples of the same reference."""

    def __call__(self, images: Tensor) -> Tensor:
        """images [M, K, C, H, W], [0, 1] convention -> scalar, the sum over the M references; at most 0.

        Each distance ||I_i - I_j||_2 is multiplied by sqrt(3 * 256 * 256 / (C * H * W)), so that a weight means at
        every resolution what it means at the report's 256 x 256.
        """
        scale = math.sqrt(_REPORT_NUMEL / images[0, 0].numel())
        total = images.new_zeros(())
        # Pairs one by one: all at once would hold K^2 images. i < j counts twice, for (i, j) and (j, i).
        for first, second in combinations(images.unbind(dim=1), 2):
            squared = (first - second).square().sum(dim=(1, 2, 3))
            total = total - 2 * scale * torch.sqrt(squared + _EPSILON).sum()
        return total
