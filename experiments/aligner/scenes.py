"""Pictures with faces whose frames are known, made from aligned portraits by random similarity transformations.

The background is something else each time, and what borders on a face is too: the portrait's square shows its own
border nowhere in a photograph, so a network must not learn it. Squares without a face are pasted in the same way.
"""

import io
import math

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from torchvision.transforms.functional import pil_to_tensor, to_pil_image

LEVELS = (32, 64, 128)  # sides of the portraits' reductions, so that no warp aliases


class Portraits:
    """Aligned portraits in three sizes.

    Args:
        pixels: uint8 [N, 3, 128, 128].
    """

    def __init__(self, pixels: Tensor):
        self.count = len(pixels)
        self.levels = {
            level: torch.cat([F.avg_pool2d(part.float(), 128 // level).byte() for part in pixels.split(512)])
            for level in LEVELS
        }

    def warped(self, which: Tensor, grid: Tensor, sides: Tensor, padding: str) -> Tensor:
        """Portraits `which` [B] at coordinates `grid` [B, n, n, 2], whose frames have `sides` [B] pixels there."""
        out = torch.empty(len(which), 3, *grid.shape[1:3])
        bounds = (0.0, *[1.1 * level for level in LEVELS[:-1]], math.inf)
        for low, high, level in zip(bounds, bounds[1:], LEVELS, strict=False):
            chosen = ((sides >= low) & (sides < high)).nonzero()[:, 0]
            if len(chosen):
                source = self.levels[level][which[chosen]].float() / 255
                out[chosen] = F.grid_sample(source, grid[chosen], padding_mode=padding, align_corners=False)
        return out


def uniform(rng: torch.Generator, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
    return low + (high - low) * torch.rand(*shape, generator=rng)


def coordinates(size: int, x: Tensor, y: Tensor, side: Tensor, roll: Tensor) -> Tensor:
    """Where the pixels of pictures of `size` lie in frames [B], whose square is [-1, 1]: [B, size, size, 2]."""
    steps = torch.arange(size) + 0.5
    dx, dy = steps[None, None, :] - x[:, None, None], steps[None, :, None] - y[:, None, None]
    c, s = roll.cos()[:, None, None], roll.sin()[:, None, None]
    return torch.stack([c * dx + s * dy, c * dy - s * dx], dim=-1) * (2 / side[:, None, None, None])


def masks(grid: Tensor, sides: Tensor, rng: torch.Generator, beyond: float = 1.0) -> Tensor:
    """How much of the portrait shows, [B, 1, n, n]: superellipses from a head's outline to the square.

    Args:
        grid: coordinates in the frame.
        sides: of the frames, in pixels.
        rng: the random stream.
        beyond: the share of the usual number of masks that go on below or all around the square.
    """
    count = len(grid)
    kind = uniform(rng, count)
    power = torch.where(kind < 0.5, 2.0, torch.where(kind < 0.75, 4.0, 16.0))[:, None, None]
    width = uniform(rng, count, low=0.62, high=1.0)[:, None, None]
    top, bottom = uniform(rng, 2, count, low=0.75, high=1.0)[:, :, None, None]
    bottom = torch.where((uniform(rng, count) < 0.3 * beyond)[:, None, None], 1e3, bottom)  # the body goes on
    u, v = grid[..., 0].abs() / width, torch.where(grid[..., 1] < 0, -grid[..., 1] / top, grid[..., 1] / bottom)
    distance = (u.pow(power) + v.clamp(max=50).pow(power)).pow(1 / power)
    softness = (uniform(rng, count, low=0.3, high=4.0) * 2 / sides)[:, None, None]
    whole = (uniform(rng, count) < 0.15 * beyond)[:, None, None]  # mirrored or drawn on to the picture's border
    return torch.where(whole, 1.0, ((1 - distance) / softness + 0.5).clamp(0, 1))[:, None]


def backgrounds(portraits: Portraits, count: int, size: int, rng: torch.Generator) -> Tensor:
    """[count, 3, size, size]: parts of portraits, scrambled ones, noise of many scales,
    gradients, drawn shapes, and one of these within another."""
    which = torch.randint(portraits.count, (count,), generator=rng)
    # Large, so that only a part shows, or with its middle outside; at any angle.
    side = size * torch.exp(uniform(rng, count, low=0.9, high=2.2))
    angle, far = uniform(rng, count, high=2 * math.pi), uniform(rng, count, low=0.3, high=0.5) * side
    centre = size / 2 + torch.stack([angle.cos(), angle.sin()]) * far
    grid = coordinates(size, centre[0], centre[1], side, uniform(rng, count, low=-math.pi, high=math.pi))
    parts = portraits.warped(which, grid, side, "reflection")

    noise = torch.zeros(count, 3, size, size)
    for cells in (2, 4, 8, 16, 32, size):
        grain = torch.randn(count, 3, cells, cells, generator=rng) * uniform(rng, count, 1, 1, 1) ** 2
        grey = grain.mean(dim=1, keepdim=True) * 1.7
        grain = grey + (grain - grey) * uniform(rng, count, 1, 1, 1) ** 2
        noise += F.interpolate(grain, size=(size, size), mode="bilinear", align_corners=False)
    noise = 0.25 * noise + uniform(rng, count, 3, 1, 1)

    shapes = F.interpolate(uniform(rng, count, 3, 2, 2), size=(size, size), mode="bilinear", align_corners=False)
    steps = (torch.arange(size) + 0.5) / size
    for _ in range(6):
        x, y, a, t = (uniform(rng, count, 1, 1) for _ in range(4))
        u, v = steps[None, None, :] - x, steps[None, :, None] - y
        u, v = (t * 6.3).cos() * u + (t * 6.3).sin() * v, (t * 6.3).cos() * v - (t * 6.3).sin() * u
        round_ = u**2 / (0.02 + a) ** 2 + v**2 < 0.05
        straight = (u.abs() < 0.3 * a) & (v.abs() < 0.4 * t + 0.02)
        inside = torch.where(uniform(rng, count, 1, 1) < 0.5, round_, straight)[:, None]
        shapes = torch.where(inside, uniform(rng, count, 3, 1, 1), shapes)

    tiles = F.pixel_unshuffle(parts, size // 8)  # 8 x 8 of them
    mixed = tiles.flatten(2)[:, :, torch.randperm(64, generator=rng)].view_as(tiles)
    mixed = F.pixel_shuffle(mixed, size // 8)
    smooth = F.interpolate(uniform(rng, count, 3, 3, 3), size=(size, size), mode="bilinear", align_corners=False)

    pool = torch.stack([parts, noise, shapes, mixed, smooth])
    kind = torch.multinomial(torch.tensor([0.4, 0.15, 0.2, 0.1, 0.15]), count, replacement=True, generator=rng)
    pictures = pool[kind, torch.arange(count)]
    for _ in range(2):  # a smaller background with soft borders in each second one
        x, y = uniform(rng, 2, count, high=size)
        grid = coordinates(size, x, y, uniform(rng, count, low=0.2, high=0.9) * size, torch.zeros(count))
        piece = F.grid_sample(pictures.roll(1, dims=0), grid, padding_mode="border", align_corners=False)
        window = (2 * (1 - grid.abs())).clamp(0, 1).prod(dim=-1)[:, None] * (uniform(rng, count, 1, 1, 1) < 0.5)
        pictures = pictures + window * (piece - pictures)
    return pictures


def pasted(
    portraits: Portraits, pictures: Tensor, x: Tensor, y: Tensor, side: Tensor, roll: Tensor, rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Pastes one portrait into each of the pictures [B, 3, n, n] at the frames [B]: pictures and masks [B, 1, n, n]."""
    count, size = len(pictures), pictures.shape[-1]
    which = torch.randint(portraits.count, (count,), generator=rng)
    grid = coordinates(size, x, y, side, roll)
    mask = masks(grid, side, rng)
    mirrored = torch.where(uniform(rng, count) < 0.5, -1.0, 1.0)
    grid = torch.stack([grid[..., 0] * mirrored[:, None, None], grid[..., 1]], dim=-1)
    padding = "reflection" if uniform(rng, 1) < 0.5 else "border"
    # Mirrored farther, a second face would appear.
    face = portraits.warped(which, grid.clamp(-1.35, 1.35), side, padding)
    gain, shift = uniform(rng, count, 3, 1, 1, low=0.9, high=1.1), uniform(rng, count, 1, 1, 1, low=-0.15, high=0.15)
    return pictures + mask * (face * gain + shift - pictures), mask


def faceless(portraits: Portraits, pictures: Tensor, side: Tensor, rng: torch.Generator) -> Tensor:
    """Pastes into each picture a piece that shows no whole upright face, with the same masks as faces have."""
    count, size = len(pictures), pictures.shape[-1]
    x, y = uniform(rng, 2, count, high=size)
    roll = uniform(rng, count, low=-math.pi, high=math.pi)
    outer = coordinates(size, x, y, side, roll)
    mask = masks(outer, side, rng, beyond=0.0)
    piece = uniform(rng, count)
    zoom = torch.where(piece < 0.6, uniform(rng, count, low=0.15, high=0.4), 1.0)  # an eye, a mouth, a shoulder
    centre = uniform(rng, count, 1, 1, 2, low=-0.8, high=0.8) * (zoom < 0.9)[:, None, None, None]
    # The others are whole faces, lying or upside down: one that leans by less than 75 degrees is turned around.
    upright = (zoom > 0.9) & (roll.abs() < math.radians(75))
    grid = torch.where(upright, -1.0, 1.0)[:, None, None, None] * outer * zoom[:, None, None, None] + centre
    which = torch.randint(portraits.count, (count,), generator=rng)
    face = portraits.warped(which, grid, side / zoom, "reflection")
    return pictures + mask * (face - pictures)


def degraded(x: Tensor, rng: torch.Generator, softest: float) -> Tensor:
    """What cameras and files do to pictures [B, 3, n, n]: light, colour, blur, reduction, noise, JPEG.

    Args:
        softest: the largest factor by which a picture is reduced and enlarged again.
    """
    count, size = len(x), x.shape[-1]
    x = x.clamp(0, 1) ** torch.exp(uniform(rng, count, 1, 1, 1, low=-0.5, high=0.5))
    contrast = torch.where(uniform(rng, count, 1, 1, 1) < 0.2, uniform(rng, count, 1, 1, 1, low=0.25, high=0.7), 1.0)
    x = (x - 0.5) * contrast * uniform(rng, count, 3, 1, 1, low=0.88, high=1.12) + 0.5
    x = x + uniform(rng, count, 1, 1, 1, low=-0.15, high=0.15)
    grey = uniform(rng, count, 1, 1, 1) < 0.25
    x = torch.where(grey, x.mean(dim=1, keepdim=True), x).clamp(0, 1)

    parts = []
    for part in x.split(8):
        if uniform(rng, 1) < 0.6:
            small = round(size / float(torch.exp(uniform(rng, 1) * math.log(softest))))
            mode = ("bilinear", "bicubic")[int(uniform(rng, 1) < 0.5)]
            part = F.interpolate(part, size=(small, small), mode=mode, antialias=True)
            part = part + 0.07 * uniform(rng, len(part), 1, 1, 1) ** 3 * torch.randn(part.shape, generator=rng)
            part = F.interpolate(part, size=(size, size), mode=mode)
        parts.append(part)
    x = torch.cat(parts)
    x = x + 0.08 * uniform(rng, count, 1, 1, 1) ** 3 * torch.randn(x.shape, generator=rng)
    for i in (uniform(rng, count) < 0.3).nonzero()[:, 0].tolist():
        file = io.BytesIO()
        to_pil_image(x[i].clamp(0, 1)).save(file, "JPEG", quality=int(uniform(rng, 1, low=12, high=90)))
        x[i] = pil_to_tensor(Image.open(file)).float() / 255
    return (x.clamp(0, 1) * 255).round() / 255


def wide_scenes(portraits: Portraits, count: int, size: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Scenes for the detector.

    Returns: pictures [count, 3, size, size] and their faces [count, 3, 5], the last covering the first: x, y, side in
        pixels, roll in radians, and 1 for a face that counts, 0 for none, -1 for one that the detector may ignore.
    """
    pictures = backgrounds(portraits, count, size, rng)
    pictures = faceless(portraits, pictures, uniform(rng, count, low=0.15, high=0.7) * size, rng)
    faces = torch.zeros(count, 3, 5)
    for place, share in enumerate((0.35, 0.5, 0.85)):
        x, y = uniform(rng, 2, count, low=0.02, high=0.98) * size
        side = torch.exp(uniform(rng, count, low=math.log(12), high=math.log(90)))
        side = torch.where(uniform(rng, count) < 0.75, torch.exp(uniform(rng, count, low=3.0, high=3.9)), side)
        roll = uniform(rng, count, low=-1.0, high=1.0)
        roll = torch.where(uniform(rng, count) < 0.35, 0.2 * torch.randn(count, generator=rng), roll)
        shown = uniform(rng, count) < share
        with_face, mask = pasted(portraits, pictures, x, y, side, roll, rng)
        mask = mask * shown[:, None, None, None]
        pictures = torch.where(shown[:, None, None, None], with_face, pictures)
        for earlier in range(place):  # a face that is covered is neither a face nor none
            column, row = (faces[:, earlier, :2].long().clamp(0, size - 1)).T
            hidden = mask[torch.arange(count), 0, row, column] > 0.2
            faces[:, earlier, 4] = torch.where(hidden & (faces[:, earlier, 4] != 0), -1.0, faces[:, earlier, 4])
        counted = torch.where((side > 20) & (side < 50), 1.0, torch.where((side > 15) & (side < 64), -1.0, 0.0))
        faces[:, place] = torch.stack([x, y, side, roll, counted * shown], dim=1)
    return degraded(pictures, rng, softest=2.2), faces


def close_scenes(
    portraits: Portraits, count: int, size: int, side: float, rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Scenes for the refiner: a frame of `side` pixels in the middle that is nearly right, or not there.

    Returns: pictures [count, 3, size, size] and [count, 5]: the true frame's shift in sides (x, y), the logarithm of
        its side over `side`, its roll in radians, and whether there is a face.
    """
    pictures = backgrounds(portraits, count, size, rng)
    pictures = faceless(portraits, pictures, uniform(rng, count, low=0.3, high=1.2) * size, rng)
    spread = torch.where(uniform(rng, count) < 0.5, 1.0, 0.35)
    shift = torch.randn(2, count, generator=rng).clamp(-2.5, 2.5) * 0.09 * spread
    log_scale = torch.randn(count, generator=rng).clamp(-2.5, 2.5) * 0.17 * spread
    roll = torch.randn(count, generator=rng).clamp(-2.5, 2.5) * math.radians(10) * spread
    x, y = size / 2 + shift * side
    with_face, _ = pasted(portraits, pictures, x, y, side * log_scale.exp(), roll, rng)
    shown = uniform(rng, count) < 0.75
    # What the detector takes for a face is often a face, but elsewhere or of another size.
    wrong, _ = pasted(
        portraits,
        pictures,
        size / 2 + (uniform(rng, count) - 0.5).sign() * uniform(rng, count, low=0.5, high=0.9) * side,
        size / 2 + uniform(rng, count, low=-0.9, high=0.9) * side,
        side * torch.exp(uniform(rng, count, low=-1.2, high=1.2)),
        uniform(rng, count, low=-1.0, high=1.0),
        rng,
    )
    decoy = uniform(rng, count) < 0.5
    pictures = torch.where((decoy & ~shown)[:, None, None, None], wrong, pictures)
    pictures = torch.where(shown[:, None, None, None], with_face, pictures)
    return degraded(pictures, rng, softest=2.6), torch.stack([*shift, log_scale, roll, shown.float()], dim=1)
