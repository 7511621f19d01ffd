"""The range of gray pictures with more than 8 bits: which numbers are black and white. Imports no PyTorch."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from multimodal_pulse.references.preparation import Remark, UnfitPictureError

# Tags of TIFF 6.0 (sections 8 and 19): bits of a sample, meaning of zero, and the range of the samples.
_BITS, _PHOTOMETRIC, _LOWEST, _HIGHEST = 258, 262, 340, 341
_WHITE_IS_ZERO = 0


@dataclass(frozen=True)
class GrayRange:
    """The numbers for black and for white of a gray picture, and what is to be said about them.

    `black` is the larger number where a TIFF says that zero is white.
    """

    black: float
    white: float
    remarks: tuple[Remark, ...]

    @classmethod
    def of(cls, picture: Image.Image) -> "GrayRange | None":
        """Returns the range of a picture before anything is done to it; None if it has 8 bits.

        16 bits range up to 65535, or up to what the bits of a TIFF hold; floats and 32-bit numbers range as the TIFF
        states (SMinSampleValue and SMaxSampleValue), or else, of floats, from 0 to 1.

        Raises:
            UnfitPictureError: the range is unknown, or some values are no numbers.
        """
        tags = getattr(picture, "tag_v2", {})
        if picture.mode.startswith("I;16"):
            low, high = 0.0, float(2 ** _first(tags.get(_BITS, 16)) - 1)
            remark = Remark("has 16 bits, reduced to 8", "pictures have 16 bits, reduced to 8", said=False)
        elif picture.mode in ("I", "F"):
            low, high = _of_floats(picture, tags)
            shown = f"{low:g} for black and {high:g} for white"
            remark = Remark(
                f"has 32-bit numbers, which are read with {shown}",
                "pictures have 32-bit numbers, which are read with the range that is stated, or from 0 to 1",
                shown,
            )
        else:
            return None
        inverted = tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO
        return cls(high, low, (remark,)) if inverted else cls(low, high, (remark,))


def _of_floats(picture: Image.Image, tags: Any) -> tuple[float, float]:
    values = np.asarray(picture)
    if not np.isfinite(values).all():
        raise UnfitPictureError("has values that are no finite numbers")
    low, high = _first(tags.get(_LOWEST)), _first(tags.get(_HIGHEST))
    if low is not None and high is not None and np.isfinite([low, high]).all() and low < high:
        return float(low), float(high)
    least, most = float(values.min()), float(values.max())
    if picture.mode == "F" and least >= 0 and most <= 1:
        return 0.0, 1.0
    raise UnfitPictureError(
        f"has 32-bit numbers from {least:g} to {most:g} without a stated range: scale them to floats in [0, 1], let the"
        " TIFF state their range (SMinSampleValue and SMaxSampleValue), or save 8 or 16 bits"
    )


def _first(values: Any) -> Any:
    """Returns the first of the values that a tag has, one for each channel; a tag may have a single number, or none."""
    return values[0] if isinstance(values, tuple) and values else values
