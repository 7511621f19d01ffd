"""A bank of a generator's own pictures: Gaussianised latents, and what the degradation makes of their pictures.

It works for any generator and any degradation, and needs no training data. A bank is computed once and kept: with the
weights if they come with one, else in the cache. Only the LR pictures are stored, in 8 bits, because the latents are
drawn again from their seed; those of more than `MOST_SIDE` pixels a side are stored smaller, since a linear estimate of
some hundred numbers needs no more.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor

from multimodal_pulse.base.progress_bar import progress_bar
from multimodal_pulse.degradation import Degradation
from multimodal_pulse.generator.computed_once import Unfinished, computed_once
from multimodal_pulse.generator.frozen import Generator
from multimodal_pulse.generator.statistics import w_statistics

_CHUNK = 50
_PIXELS_AT_ONCE = _CHUNK * 128**2
"""The pixels of all pictures that are made at once: 50 pictures of 256 x 256 would need 5 GB."""
_NOISE_SEED, _Z_SEED = 1, 10**9
MOST_SIDE = 32
"""The most pixels of a side of a stored LR picture."""
RIDGE = 1.0
"""Penalty of the ridge regression, in units of squared LR pixels of the range [0, 1], summed over the bank."""


@dataclass(frozen=True)
class Estimate:
    """E(y): the ridge regression of Gaussianised latents on LR pictures.

    Attributes:
        lr_mean: [n], with n the numbers in a stored LR picture; see `stored`.
        latent_mean: [w_dim].
        coefficients: [n, w_dim].
    """

    lr_mean: Tensor
    latent_mean: Tensor
    coefficients: Tensor

    @classmethod
    def fit(cls, lr: Tensor, latents: Tensor) -> "Estimate":
        """Fits to N draws: LR pictures [N, n] in [0, 1] and their latents [N, w_dim]."""
        lr_mean, latent_mean = lr.mean(dim=0), latents.mean(dim=0)
        pictures, centred = (lr - lr_mean).double(), (latents - latent_mean).double()
        if pictures.shape[1] <= len(pictures):
            coefficients = torch.linalg.solve(_ridge(pictures.T), pictures.T @ centred)
        else:  # the same by the smaller system: (X'X + r)^-1 X' = X' (XX' + r)^-1
            coefficients = pictures.T @ torch.linalg.solve(_ridge(pictures), centred)
        return cls(lr_mean, latent_mean, coefficients.float())

    def __call__(self, lr: Tensor) -> Tensor:
        """Maps LR pictures [..., n] in [0, 1] to latents [..., w_dim]."""
        return self.latent_mean + (lr - self.lr_mean) @ self.coefficients


def _ridge(rows: Tensor) -> Tensor:
    """Returns rows rows^T + RIDGE: [n, m] -> [n, n]."""
    return rows @ rows.T + RIDGE * torch.eye(len(rows), dtype=rows.dtype)


class Bank:
    """Draws of a generator with their LR pictures, and the best linear estimate of a latent from an LR picture.

    Args:
        generator: the generator, on any device.
        lr: the LR pictures as they are stored, uint8 [N, n], see `lr_pictures`.
        estimate: E(y), fitted to more draws than the bank holds; None: it is fitted to the bank.

    Attributes:
        estimate: E(y), see `Estimate`.
        latents: the draws after PULSE's Gaussianisation, [N, w_dim], with mean 0 and variance 1 in each component.
        lr: the LR pictures as floats in [0, 1], [N, n].
    """

    @torch.no_grad()
    def __init__(self, generator: Generator, lr: Tensor, estimate: Estimate | None = None):
        self.statistics = w_statistics(generator)
        chunks = [self._gaussianised(generator, first) for first in range(0, len(lr), _CHUNK)]
        self.latents = torch.cat(chunks)[: len(lr)]
        self.lr = lr.float() / 255
        self.estimate = estimate or Estimate.fit(self.lr, self.latents)

    def _gaussianised(self, generator: Generator, first: int) -> Tensor:
        z = _z(generator, first).to(next(generator.parameters()))
        w = generator.mapping(z)[:, 0].float().cpu()
        return self.statistics.gaussianise(w)

    def residuals(self, indices: Tensor) -> Tensor:
        """Returns x_j - E(y_j) of some draws: what their LR pictures do not tell, [n, w_dim]."""
        return self.latents[indices] - self.estimate(self.lr[indices])

    def nearest(self, lr: Tensor, count: int) -> Tensor:
        """Returns the indices of the draws whose LR pictures are nearest to `lr` [n], the nearest first."""
        return (self.lr - lr).square().sum(dim=1).topk(min(count, len(self.lr)), largest=False).indices

    def to_w_plus(self, latents: Tensor, num_ws: int) -> Tensor:
        """Undoes the Gaussianisation and gives every layer the same vector: [K, w_dim] -> [K, num_ws, w_dim]."""
        return self.statistics.to_w(latents)[:, None].expand(-1, num_ws, -1)


def bank(generator: Generator, degradation: Degradation, draws: int) -> Bank:
    """Returns the bank of a generator under a degradation; it is computed once, resumably and with a progress bar.

    The estimate is fitted to the bank, unless the weights come with one. The built-in generators do: theirs was fitted
    to 40,000 draws by `experiments/prior_training/companions.py`.

    Args:
        generator: the generator, on any device.
        degradation: A.
        draws: the number of pictures.
    """
    key, resolution = _key(generator, degradation), generator.resolution
    numbers = stored(torch.zeros(degradation.lr_shape((3, resolution, resolution)))).numel()
    tensors = computed_once(
        generator.companions,
        f"bank-{key}-{draws}.safetensors",
        "The bank of the generator is",
        fits=lambda kept: "lr" in kept and _are_pictures(kept["lr"], draws, numbers),
        compute=lambda unfinished: {"lr": lr_pictures(generator, degradation, draws, unfinished)},
    )
    return Bank(generator, tensors["lr"], _shipped_estimate(generator, degradation))


def estimate_file(generator: Generator, degradation: Degradation) -> str:
    """Returns the name of the file, among the generator's companions, of an estimate fitted to more draws."""
    return f"estimate-{_key(generator, degradation)}.safetensors"


