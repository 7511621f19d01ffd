"""Drawing primitives: pixel windows, anti-aliased masks of signed distances, bumps, colour ramps, lattice noise.

Coordinates run from 0 to 1 across the picture, y downwards. Pixels are computed with elementwise operations
only, so a pixel's value does not depend on the other portraits of the batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Window:
    """A fixed rectangle of the picture: slices into the image and its pixel centres x [1,1,1,w], y [1,1,h,1]."""

    rows: slice
    columns: slice
    x: Tensor
    y: Tensor
    pixel: float

    def of(self, image: Tensor) -> Tensor:
        """Returns the window's part of [..., R, R], as a view."""
        return image[..., self.rows, self.columns]


def window(resolution: int, left: float = 0.0, top: float = 0.0, right: float = 1.0, bottom: float = 1.0) -> Window:
    """Makes the window of [left, right] x [top, bottom], rounded outwards to whole groups of four pixels."""

    def bounds(low: float, high: float) -> tuple[int, int]:
        return floor(low * resolution / 4) * 4, min(ceil(high * resolution / 4) * 4, resolution)

    (x0, x1), (y0, y1) = bounds(left, right), bounds(top, bottom)
    x = (torch.arange(x0, x1, dtype=torch.float32) + 0.5) / resolution
    y = (torch.arange(y0, y1, dtype=torch.float32) + 0.5) / resolution
    return Window(slice(y0, y1), slice(x0, x1), x.view(1, 1, 1, -1), y.view(1, 1, -1, 1), 1 / resolution)


def inside(distance: Tensor, width: float | Tensor) -> Tensor:
    """Makes the mask of a signed distance (negative inside), with a linear edge of `width`; one pixel anti-aliases."""
    return (distance * (-1 / width) + 0.5).clamp_(0, 1)


def soft(distance: Tensor, width: float | Tensor) -> Tensor:
    """Does the same as `inside` with a smooth (cubic) edge, for shadows and painted transitions."""
    t = inside(distance, width)
    return t * t * (3 - 2 * t)


def bump(radius_squared: Tensor) -> Tensor:
    """Computes the smooth hill (1 - r^2)^2 for r < 1, zero outside."""
    return (1 - radius_squared).clamp_(min=0).square_()


def hill(x: Tensor, y: Tensor, width: float | Tensor, height: float | Tensor) -> Tensor:
    """Computes `bump` over an ellipse with the given half axes."""
    return bump((x / width).square() + (y / height).square())


def paint(canvas: Tensor, colour: Tensor, mask: Tensor) -> None:
    """Blends `colour` [N, 3, ...] over `canvas` [N, 3, h, w] in place where `mask` [N, 1, h, w] is 1."""
    canvas.add_((colour - canvas).mul_(mask))


def colours(*rgb: Sequence[float]) -> Tensor:
    """Makes colour stops, [K, 3]."""
    return torch.tensor(rgb)


def ramp(position: Tensor, stops: Tensor) -> Tensor:
    """Interpolates K evenly spaced colour stops [K, 3] linearly at position [N,1,1,1] in [0, 1], to [N,3,1,1]."""
    scaled = position.flatten().clamp(0, 1) * (len(stops) - 1)
    index = scaled.floor().long().clamp(max=len(stops) - 2)
    fraction = (scaled - index)[:, None]
    return (stops[index] * (1 - fraction) + stops[index + 1] * fraction)[:, :, None, None]


def hsv(hue: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    """Converts hue (a turn per unit), saturation and value, each [N,1,1,1], to RGB colours [N,3,1,1]."""
    offset = torch.tensor([0.0, 4.0, 2.0]).view(1, 3, 1, 1)
    pure = (((hue * 6 + offset) % 6 - 3).abs() - 1).clamp(0, 1)
    return value * (1 - saturation * (1 - pure))


def lookup(lattice: Tensor, across: Tensor, along: Tensor) -> Tensor:
    """Interpolates lattice noise [N, 1, h, w] at coordinates in lattice cells from the centre: bilinear, mirrored."""
    height, width = lattice.shape[-2:]
    grid = torch.stack(torch.broadcast_tensors(along * (2 / width), across * (2 / height)), dim=-1)
    return F.grid_sample(lattice, grid[:, 0], mode="bilinear", padding_mode="reflection", align_corners=False)
