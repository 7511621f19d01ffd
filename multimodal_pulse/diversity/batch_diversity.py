"""Terms that drive the samples of one reference apart: equation (1) of Unalan & Alkilani, and a bounded one."""

import math
from collections.abc import Iterator
from itertools import combinations

import torch
from torch import Tensor

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.degradation import Degradation

# The size of the report's pictures, for which its weight of 0.02 was chosen: distances are scaled to this size.
_REPORT_NUMEL = 3 * 256 * 256
# Keeps the gradient finite between identical images; one grey level at 16 x 16 gives 1.2e-2 under the root.
_EPSILON = 1e-8


class NoBatchDiversity:
    """Leaves the samples independent: each is a problem of its own, and its term is 0."""

    def problems(self, num_references: int, num_samples: int) -> int:
        """Returns how many sets of samples can be minimised separately: M * K."""
        return num_references * num_samples

    def __call__(self, images: Tensor, degradation: Degradation) -> Tensor:
        """Returns 0 for each sample of images [M, K, C, H, W]: [M * K]."""
        return images.new_zeros(images.shape[0] * images.shape[1])


class BatchDiversity:
    """Computes equation (1): minus the sum of distances between all ordered pairs of samples of the same reference."""

    def problems(self, num_references: int, num_samples: int) -> int:
        """Returns how many sets of samples can be minimised separately: M."""
        return num_references

    def __call__(self, images: Tensor, degradation: Degradation) -> Tensor:
        """Maps images [M, K, C, H, W] in [0, 1], not clamped, to a term for each reference, [M], at most 0.

        Each distance ||I_i - I_j||_2 is multiplied by sqrt(3 * 256 * 256 / (C * H * W)), so that a weight has the same
        meaning at every resolution as at the report's 256 x 256.
        """
        scale = math.sqrt(_REPORT_NUMEL / images[0, 0].numel())
        total = images.new_zeros(len(images))
        for squared in squared_distances(images):
            total = total - 2 * scale * torch.sqrt(squared + _EPSILON)
        return total


class AveragedBatchDiversity(BatchDiversity):
    """Computes equation (1) as the program of its authors does: each pair once, divided by the number of samples.

    It is `BatchDiversity` over 2 K.
    """

    def __call__(self, images: Tensor, degradation: Degradation) -> Tensor:
        """Maps images [M, K, C, H, W] in [0, 1], not clamped, to a term for each reference, [M], at most 0."""
        return super().__call__(images, degradation) / (2 * images.shape[1])


class Repulsion:
    """Keeps the samples of a reference apart, up to a distance and no further, in what the degradation cannot see.

    The term is the sum over all ordered pairs of relu(d0 - d_ij)^2. d_ij is the RMS difference, in grey levels of 256,
    of (I - A+ A) x_i and (I - A+ A) x_j: the parts of the samples that leave the LR picture as it is, so that moving
    them apart costs no fidelity. Unlike equation (1) it is bounded, and vanishes where all pairs are d0 apart.

    Args:
        distance: d0, in grey levels of 256.
    Raises:
        UserError: `distance` is not positive.
    """

    def __init__(self, distance: float):
        if not distance > 0:
            raise UserError(
                f"batch_diversity.distance={distance} must be positive; batch_diversity=none switches it off."
            )
        self.distance = distance

    def problems(self, num_references: int, num_samples: int) -> int:
        """Returns how many sets of samples can be minimised separately: M."""
        return num_references

    def __call__(self, images: Tensor, degradation: Degradation) -> Tensor:
        """Maps images [M, K, C, H, W] in [0, 1], not clamped, to a term for each reference, [M], at least 0."""
        hidden = images - degradation.pseudo_inverse(degradation(images))
        total = images.new_zeros(len(images))
        for squared in squared_distances(hidden):
            rms = 255 * torch.sqrt(squared / images[0, 0].numel() + _EPSILON)
            total = total + 2 * torch.relu(self.distance - rms).square()
        return total


def squared_distances(images: Tensor) -> Iterator[Tensor]:
    """Yields the squared distance of each unordered pair of samples, [M], for images [M, K, C, H, W].

    Pair by pair, since all pairs at once would hold K^2 images.
    """
    for first, second in combinations(images.unbind(dim=1), 2):
        yield (first - second).square().sum(dim=(1, 2, 3))
