"""How good a generator is, by pictures that no training saw: Frechet distance, precision and recall."""

import sys
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from backbones import frozen_features, normalised
from torch import Tensor, nn

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.generator import StyleGAN2
from multimodal_pulse.metrics.manifold import Manifold

AT_ONCE = 25
SEEN_SIDE = 128
"""The side to which pictures are resized before the network of the figures sees them, in pixels."""


@torch.no_grad()
def generate(network: StyleGAN2, seeds: Sequence[int], device: torch.device | str = "cpu") -> Tensor:
    """Returns the images of seeds, truncation 1, fresh noise maps: [N, 3, R, R] in [0, 1], on the CPU.

    The image of a seed depends on the seed alone.
    """
    images = []
    for first in range(0, len(seeds), AT_ONCE):
        chosen = seeds[first : first + AT_ONCE]
        z = torch.stack([torch.randn(network.architecture.z_dim, generator=_stream(seed)) for seed in chosen])
        w_plus = network.mapping(z.to(device))[:, None].expand(-1, network.architecture.num_ws, -1)
        images.append(network.synthesis(w_plus, fresh_noise(network, chosen, device)).cpu())
    return ((torch.cat(images) + 1) / 2).clamp(0, 1)


def fresh_noise(network: StyleGAN2, seeds: Sequence[int], device: torch.device | str = "cpu") -> list[Tensor]:
    """Returns unit-variance noise maps, one per layer, [N, 1, r, r]; those of a seed depend on the seed alone."""
    streams = [_stream(10**6 + seed) for seed in seeds]
    sides = network.architecture.noise_resolutions
    return [torch.stack([torch.randn(1, r, r, generator=s) for s in streams]).to(device) for r in sides]


def _stream(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@torch.no_grad()
def pooled_features(images: Tensor, backbone: nn.Module) -> Tensor:
    """Features of pictures [N, 3, R, R] in [0, 1], averaged over the picture: float64 [N, C], on the CPU."""
    device = next(backbone.parameters()).device
    parts = []
    for part in images.split(2 * AT_ONCE):
        seen = F.interpolate(part.to(device), size=(SEEN_SIDE, SEEN_SIDE), mode="bilinear")
        parts.append(backbone(normalised(seen)).mean(dim=(2, 3)).cpu())
    return torch.cat(parts).double()


def frechet(a: Tensor, b: Tensor) -> float:
    """Returns the distance of two Gaussians (Heusel et al. 2017, equation 6) fitted to features [N, D] and [M, D]."""
    first, second = torch.cov(a.T), torch.cov(b.T)
    values, vectors = torch.linalg.eigh(first)
    root = vectors @ torch.diag(values.clamp(min=0).sqrt()) @ vectors.T
    cross = torch.linalg.eigvalsh(root @ second @ root).clamp(min=0).sqrt().sum()
    return ((a.mean(dim=0) - b.mean(dim=0)).square().sum() + first.trace() + second.trace() - 2 * cross).item()


class Figures:
    """Compares pictures with real ones that were kept out of the training.

    Args:
        real: [n, 3, R, R] in [0, 1], n above `manifold.NEIGHBOURS`.
        backbone: normalised pictures -> features. No discriminator should see through it, or it flatters.
    """

    def __init__(self, real: Tensor, backbone: nn.Module) -> None:
        self._backbone, self._real = backbone, pooled_features(real, backbone)
        self._manifold = Manifold(self._real)

    def __call__(self, fake: Tensor) -> dict[str, float | None]:
        """Returns the Frechet distance, the precision and the recall of pictures [N, 3, R, R] in [0, 1]."""
        features = pooled_features(fake, self._backbone)
        return {
            "frechet": round(frechet(self._real, features), 1),
            "precision": round(self._manifold.covers(features).double().mean().item(), 3),
            "recall": round(Manifold(features).covers(self._real).double().mean().item(), 3),
        }


class NoFigures:
    """The null object for a machine without the network of the figures: every figure is None."""

    def __call__(self, fake: Tensor) -> dict[str, float | None]:
        return {"frechet": None, "precision": None, "recall": None}


def figures_of(real: Tensor, backbone: str, device: torch.device | str = "cpu") -> Figures | NoFigures:
    """Returns the figures in the features of "alexnet" or "squeezenet", or the null object, with a line, without it."""
    try:
        network = frozen_features(backbone).to(device)
    except UserError as error:
        print(f"The figures are left out (null): {error}", file=sys.stderr)
        return NoFigures()
    return Figures(real, network)