def _shipped_estimate(generator: Generator, degradation: Degradation) -> Estimate | None:
    file = generator.companions and generator.companions / estimate_file(generator, degradation)
    if not file or not file.is_file():
        return None
    return Estimate(**{name: tensor.float() for name, tensor in load_file(file).items()})


def _key(generator: Generator, degradation: Degradation) -> str:
    words = "".join(letter if letter.isalnum() else "-" for letter in degradation.key)
    return f"{generator.sha256[:16]}-{words}"


@torch.no_grad()
def lr_pictures(
    generator: Generator, degradation: Callable[[Tensor], Tensor], draws: int, unfinished: Unfinished | None = None
) -> Tensor:
    """Draws pictures with fresh noise maps, as in training, and degrades them: uint8 [draws, n], see `stored`.

    Args:
        generator: the generator, on any device.
        degradation: A.
        draws: the number of pictures.
        unfinished: where pictures are kept until all have been drawn; None: nowhere.
    """
    like = next(generator.parameters())
    pictures = _resumable(unfinished, draws)
    begin = sum(map(len, pictures))
    bar = progress_bar(
        total=draws, initial=begin, desc="drawing a bank of the generator's pictures, once", unit="picture"
    )
    for first in range(begin, draws, _CHUNK):
        rng = torch.Generator().manual_seed(_NOISE_SEED + first)
        noise = [torch.randn(_CHUNK, 1, r, r, generator=rng).to(like) for r in generator.noise_resolutions]
        w_plus = generator.mapping(_z(generator, first).to(like))
        for part in torch.arange(_CHUNK).split(max(1, _PIXELS_AT_ONCE // generator.resolution**2)):
            images = generator.synthesis(w_plus[part], [maps[part] for maps in noise]).clamp(0, 1)
            lr = degradation(images).clamp(0, 1)
            pictures.append((stored(lr) * 255).round().byte().cpu())
        bar.update(min(_CHUNK, draws - first))
        if unfinished is not None:
            unfinished.keep(lambda: torch.cat(pictures))
    bar.close()
    return torch.cat(pictures)[:draws]


def stored(lr: Tensor) -> Tensor:
    """Returns LR pictures as a bank holds them: [..., c, h, w] -> [..., n].

    Sides of more than `MOST_SIDE` pixels are reduced by the mean of squares, to the first size that is not above it.
    """
    height, width = lr.shape[-2:]
    factor = -(-max(height, width) // MOST_SIDE)
    if factor == 1:
        return lr.flatten(-3)
    smaller = F.avg_pool2d(lr.flatten(0, -4) if lr.ndim > 3 else lr, factor, ceil_mode=True)
    return smaller.view(*lr.shape[:-2], *smaller.shape[-2:]).flatten(-3)


def _resumable(unfinished: Unfinished | None, draws: int) -> list[Tensor]:
    """The pictures that an earlier process has drawn, if they can be continued."""
    kept = None if unfinished is None else unfinished.read()
    if kept is None or kept.dtype != torch.uint8 or kept.ndim != 2 or len(kept) % _CHUNK or len(kept) > draws:
        return []
    return [kept]


def _z(generator: Generator, first: int) -> Tensor:
    """The random inputs of the draws from number `first` on, [_CHUNK, z_dim]."""
    rng = torch.Generator().manual_seed(_Z_SEED + first)
    return torch.randn(_CHUNK, generator.z_dim, generator=rng)


def _are_pictures(lr: Tensor, draws: int, numbers: int) -> bool:
    return lr.dtype == torch.uint8 and lr.shape == (draws, numbers)
