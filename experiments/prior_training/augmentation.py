"""What is done to real and to generated pictures alike before a discriminator sees them."""

import torch
import torch.nn.functional as F
from torch import Tensor


class DiffAugment:
    """Changes of brightness, saturation, contrast and place, and a cut-out square (Zhao et al. 2020, DiffAugment).

    Args:
        colour: strength of the changes of colour, of which 1 is the paper's.
        shift: the largest shift, as a share of the side.
        hole: the side of the square that is cut out, as a share of the side.
    """

    def __init__(self, colour: float = 0.5, shift: float = 0.125, hole: float = 0.5) -> None:
        self.colour, self.shift, self.hole = colour, shift, hole

    def __call__(self, images: Tensor, rng: torch.Generator) -> Tensor:
        """Returns changed pictures [N, 3, R, R], differentiable; each has draws of its own.

        Args:
            images: [N, 3, R, R] in [-1, 1].
            rng: a stream on the device of the pictures.
        """
        n, _, size, _ = images.shape
        brightness, saturation, contrast = torch.rand(3, n, 1, 1, 1, generator=rng, device=images.device)
        images = images + self.colour * (brightness - 0.5)
        grey = images.mean(dim=1, keepdim=True)
        images = (images - grey) * (1 + self.colour * (2 * saturation - 1)) + grey
        mean = images.mean(dim=(1, 2, 3), keepdim=True)
        images = (images - mean) * (1 + self.colour * (contrast - 0.5)) + mean
        most, side = int(size * self.shift), int(size * self.hole)
        images = shifted(images, _whole(rng, -most, most, n), _whole(rng, -most, most, n))
        corners = _whole(rng, -(side // 2), size - side // 2 - 1, n), _whole(rng, -(side // 2), size - side // 2 - 1, n)
        return (images * kept(size, side, *corners)).contiguous(memory_format=torch.channels_last)


class NoAugmentation:
    """The null object: pictures as they are, for sets that are large enough."""

    def __call__(self, images: Tensor, rng: torch.Generator) -> Tensor:
        return images


def shifted(images: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """Moves pictures [N, C, R, R] by whole numbers of pixels, int64 [N] each; what comes in is 0 (grey)."""
    n, _, size, _ = images.shape
    most = int(max(down.abs().max(), right.abs().max()))
    padded = F.pad(images, (most, most, most, most))
    steps = torch.arange(size, device=images.device) + most
    rows, columns = steps - down[:, None], steps - right[:, None]
    number = torch.arange(n, device=images.device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[number, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def kept(size: int, side: int, top: Tensor, left: Tensor) -> Tensor:
    """Masks [N, 1, size, size], 0 in a square of `side` with these corners (int64 [N] each) and 1 elsewhere."""
    steps = torch.arange(size, device=top.device)
    rows = (steps >= top[:, None]) & (steps < top[:, None] + side)
    columns = (steps >= left[:, None]) & (steps < left[:, None] + side)
    return (~(rows[:, :, None] & columns[:, None, :]))[:, None].float()


def _whole(rng: torch.Generator, first: int, last: int, count: int) -> Tensor:
    return torch.randint(first, last + 1, (count,), generator=rng, device=rng.device)
