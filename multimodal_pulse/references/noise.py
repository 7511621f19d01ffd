"""The noise that references carry: given, or estimated from each picture."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from multimodal_pulse.configuration.validation import ESTIMATE, refuse_noise_std

_LAPLACIANS = torch.tensor([[1.0, -2.0, 1.0], [-2.0, 4.0, -2.0], [1.0, -2.0, 1.0]])
"""Immerkaer's mask, the difference of two Laplacians: no response to any surface of second degree, and one of standard
deviation 6 to white noise of standard deviation 1."""
_MEDIAN = NormalDist().inv_cdf(0.75)  # of the absolute value of a standard normal variable
_SEED = 0
_PROBES = 8  # pictures of noise; with the 192 numbers of the smallest reference the gain is known within 2 %


@dataclass(frozen=True)
class Noise:
    """The white Gaussian noise of an LR picture.

    Attributes:
        std: its standard deviation, in units of the [0, 1] range; 0: none.
        source: "given" by the user, "estimated" from the picture, or "none".
    """

    std: float = 0.0
    source: str = "none"

    def as_dict(self) -> dict[str, Any]:
        """Returns it as record.json has it."""
        return asdict(self)


class FindNoise(Protocol):
    """What says how much noise a reference has."""

    def __call__(self, picture: Tensor, to_lr: Callable[[Tensor], Tensor], /) -> Noise:
        """Returns the noise of the LR picture.

        Args:
            picture: the picture that it is made of, [3, H, W] in [0, 1].
            to_lr: makes it, without rounding.
        """
        ...


@dataclass(frozen=True)
class GivenNoise:
    """All references have the same noise, whatever they look like."""

    noise: Noise = Noise()

    def __call__(self, picture: Tensor, to_lr: Callable[[Tensor], Tensor]) -> Noise:
        """Returns that noise; see `FindNoise`."""
        return self.noise


class EstimatedNoise:
    """The noise of each reference is estimated from its picture before that is reduced.

    There it has more pixels and is farther from the detail of the picture. What is left of it in the LR picture follows
    from the operator, since a linear map makes of white noise what it makes of any picture.
    """

    def __call__(self, picture: Tensor, to_lr: Callable[[Tensor], Tensor]) -> Noise:
        """Estimates the noise; see `FindNoise`."""
        return Noise(estimated_std(picture) * gain(to_lr, tuple(picture.shape)), "estimated")


def find_noise(noise_std: float | str | None) -> FindNoise:
    """Returns what `references.noise_std` means: a standard deviation, `ESTIMATE`, or None for no noise.

    Raises:
        UserError: it is something else.
    """
    refuse_noise_std(noise_std)
    if noise_std in ESTIMATE:
        return EstimatedNoise()
    return GivenNoise(Noise(float(noise_std), "given") if noise_std else Noise())


def said_noise(noise_std: float | str | None) -> str | None:
    """Returns what `references.noise_std` changes, in one sentence; None if it changes nothing."""
    if not noise_std:
        return None
    whose = "the noise of each reference, which is estimated," if noise_std in ESTIMATE else "this noise"
    return (
        f"references.noise_std={noise_std}: samples come as near to their reference as {whose} allows and no nearer"
        " (Tikhonov's form in place of the exact projection)."
    )


def estimated_std(picture: Tensor) -> float:
    """Estimates the standard deviation of white Gaussian noise on a picture [3, H, W] in [0, 1], in its units.

    The responses to the mask of Immerkaer (1996, "Fast noise variance estimation") are noise wherever the picture is
    smooth; the median of their absolute values, by which Donoho & Johnstone (1994, "Ideal spatial adaptation by wavelet
    shrinkage") estimate noise, leaves out the edges, which his mean does not. Pixels at 0 or 1 may have lost their
    noise by clipping, and no response to one is used. What is estimated includes the finest texture; a picture of less
    than 3 x 3 pixels, or one that is clipped everywhere, has no estimate: 0.
    """
    if min(picture.shape[-2:]) < 3:
        return 0.0
    responses = F.conv2d(picture[:, None], _LAPLACIANS.to(picture)[None, None])
    clipped = F.max_pool2d(((picture <= 0) | (picture >= 1)).float(), 3, stride=1)
    used = responses[:, 0][clipped == 0]
    return float(used.abs().median() / (6 * _MEDIAN)) if used.numel() else 0.0


def gain(to_lr: Callable[[Tensor], Tensor], shape: tuple[int, ...]) -> float:
    """Returns by what a linear map multiplies the standard deviation of white noise: the root of the mean squared row.

    It is measured on pictures of noise (Hutchinson 1990), the same ones at each call.

    Args:
        to_lr: the map, from a picture of `shape` to an LR picture.
        shape: [3, H, W].
    """
    rng = torch.Generator().manual_seed(_SEED)
    squares = [to_lr(torch.randn(shape, generator=rng)).square().mean() for _ in range(_PROBES)]
    return float(torch.stack(squares).mean().sqrt())
