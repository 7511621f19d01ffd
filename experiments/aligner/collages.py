"""Pictures with faces at known frames, for the evaluation: kept-out portraits on backgrounds of their own making."""

import math

import torch
import torch.nn.functional as F
from scenes import Portraits, backgrounds, coordinates, degraded, masks, uniform
from torch import Tensor

from multimodal_pulse.domains.faces import Frame


def background(portraits: Portraits, height: int, width: int, rng: torch.Generator) -> Tensor:
    """[3, height, width]: a patchwork of soft pieces of all backgrounds, in which no portrait shows its middle."""
    picture = F.interpolate(uniform(rng, 1, 3, 3, 3), size=(height, width), mode="bicubic", align_corners=False)[0]
    for _ in range(6):
        size = int(uniform(rng, 1, low=0.3, high=0.9) * min(height, width)) // 8 * 8
        piece = backgrounds(portraits, 1, size, rng)[0]
        top, left = int(uniform(rng, 1) * (height - size)), int(uniform(rng, 1) * (width - size))
        steps = (torch.arange(size) + 0.5) / size
        window = (4 * torch.minimum(steps, 1 - steps)).clamp(0, 1)
        part = picture[:, top : top + size, left : left + size]
        part += window[:, None] * window * (piece - part)
    return picture.clamp(0, 1)


def with_face(portraits: Portraits, which: int, picture: Tensor, frame: Frame, rng: torch.Generator) -> Tensor:
    """Pastes portrait `which` into a picture [3, H, W] at a frame, with a soft outline."""
    height, width = picture.shape[-2:]
    x, y, side, roll = (torch.tensor([v]) for v in (frame.x, frame.y, frame.side, math.radians(frame.roll)))
    grid = coordinates(max(height, width), x, y, side, roll)
    mask = masks(grid, side, rng)[0, :, :height, :width]
    face = portraits.warped(torch.tensor([which]), grid.clamp(-1.35, 1.35), side, "border")[0, :, :height, :width]
    return picture + mask * (face - picture)


def collage(
    portraits: Portraits, which: int, side: float, rng: torch.Generator, size: tuple[int, int] = (240, 320)
) -> tuple[Tensor, Frame]:
    """A picture [3, *size] with one kept-out face of a frame of `side` pixels, leaning by up to 45 degrees.

    The centre lies at least half a side inside the picture, and at least 16 pixels.
    """
    height, width = size
    edge = min(max(side / 2, 16), min(height, width) / 2)
    x, y = (float(uniform(rng, 1, low=edge, high=length - edge)) for length in (width, height))
    frame = Frame(x, y, side, float(uniform(rng, 1, low=-45, high=45)))
    picture = with_face(portraits, which, background(portraits, height, width, rng), frame, rng)
    return photographed(picture, rng), frame


def photographed(picture: Tensor, rng: torch.Generator) -> Tensor:
    """A little of what cameras and files do: no more than one pixel of blur."""
    height, width = picture.shape[-2:]
    square = F.pad(picture[None], (0, max(0, height - width), 0, max(0, width - height)), mode="replicate")
    return degraded(square, rng, softest=1.5)[0, :, :height, :width]
