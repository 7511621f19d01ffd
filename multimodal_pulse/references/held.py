"""A picture of which samples may change a part only: the parent of `method=vary`, and the mask painted on it."""

from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from multimodal_pulse.base.errors import UserError

_MIDDLE_GREY = 0.5
_SOFT = 1 / 85
"""The standard deviation of the blur that softens the mask's border, as a share of its side: 1.5 of 128 pixels."""
_LEAST_WEIGHT = 0.5
"""A scribble whose weight stays below this is so thin that hardly anything could change."""


@dataclass(frozen=True)
class Held:
    """The picture that samples keep outside of a mask.

    Attributes:
        parent: the picture, [3, R, R] in [0, 1].
        mask: [1, R, R] in [0, 1]; a sample may differ from the parent where it is lighter than middle grey.

    Raises:
        UserError: the mask has another size than the picture, is black, or its white parts are too thin.
    """

    parent: Tensor
    mask: Tensor

    def __post_init__(self) -> None:
        if self.mask.shape[1:] != self.parent.shape[1:]:
            (mask_height, mask_width), (height, width) = self.mask.shape[1:], self.parent.shape[1:]
            raise UserError(
                f"vary.mask is {mask_width} x {mask_height} pixels; it must be {width} x {height}, as the sample is."
            )
        if not self.inside.any():
            raise UserError("vary.mask is black everywhere, so that nothing may change: paint white what may.")
        if self.weight.max() < _LEAST_WEIGHT:
            raise UserError(
                "vary.mask has nothing but thin lines, in which hardly anything could change: paint with a wider brush."
            )

    @property
    def inside(self) -> Tensor:
        """Where samples may differ from the parent, bool [1, R, R]."""
        return self.mask > _MIDDLE_GREY

    @cached_property
    def weight(self) -> Tensor:
        """How much of a sample is its own, [1, R, R]: 0 outside of the mask, rising to 1 within a few pixels inside.

        The mask is blurred by a Gaussian, which has 1/2 at a straight border; what lies above is stretched to [0, 1].
        """
        std = _SOFT * self.mask.shape[-1]
        reach = torch.arange(-(radius := int(4 * std + 1)), radius + 1, dtype=torch.float32)
        kernel = (-0.5 * (reach / std).square()).exp()
        kernel = kernel / kernel.sum()
        # Beyond the picture the mask goes on as at its edge.
        blurred = F.pad(self.inside.float()[None], [radius] * 4, mode="replicate")
        blurred = F.conv2d(F.conv2d(blurred, kernel[None, None, None]), kernel[None, None, :, None])[0]
        return torch.where(self.inside, (2 * blurred - 1).clamp(0, 1), 0.0)

    def blended(self, samples: Tensor) -> Tensor:
        """Returns samples [K, 3, R, R] inside of the mask and the parent outside, without a seam."""
        parent, weight = self.parent.to(samples), self.weight.to(samples)
        return parent + weight * (samples - parent)

    def share(self, change: Tensor) -> Tensor:
        """Returns the part of a change of samples, [K, 3, R, R], that the mask allows."""
        return self.weight.to(change) * change


class NothingHeld:
    """Samples may be any pictures."""

    def blended(self, samples: Tensor) -> Tensor:
        """Returns the samples."""
        return samples

    def share(self, change: Tensor) -> Tensor:
        """Returns the change."""
        return change


NOTHING = NothingHeld()
