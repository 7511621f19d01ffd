"""How much of a set of pictures lies where another set lies: improved precision and recall, on SqueezeNet's features.

Kynkaanniemi et al., "Improved Precision and Recall Metric for Assessing Generative Models", NeurIPS 2019.
"""

from collections.abc import Iterable

import torch
from torch import Tensor

from multimodal_pulse.metrics.lpips import backbone_file

NEIGHBOURS = 5
"""k of the nearest neighbours whose distance is the radius of a ball."""


def squeezenet() -> torch.nn.Module:
    """The convolutions of SqueezeNet 1.1, from the file that LPIPS uses.

    Raises:
        OSError: the file is not at hand.
    """
    from torchvision.models import squeezenet1_1

    network = squeezenet1_1()
    network.load_state_dict(torch.load(backbone_file("squeeze"), weights_only=True))
    return network.features.eval()


@torch.no_grad()
def features(batches: Iterable[Tensor], backbone: torch.nn.Module) -> Tensor:
    """Batches of pictures [N, 3, H, W] in [0, 1] -> features, averaged over the picture, [all N, 512]."""
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    normalised = ((images - mean[:, None, None]) / std[:, None, None] for images in batches)
    return torch.cat([backbone(images).mean(dim=(2, 3)) for images in normalised])


class Manifold:
    """Where a set of pictures lies: around each one's features a ball that reaches its k-th nearest neighbour.

    Args:
        features: [N, D], N above `NEIGHBOURS`.
    """

    def __init__(self, features: Tensor) -> None:
        self.features = features
        # The nearest neighbour of a point is the point itself.
        self.radii = torch.cdist(features, features).kthvalue(NEIGHBOURS + 1, dim=1).values

    def covers(self, points: Tensor) -> Tensor:
        """Whether each of the points [M, D] lies in a ball: bool [M].

        Eq. (1) and (2) of the paper: the mean of it is precision for generated points and real pictures, and recall
        for real points and generated pictures.
        """
        return (torch.cdist(points, self.features) <= self.radii).any(dim=1)
