"""The frame of a face: the square that a picture aligned as FFHQ shows (Karras et al. 2019, appendix A).

Pictures are [3, H, W] in [0, 1]; positions are continuous, in pixels, with (0, 0) at the upper left corner of the
picture and (0.5, 0.5) in the middle of its first pixel, y downwards.
"""

import math
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

_REACH = 0.1  # of the side: over which the padding goes over into blur
_MOST_TAPS = 8  # per axis and output pixel, before the picture is reduced by averaging


@dataclass(frozen=True)
class Frame:
    """A rotated square in a picture.

    Attributes:
        x, y: its centre in pixels.
        side: its side in pixels.
        roll: its rotation in degrees, clockwise as one sees it.
        score: how sure the detector is that a face is there, from 0 to 1.
    """

    x: float
    y: float
    side: float
    roll: float = 0.0
    score: float = 1.0

    def point(self, u: float, v: float) -> tuple[float, float]:
        """Returns the position in the picture of (u, v), which run from -1 to 1 over the frame."""
        c, s = math.cos(math.radians(self.roll)), math.sin(math.radians(self.roll))
        return self.x + self.side / 2 * (c * u - s * v), self.y + self.side / 2 * (s * u + c * v)

    def corners(self) -> list[tuple[float, float]]:
        """Returns upper left, upper right, lower right, lower left, as the face sees them."""
        return [self.point(-1, -1), self.point(1, -1), self.point(1, 1), self.point(-1, 1)]

    def scaled(self, factor: float) -> "Frame":
        """Returns the frame in a picture that is `factor` times as large."""
        return replace(self, x=self.x * factor, y=self.y * factor, side=self.side * factor)

    def grown(self, factor: float) -> "Frame":
        """Returns the frame with `factor` times its side about the same centre."""
        return replace(self, side=self.side * factor)

    def moved(self, right: float, down: float, log_scale: float, roll: float) -> "Frame":
        """Returns the frame after a similarity in its own coordinates.

        Args:
            right, down: the shift of the centre in sides, along the frame's own axes.
            log_scale: the logarithm of the factor of the side.
            roll: degrees, clockwise.
        """
        x, y = self.point(2 * right, 2 * down)
        turned = (self.roll + roll + 180) % 360 - 180
        return replace(self, x=x, y=y, side=self.side * math.exp(log_scale), roll=turned)


def positions(frame: Frame, size: int) -> Tensor:
    """Returns where the pixels of the frame cut out at `size` lie: [size, size, 2] of (x, y) in pixels."""
    steps = (torch.arange(size, dtype=torch.float64) + 0.5) / size * 2 - 1
    v, u = torch.meshgrid(steps, steps, indexing="ij")
    c, s = math.cos(math.radians(frame.roll)), math.sin(math.radians(frame.roll))
    x, y = frame.x + frame.side / 2 * (c * u - s * v), frame.y + frame.side / 2 * (s * u + c * v)
    return torch.stack([x, y], dim=-1)


def sample(picture: Tensor, places: Tensor, padding: str = "reflection") -> Tensor:
    """Bilinear values of a picture [C, H, W] at positions [..., 2] in pixels: [C, ...] of two axes.

    Args:
        picture: the picture.
        places: [h, w, 2].
        padding: what lies outside: "reflection", "border" or "zeros".
    """
    height, width = picture.shape[-2:]
    grid = places * (2 / torch.tensor([width, height], dtype=places.dtype)) - 1
    return F.grid_sample(picture[None], grid[None].to(picture), padding_mode=padding, align_corners=False)[0]


def cut_out(picture: Tensor, frame: Frame, size: int) -> Tensor:
    """Cuts a frame out of a picture, upright: [3, size, size] in [0, 1].

    Every pixel is the mean over its rotated square of the picture, so that nothing aliases; where the frame is smaller
    than `size` it is interpolated. Where it leaves the picture, the picture goes on mirrored and the more blurred the
    farther outside (as FFHQ was padded).

    Args:
        picture: [3, H, W] in [0, 1].
        frame: where.
        size: side of the result in pixels.
    """
    taps = math.ceil(frame.side / size)
    if taps > _MOST_TAPS:
        factor = taps // _MOST_TAPS
        least = min(picture.shape[-2:])
        if (factor := min(factor, least)) > 1:
            height, width = (length // factor * factor for length in picture.shape[-2:])
            picture = F.avg_pool2d(picture[None, :, :height, :width], factor)[0]
            frame = frame.scaled(1 / factor)
            taps = math.ceil(frame.side / size)
    fine = size * taps
    places = positions(frame, fine)
    inside = F.avg_pool2d(sample(picture, places)[None], taps)[0]
    height, width = picture.shape[-2:]
    beyond = torch.maximum(
        torch.maximum(-places[..., 0], places[..., 0] - width), torch.maximum(-places[..., 1], places[..., 1] - height)
    )
    amount = (beyond / (_REACH * frame.side)).clamp(0, 1).to(picture)[None]
    if not amount.any():
        return inside
    amount = F.avg_pool2d(amount[None], taps)[0]
    return inside + amount * (_blurred(inside, 0.08 * size) - inside)


def _blurred(x: Tensor, sigma: float) -> Tensor:
    """[C, h, w] after a Gaussian of `sigma` pixels."""
    radius = min(math.ceil(3 * sigma), x.shape[-1] - 1, x.shape[-2] - 1)
    offsets = torch.arange(-radius, radius + 1, dtype=x.dtype)
    kernel = torch.exp(-(offsets**2) / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).expand(x.shape[0], 1, -1)
    padded = F.pad(x[None], (radius,) * 4, mode="reflect")
    rows = F.conv2d(padded, kernel[:, :, None], groups=x.shape[0])
    return F.conv2d(rows, kernel[..., None], groups=x.shape[0])[0]
