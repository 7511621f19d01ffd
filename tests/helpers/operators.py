"""Every degradation of the program, for property tests: how to make one from a factor and a number."""

from collections.abc import Callable

import torch
from torch import Tensor

from multimodal_pulse.degradation import (
    Area,
    Bicubic,
    Degradation,
    GaussianBlur,
    Grayscale,
    Inpainting,
    MotionBlur,
    RandomProjection,
)

OPERATORS: dict[str, Callable[[int, float], Degradation]] = {
    # By factor (1 to 9) and strength (0 to 1).
    "bicubic": lambda factor, strength: Bicubic(factor),
    "area": lambda factor, strength: Area(factor),
    "gaussian blur": lambda factor, strength: GaussianBlur(0.2 + 3 * strength * factor, factor),
    "motion blur": lambda factor, strength: MotionBlur(9 * strength, 170 * strength, factor),
    "grayscale": lambda factor, strength: Grayscale(),
    "inpainting": lambda factor, strength: Inpainting(),
    "random projection": lambda factor, strength: RandomProjection(factor + 1, seed=int(100 * strength)),
}
ILL_CONDITIONED = ("gaussian blur", "motion blur")
"""Those whose smallest singular values their pseudo-inverse takes as zero."""


def original_shape(degradation: Degradation, height: int, width: int) -> tuple[int, int, int]:
    """A shape that the degradation accepts, whose LR picture is height x width."""
    factor = getattr(degradation, "factor", 1)
    return 3, height * factor, width * factor


def dense(degradation: Degradation, shape: tuple[int, int, int]) -> Tensor:
    """The matrix of A for originals of `shape`, float64 [c * h * w, C * H * W], column by column."""
    numel = shape[0] * shape[1] * shape[2]
    return degradation(torch.eye(numel, dtype=torch.float64).view(numel, *shape)).flatten(1).T
