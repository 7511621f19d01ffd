"""`degradation.factor=auto`: the factor whose LR size is nearest to that of the pictures. Imports no PyTorch."""

import math
from collections.abc import Sequence
from statistics import median_low

WITHOUT_PICTURES = 8
"""The factor where no picture is smaller than the generator's: the report's, and that of the banks that are shipped."""
LEAST = 2
"""The smallest factor that is chosen: 1 would leave nothing to search for."""


def nearest_factor(resolution: int, side: int) -> int:
    """Returns the power of two, at least 2, for which resolution / factor is nearest to `side`, by their ratio.

    Args:
        resolution: the generator's, a power of two.
        side: of a picture, in pixels, at least 1.
    """
    return min(max(LEAST, 2 ** round(math.log2(resolution / side))), resolution)


def chosen_factor(resolution: int, sides: Sequence[int], one: str = "picture") -> tuple[int, str]:
    """Returns the factor of a run, and a sentence that says why it is this one.

    A run has one degradation, so that its scores can be averaged and one bank of starts serves it. Pictures of
    different sizes are therefore brought to the LR size that is nearest to the one in the middle of their sizes.

    Args:
        resolution: the generator's, a power of two.
        sides: the side in pixels of each picture, or face in one, that is taken as an LR reference.
        one: what a single side is that of.
    """
    if not sides:
        return WITHOUT_PICTURES, f"degradation.factor=auto is {WITHOUT_PICTURES}: no picture is an LR reference."
    middle = median_low(sides)
    factor = nearest_factor(resolution, middle)
    size = f"{resolution // factor} x {resolution // factor}"
    whose = f"the {one}'s" if len(sides) == 1 else f"the middle one of {len(sides)} LR references'"
    return factor, f"degradation.factor=auto is {factor}: {size} is the LR size nearest to {whose} {middle} pixels."
