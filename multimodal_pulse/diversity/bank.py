"""A bank of a generator's own pictures: Gaussianised latents, and what the degradation makes of their pictures.

It works for any generator and any degradation, and needs no training data. A bank is computed once and kept: with the
weights if they come with one, else in the cache. Only the LR pictures are stored, in 8 bits, because the latents are
drawn again from their seed.
"""

import torch
from torch import Tensor

from multimodal_pulse.base.progress_bar import progress_bar
from multimodal_pulse.degradation import Degradation
from multimodal_pulse.generator.computed_once import computed_once
from multimodal_pulse.generator.frozen import Generator
from multimodal_pulse.generator.statistics import w_statistics

_CHUNK = 50
_NOISE_SEED, _Z_SEED = 1, 10**9
RIDGE = 1.0
"""Penalty of the ridge regression, in units of squared LR pixels of the range [0, 1], summed over the bank."""


class Bank:
    """Draws of a generator with their LR pictures, and the best linear estimate of a latent from an LR picture.

    Args:
        generator: the generator, on any device.
        lr: the LR pictures, uint8 [N, c * h * w], see `lr_pictures`.

    Attributes:
        latents: the draws after PULSE's Gaussianisation, [N, w_dim], with mean 0 and variance 1 in each component.
        lr: the LR pictures as floats in [0, 1], [N, c * h * w].
    """

    @torch.no_grad()
    def __init__(self, generator: Generator, lr: Tensor):
        self.statistics = w_statistics(generator)
        self.latents = torch.cat([self._gaussianised(generator, first) for first in range(0, len(lr), _CHUNK)])[
            : len(lr)
        ]
        self.lr = lr.float() / 255
        self._lr_mean, self._latent_mean = self.lr.mean(dim=0), self.latents.mean(dim=0)
        pictures, latents = (self.lr - self._lr_mean).double(), (self.latents - self._latent_mean).double()
        gram = pictures.T @ pictures + RIDGE * torch.eye(pictures.shape[1], dtype=torch.float64)
        self._coefficients = torch.linalg.solve(gram, pictures.T @ latents).float()

    def _gaussianised(self, generator: Generator, first: int) -> Tensor:
        z = _z(generator, first).to(next(generator.parameters()))
        w = generator.mapping(z)[:, 0].float().cpu()
        return self.statistics.gaussianise(w)

    def estimate(self, lr: Tensor) -> Tensor:
        """E(y), the ridge regression of latents on LR pictures: [..., c * h * w] in [0, 1] -> [..., w_dim]."""
        return self._latent_mean + (lr - self._lr_mean) @ self._coefficients

    def residuals(self, indices: Tensor) -> Tensor:
        """Returns x_j - E(y_j) of some draws: what their LR pictures do not tell, [n, w_dim]."""
        return self.latents[indices] - self.estimate(self.lr[indices])

    def nearest(self, lr: Tensor, count: int) -> Tensor:
        """Returns the indices of the draws whose LR pictures are nearest to `lr` [c * h * w], the nearest first."""
        return (self.lr - lr).square().sum(dim=1).topk(min(count, len(self.lr)), largest=False).indices

    def to_w_plus(self, latents: Tensor, num_ws: int) -> Tensor:
        """Undoes the Gaussianisation and gives every layer the same vector: [K, w_dim] -> [K, num_ws, w_dim]."""
        return self.statistics.to_w(latents)[:, None].expand(-1, num_ws, -1)


def bank(generator: Generator, degradation: Degradation, draws: int) -> Bank:
    """Returns the bank of a generator under a degradation; it is computed once, with a progress bar.

    Args:
        generator: the generator, on any device.
        degradation: A.
        draws: the number of pictures.
    """
    tensors = computed_once(
        generator.companions,
        f"bank-{generator.sha256[:16]}-{_as_file_name(degradation.name)}-{draws}.safetensors",
        "The bank of the generator is",
        fits=lambda kept: "lr" in kept and _are_pictures(kept["lr"], draws),
        compute=lambda: {"lr": lr_pictures(generator, degradation, draws)},
    )
    return Bank(generator, tensors["lr"])


@torch.no_grad()
def lr_pictures(generator: Generator, degradation: Degradation, draws: int) -> Tensor:
    """Draws pictures with fresh noise maps, as in training, and degrades them: uint8 [draws, c * h * w] on the CPU."""
    like = next(generator.parameters())
    pictures = []
    bar = progress_bar(total=draws, desc="drawing a bank of the generator's pictures, once", unit="picture")
    for first in range(0, draws, _CHUNK):
        rng = torch.Generator().manual_seed(_NOISE_SEED + first)
        noise = [torch.randn(_CHUNK, 1, r, r, generator=rng).to(like) for r in generator.noise_resolutions]
        images = generator.synthesis(generator.mapping(_z(generator, first).to(like)), noise).clamp(0, 1)
        pictures.append((degradation(images).clamp(0, 1) * 255).round().byte().flatten(1).cpu())
        bar.update(min(_CHUNK, draws - first))
    bar.close()
    return torch.cat(pictures)[:draws]


def _z(generator: Generator, first: int) -> Tensor:
    """The random inputs of the draws from number `first` on, [_CHUNK, z_dim]."""
    rng = torch.Generator().manual_seed(_Z_SEED + first)
    return torch.randn(_CHUNK, generator.z_dim, generator=rng)


def _as_file_name(words: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in words)


def _are_pictures(lr: Tensor, draws: int) -> bool:
    return lr.dtype == torch.uint8 and lr.ndim == 2 and len(lr) == draws
