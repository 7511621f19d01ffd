"""The picture of the spread: where the samples of one reference differ, and by how much."""

from typing import NamedTuple

import torch
from PIL import Image
from torch import Tensor

from multimodal_pulse.metrics.functional import spread
from multimodal_pulse.results.pictures.page import INK, Page, Tile, tile_side

_ENDS = (8, 16, 32, 64, 128)
"""The standard deviations in grey levels at which the scale may end; larger ones have the brightest colour too."""
# From black by violet and orange to light yellow, with a lightness that rises evenly, as in matplotlib's inferno.
_COLOURS = torch.tensor(
    [
        [0, 0, 4], [40, 11, 84], [101, 21, 110], [159, 42, 99],
        [212, 72, 66], [245, 125, 21], [250, 193, 39], [252, 255, 164],
    ]
) / 255  # fmt: skip


class SpreadPicture(NamedTuple):
    """The standard deviation of each pixel, in colours.

    Attributes:
        label: what is shown.
        image: [3, R, R] in [0, 1].
        end: the grey levels at which the scale, which begins at 0, ends: these and more have the brightest colour.
    """

    label: str
    image: Tensor
    end: int


def spread_picture(samples: Tensor) -> SpreadPicture:
    """Draws the standard deviation of each pixel over samples [K, 3, R, R]; K is over 1.

    The scale ends at the first of `_ENDS` that 99 % of the pixels do not exceed.
    """
    levels = spread(samples).float().cpu()
    most = levels.flatten().sort().values[int(0.99 * levels.numel())].item()
    end = next((end for end in _ENDS if most <= end), _ENDS[-1])
    return SpreadPicture(f"Where the {len(samples)} samples differ", _coloured(levels / end), end)


def spread_tile(samples: Tensor) -> Tile:
    """Makes the tile of `spread_picture`, with its scale."""
    label, image, end = spread_picture(samples)
    return Tile(label, image, [(f"0\t{end} grey levels or more", INK)], _coloured(torch.linspace(0, 1, 256)[None]))


def spread_page(name: str, samples: Tensor) -> Image.Image:
    """Draws the spread on a page of its own.

    Args:
        name: the name of the reference.
        samples: [K, 3, R, R] in [0, 1], K over 1.

    Returns: an RGB picture on white.
    """
    note = "The standard deviation of each pixel over the samples, in grey levels from 0 to 255."
    side = tile_side(samples.shape[-1], wanted=512, most=512)
    page = Page(side, columns=1, rows=1, gutters=[], title=name, note=note, footers=2)
    page.put(spread_tile(samples), column=0, row=0)
    return page.image


def _coloured(values: Tensor) -> Tensor:
    """Gives each value of [H, W] its colour on a scale from 0 to 1: [3, H, W] in [0, 1]."""
    place = values.clamp(0, 1) * (len(_COLOURS) - 1)
    lower = place.floor().long().clamp(max=len(_COLOURS) - 2)
    colours = torch.lerp(_COLOURS[lower], _COLOURS[lower + 1], (place - lower)[..., None])
    return colours.permute(2, 0, 1)
