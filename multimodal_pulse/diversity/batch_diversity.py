"""The loss that drives the samples of one reference apart: equation (1) of Unalan & Alkilani."""

import math
from itertools import combinations

import torch
from torch import Tensor

# The size of the report's pictures, for which its weight of 0.02 was chosen: distances are scaled to this size.
_REPORT_NUMEL = 3 * 256 * 256
# Keeps the gradient finite between identical images; one grey level at 16 x 16 gives 1.2e-2 under the root.
_EPSILON = 1e-8


class NoBatchDiversity:
    """Leaves the samples independent: its term is 0."""

    def __call__(self, images: Tensor) -> Tensor:
        """Returns 0 for images [M, K, C, H, W]."""
        return images.new_zeros(())


class BatchDiversity:
    """Computes equation (1): minus the sum of distances between all ordered pairs of samples of the same reference."""

    def __call__(self, images: Tensor) -> Tensor:
        """Maps images [M, K, C, H, W] in [0, 1], not clamped, to a scalar, the sum over the M references; at most 0.

        Each distance ||I_i - I_j||_2 is multiplied by sqrt(3 * 256 * 256 / (C * H * W)), so that a weight has the same
        meaning at every resolution as at the report's 256 x 256.
        """
        scale = math.sqrt(_REPORT_NUMEL / images[0, 0].numel())
        total = images.new_zeros(())
        # Pair by pair, since all pairs at once would hold K^2 images. Each counts twice, for (i, j) and (j, i).
        for first, second in combinations(images.unbind(dim=1), 2):
            squared = (first - second).square().sum(dim=(1, 2, 3))
            total = total - 2 * scale * torch.sqrt(squared + _EPSILON).sum()
        return total
