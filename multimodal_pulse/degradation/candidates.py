"""The degradations among which a blind start chooses."""

from collections.abc import Callable

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.degradation.area import Area
from multimodal_pulse.degradation.bicubic import Bicubic
from multimodal_pulse.degradation.gaussian_blur import GaussianBlur
from multimodal_pulse.degradation.motion_blur import MotionBlur
from multimodal_pulse.degradation.operator import Degradation

CANDIDATES: dict[str, Callable[[int], Degradation]] = {
    "bicubic": Bicubic,
    "area": Area,
    # Standard deviations of half an LR pixel and a whole one, movements of two LR pixels.
    "blur": lambda factor: GaussianBlur(0.5 * factor, factor),
    "strong_blur": lambda factor: GaussianBlur(1.0 * factor, factor),
    "horizontal_motion": lambda factor: MotionBlur(2.0 * factor, 0.0, factor),
    "vertical_motion": lambda factor: MotionBlur(2.0 * factor, 90.0, factor),
}
"""By name, what makes each from the factor. All make LR pictures of the same size."""


def candidate(factor: int = 8, choice: str | None = None) -> Degradation:
    """Returns one of the candidates.

    Args:
        factor: pixels of the original per pixel of the reference, along each side.
        choice: a name in `CANDIDATES`; None: the first, until one has been found.
    Raises:
        UserError: there is no candidate of this name.
    """
    name = next(iter(CANDIDATES)) if choice is None else choice
    if name not in CANDIDATES:
        raise UserError(f"degradation.choice={choice} must be one of {', '.join(CANDIDATES)}, or null to find it.")
    return CANDIDATES[name](factor)
