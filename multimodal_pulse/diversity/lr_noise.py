"""Gaussian noise on the LR reference, drawn once per sample and kept during the search (Unalan & Alkilani)."""

import torch
import torch.nn.functional as F
from torch import Tensor

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.base.randomness import stream

_BLACK = 8 / 255
"""Up to here a mask counts as black: JPEG files of black pictures have pixels a few grey levels above it."""


class NoLrNoise:
    """Fits every sample to the reference itself."""

    mask: Tensor | None = None

    def targets(self, lr: Tensor, seed: int, name: str, num_samples: int) -> Tensor:
        """Maps lr [3, h, w] to targets [K, 3, h, w], each equal to lr."""
        return lr.expand(num_samples, -1, -1, -1)


class GaussianLrNoise:
    """Fits every sample to the reference plus its own noise on the whole picture.

    Args:
        std: the standard deviation of the noise, in units of the [0, 1] range; the report uses 0.108.
    Raises:
        UserError: `std` is negative.
    """

    mask: Tensor | None = None

    def __init__(self, std: float):
        if not std >= 0:
            raise UserError(f"noise.lr_std={std} must not be negative; 0 means no noise.")
        self.std = std

    def targets(self, lr: Tensor, seed: int, name: str, num_samples: int) -> Tensor:
        """Maps lr [3, h, w] in [0, 1] to targets [K, 3, h, w], not clamped, so that the noise keeps its mean of 0."""
        streams = [stream(seed, name, sample, "lr_noise") for sample in range(num_samples)]
        noise = torch.stack([torch.randn(lr.shape, generator=rng) for rng in streams])
        return lr + self.std * noise.to(lr)


class SharedLrNoise(GaussianLrNoise):
    """Fits all samples to one noisy copy of the reference, clipped to [0, 1], as the report's own program does.

    Args:
        std: the standard deviation of the noise before it is clipped, in units of the [0, 1] range.
    Raises:
        UserError: `std` is negative.
    """

    def targets(self, lr: Tensor, seed: int, name: str, num_samples: int) -> Tensor:
        """Maps lr [3, h, w] in [0, 1] to targets [K, 3, h, w] in [0, 1], all the same."""
        return super().targets(lr, seed, name, 1).clamp(0, 1).expand(num_samples, -1, -1, -1)


class MaskedLrNoise:
    """Adds the noise of `GaussianLrNoise` only where a mask allows it; the rest of the reference stays unchanged.

    Args:
        std: the standard deviation of the noise, in units of the [0, 1] range.
        mask: the mask, [1, h, w] in [0, 1]; 1 means full noise. `lr_mask` makes it from a mask of LR or HR size.
    Raises:
        UserError: `std` is negative, or (when used) the mask does not have the reference's size.
    """

    def __init__(self, std: float, mask: Tensor):
        self.noise = GaussianLrNoise(std)
        self.mask = mask

    def targets(self, lr: Tensor, seed: int, name: str, num_samples: int) -> Tensor:
        """Maps lr [3, h, w] in [0, 1] to targets [K, 3, h, w]; they equal lr, bit for bit, where the mask is 0."""
        if self.mask.shape != (1, *lr.shape[1:]):
            raise UserError(
                f"noise.lr_mask is {_size(self.mask)} pixels, the reference '{name}' is {_size(lr)}: "
                "give a mask of the size of the reference or of its samples."
            )
        mask = self.mask.to(lr)
        noisy = self.noise.targets(lr, seed, name, num_samples)
        return torch.where(mask > 0, lr + mask * (noisy - lr), lr)


def lr_mask(mask: Tensor, lr_size: tuple[int, int], resolution: int) -> Tensor:
    """Brings a mask of LR or HR size to LR size.

    Args:
        mask: [1, H, W] in [0, 1], white (1) = noise there; (H, W) is `lr_size`, or both are `resolution`.
        lr_size: the height and width of the reference, in pixels.
        resolution: the side of the samples, in pixels, a multiple of both.

    Returns:
        [1, *lr_size]; from HR size, each pixel is the mean of the area that it covers.

    Raises:
        UserError: the mask has neither size, or is black everywhere.
    """
    height, width = lr_size
    if mask.shape not in ((1, height, width), (1, resolution, resolution)):
        raise UserError(
            f"noise.lr_mask is {_size(mask)} pixels; "
            f"it must be {width} x {height} (the reference) or {resolution} x {resolution} (a sample)."
        )
    if mask.max() <= _BLACK:
        raise UserError(
            "noise.lr_mask is black everywhere, so that no noise is added and all samples are the same: paint white"
            " where noise is wanted, or choose lr_noise=none."
        )
    if mask.shape == (1, height, width):
        return mask
    return F.avg_pool2d(mask, (resolution // height, resolution // width))


def _size(image: Tensor) -> str:
    return f"{image.shape[-1]} x {image.shape[-2]}"
