"""Do generated pictures lie nearer to training pictures than pictures of others do? In LPIPS, with AlexNet.

A training picture counts as it is and mirrored, if the training mirrored it. LPIPS to all of them would take an hour:
each picture is compared with the `candidates` training pictures that are nearest in AlexNet's features, averaged over
the picture, and with these exactly. The distances are therefore upper bounds of the true ones, for all pictures alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from figures import pooled_features
from torch import Tensor, nn

from multimodal_pulse.base.progress_bar import progress_bar
from multimodal_pulse.metrics.deep_features import PerceptualDistance

AT_ONCE = 100
QUANTILES = (0.0, 0.01, 0.05, 0.1, 0.25, 0.5)
"""The quantiles that are reported; the first is the minimum."""


@dataclass(frozen=True)
class Nearest:
    """The nearest training picture of each of N pictures.

    Attributes:
        distances: LPIPS, [N].
        indices: int64 [N], into the training pictures.
        mirrored: whether the mirrored picture is the nearest, bool [N].
    """

    distances: Tensor
    indices: Tensor
    mirrored: Tensor


class Neighbours:
    """Training pictures in which the nearest ones are looked for.

    Args:
        trained_on: uint8 [M, 3, R, R].
        mirrored: whether their mirror images count too.
        lpips: LPIPS with its backbone.
        backbone: AlexNet's convolutions, for the candidates.
        candidates: how many training pictures are compared exactly, for each picture.
    """

    def __init__(
        self, trained_on: Tensor, mirrored: bool, lpips: PerceptualDistance, backbone: nn.Module, candidates: int = 50
    ) -> None:
        self._pixels, self._lpips, self._backbone = trained_on, lpips, backbone
        self._number = len(trained_on) * (2 if mirrored else 1)
        self._candidates = min(candidates, self._number)
        parts = [pooled_features(self._pictures(part), backbone) for part in self._parts(torch.arange(self._number))]
        self._pooled = torch.cat(parts)

    def __call__(self, pictures: Tensor) -> Nearest:
        """Finds the nearest training picture of each picture [N, 3, R, R] in [0, 1]."""
        distances = torch.cdist(pooled_features(pictures, self._backbone), self._pooled)
        candidates = distances.topk(self._candidates, largest=False).indices
        own = self._lpips.features(pictures)
        best = torch.full((len(pictures),), torch.inf)
        indices = torch.zeros(len(pictures), dtype=torch.int64)
        parts = self._parts(candidates.unique())
        for part in progress_bar(iterable=parts, desc="nearest", unit=f"x {AT_ONCE} pictures", leave=False):
            theirs = self._lpips.features(self._pictures(part))
            for place, number in enumerate(part.tolist()):
                asking = (candidates == number).any(dim=1).nonzero()[:, 0]
                found = own[asking].distance(theirs[place : place + 1])
                nearer = found < best[asking]
                best[asking[nearer]], indices[asking[nearer]] = found[nearer], number
        return Nearest(best, indices % len(self._pixels), indices >= len(self._pixels))

    def pictures(self, nearest: Nearest) -> Tensor:
        """Returns the training pictures that were found, mirrored where that is nearer: [N, 3, R, R] in [0, 1]."""
        return self._pictures(nearest.indices + nearest.mirrored * len(self._pixels))

    def _pictures(self, numbers: Tensor) -> Tensor:
        """The training pictures of these numbers; those from M on are the mirrored ones."""
        straight = self._pixels[numbers % len(self._pixels)].float() / 255
        return torch.where((numbers >= len(self._pixels))[:, None, None, None], straight.flip(3), straight)

    @staticmethod
    def _parts(numbers: Tensor) -> Sequence[Tensor]:
        return numbers.split(AT_ONCE)


def quantiles(distances: Tensor) -> dict[str, float]:
    """Returns QUANTILES of distances [N], by name: "min", "1 %", ..."""
    values = torch.quantile(distances.double(), torch.tensor(QUANTILES, dtype=torch.float64)).tolist()
    names = ["min", *(f"{100 * share:g} %" for share in QUANTILES[1:])]
    return {name: round(value, 4) for name, value in zip(names, values, strict=True)}
