"""Terms that drive the samples of one reference apart: equation (1) of Unalan & Alkilani, and a bounded one."""

import math
from collections.abc import Iterator
from itertools import combinations
from typing import Protocol

import torch
from torch import Tensor, nn

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


class Metric(Protocol):
    """How far two samples are apart.

    Attributes:
        distance: the d0 of `Repulsion` if none is chosen, in the units of the metric.
    """

    distance: float

    def __call__(self, images: Tensor, degradation: Degradation, /) -> Iterator[Tensor]:
        """Yields the distance of each unordered pair of samples, [M], for images [M, K, C, H, W] in [0, 1]."""
        ...


class PixelDistance:
    """Measures distances in pixels: the RMS difference, in grey levels of 256, of what the degradation cannot see.

    These are the parts (I - A+ A) x_i of the samples, which leave the LR picture as it is, so that moving them apart
    costs no fidelity.
    """

    distance = 20.0

    def __call__(self, images: Tensor, degradation: Degradation) -> Iterator[Tensor]:
        """Yields the distance of each unordered pair of samples, [M], for images [M, K, C, H, W], not clamped."""
        hidden = images - degradation.pseudo_inverse(degradation(images))
        for squared in squared_distances(hidden):
            yield 255 * torch.sqrt(squared / images[0, 0].numel() + _EPSILON)


class InsideDistance:
    """Measures `PixelDistance` inside of a mask: the RMS over its pixels, weighted, in grey levels of 256.

    Args:
        weight: [1, H, W] in [0, 1], 0 outside; not 0 everywhere.
    """

    distance = 20.0

    def __init__(self, weight: Tensor):
        self._scaled = weight / weight.square().mean().sqrt()

    def __call__(self, images: Tensor, degradation: Degradation) -> Iterator[Tensor]:
        """Yields the distance of each unordered pair of samples, [M], for images [M, K, C, H, W], not clamped."""
        inside = self._scaled.to(images) * (images - images.mean(dim=1, keepdim=True))
        yield from PixelDistance()(inside, degradation)


class FeatureDistance:
    """Measures distances in the deep features of LPIPS (Zhang et al. 2018): LPIPS in per cent, as the report has it.

    Args:
        network: maps pictures [N, 3, H, W] in [0, 1] to layers of features, [N, c, h, w] each. LPIPS is the sum over
            the layers of the squared difference of two pictures' features, summed over channels and averaged over
            positions. Its weights are constant; it follows the pictures to their device, and to float64.
    """

    distance = 40.0

    def __init__(self, network: nn.Module):
        self.network = network

    def __call__(self, images: Tensor, degradation: Degradation) -> Iterator[Tensor]:
        """Yields the distance of each unordered pair of samples, [M], for images [M, K, 3, H, W], not clamped."""
        dtype = torch.promote_types(images.dtype, torch.float32)
        network = self.network.to(images.device, dtype)
        squared: Tensor | float = 0.0
        for layer in network(images.flatten(0, 1).to(dtype)):
            features = layer.flatten(1).unflatten(0, images.shape[:2])
            # From inner products, since the differences of all pairs would be K^2 stacks of features.
            centred = features - features.mean(dim=1, keepdim=True)
            products = centred @ centred.mT
            lengths = products.diagonal(dim1=1, dim2=2)
            squared = squared + (lengths[:, :, None] + lengths[:, None] - 2 * products) / layer[0, 0].numel()
        for first, second in combinations(range(images.shape[1]), 2):
            yield 100 * squared[:, first, second]  # type: ignore[index]


class Repulsion:
    """Keeps the samples of a reference apart, up to a distance and no further.

    The term is the sum over all ordered pairs of relu(d0 - d_ij)^2. Unlike equation (1) it is bounded, and vanishes
    where all pairs are d0 apart.

    Args:
        metric: measures d_ij.
        distance: d0, in the units of the metric; None: the metric's own.

    Raises:
        UserError: `distance` is not positive.
    """

    def __init__(self, metric: Metric, distance: float | None = None):
        self.metric = metric
        self.distance = metric.distance if distance is None else distance
        if not self.distance > 0:
            raise UserError(
                f"batch_diversity.distance={distance} must be positive; batch_diversity=none switches it off."
            )

    def problems(self, num_references: int, num_samples: int) -> int:
        """Returns how many sets of samples can be minimised separately: M."""
        return num_references

    def __call__(self, images: Tensor, degradation: Degradation) -> Tensor:
        """Maps images [M, K, C, H, W] in [0, 1], not clamped, to a term for each reference, [M], at least 0."""
        total = images.new_zeros(len(images))
        for apart in self.metric(images, degradation):
            total = total + 2 * torch.relu(self.distance - apart).square()
        return total


def squared_distances(images: Tensor) -> Iterator[Tensor]:
    """Yields the squared distance of each unordered pair of samples, [M], for images [M, K, C, H, W].

    Pair by pair, since all pairs at once would hold K^2 images. Inner products would not do: in float32 the gradient
    between near-identical samples is wrong by half, and in float64 they take 3.7 times as long for four samples of 128
    x 128 pixels (and 0.6 times for sixteen, where all of it is 5 % of a step).
    """
    for first, second in combinations(images.unbind(dim=1), 2):
        yield (first - second).square().sum(dim=(1, 2, 3))
