"""The pictures of a training: those it sees, and those that are kept out of it, which it is judged by."""

import math

import torch
from torch import Tensor


class Pictures:
    """Pictures in memory or in a memory-mapped file; a domain is a subclass that fills in the attributes.

    Attributes:
        pixels: what is trained on, uint8 [N, 3, R, R].
        weights: how often each is drawn, relative to the others, [N].
        mirrored: whether half of the draws are mirrored.
        held: what is kept out, uint8 [n, 3, R, R].
    """

    pixels: Tensor
    weights: Tensor
    mirrored = True
    held: Tensor

    def batch(self, size: int, rng: torch.Generator) -> Tensor:
        """Draws pictures that are trained on: float32 [size, 3, R, R] in [-1, 1].

        Args:
            size: their number.
            rng: a stream of the CPU.
        """
        chosen = self.pixels[torch.multinomial(self.weights, size, replacement=True, generator=rng)].float() / 127.5 - 1
        if not self.mirrored:
            return chosen
        turned = torch.rand(size, 1, 1, 1, generator=rng) < 0.5
        return torch.where(turned, chosen.flip(3), chosen)

    def kept_out(self) -> Tensor:
        """Returns the pictures that are kept out, [n, 3, R, R] in [0, 1]."""
        return self.held.float() / 255

    def trained_on(self, most: int | None = None) -> Tensor:
        """Returns the first `most` pictures that are trained on (None: all), uint8 [N, 3, R, R]."""
        return self.pixels[:most]

    def detail_energy(self, count: int) -> Tensor:
        """Returns the mean square of what nothing in each of the first pictures kept out could tell, [count].

        NaN where it is not known; a renderer knows it, because it can draw the same picture with other random detail.
        """
        return torch.full((count,), math.nan)
