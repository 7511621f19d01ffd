"""Improved precision and recall of a set of pictures against another, on SqueezeNet's features.

Kynkaanniemi et al., "Improved Precision and Recall Metric for Assessing Generative Models", NeurIPS 2019.
"""

from collections.abc import Iterable

import torch
from torch import Tensor

from multimodal_pulse.metrics.backbones import backbone
from multimodal_pulse.metrics.lpips import backbone_file

NEIGHBOURS = 5
"""k; the distance to the k-th nearest neighbour is the radius of a ball."""


def squeezenet() -> torch.nn.Module:
    """Returns the convolutions of SqueezeNet 1.1, from the file that LPIPS uses.

    Raises:
        OSError, RuntimeError, EOFError, pickle.UnpicklingError: the file is missing or damaged.
    """
    return backbone("squeeze", backbone_file("squeeze"))


@torch.no_grad()
def features(batches: Iterable[Tensor], backbone: torch.nn.Module) -> Tensor:
    """Returns the features of batches of pictures [N, 3, H, W] in [0, 1], averaged over the picture: [all N, 512]."""
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    normalised = ((images - mean[:, None, None]) / std[:, None, None] for images in batches)
    return torch.cat([backbone(images).mean(dim=(2, 3)) for images in normalised])


class Manifold:
    """The region of a set of pictures: around the features of each, a ball up to its k-th nearest neighbour.

    Args:
        features: [N, D], N above `NEIGHBOURS`.
    """

    def __init__(self, features: Tensor) -> None:
        self.features = features
        # The nearest neighbour of a point is the point itself.
        self.radii = torch.cdist(features, features).kthvalue(NEIGHBOURS + 1, dim=1).values

    def covers(self, points: Tensor) -> Tensor:
        """Returns whether each of the points [M, D] lies in a ball: bool [M].

        By eq. (1) and (2) of the paper, the mean is the precision for generated points and real pictures, and the
        recall for real points and generated pictures.
        """
        return (torch.cdist(points, self.features) <= self.radii).any(dim=1)
