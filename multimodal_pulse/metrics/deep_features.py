"""Deep features of pictures, which LPIPS compares. They are made once per picture and used for every comparison.

Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", 2018, equation (1).
"""

import warnings
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

Net = Literal["alex", "squeeze", "vgg"]

_EPSILON = 1e-8  # under the root of a feature vector's length, as torchmetrics has it


@dataclass(frozen=True)
class Features:
    """The deep features of N pictures; NaN for a picture with a non-finite value, or without LPIPS.

    Attributes:
        layers: [N, C, h, w] for each layer of the backbone, with its own C, h and w. At every position there is a
            vector of unit length times the roots of the layer's learned weights (w_l of equation (1)), so that LPIPS is
            a sum of squared distances.
        size: (height, width) of the pictures.
    """

    layers: list[Tensor]
    size: tuple[int, int]

    @classmethod
    def unknown(cls, x: Tensor) -> "Features":
        """Returns a stand-in for the features of pictures x [N, 3, H, W]; every comparison with it gives NaN."""
        return cls([x.new_full((len(x), 1, 1, 1), torch.nan)], (x.shape[-2], x.shape[-1]))

    def __len__(self) -> int:
        return len(self.layers[0])

    def __getitem__(self, chosen: slice | Tensor) -> "Features":
        """Returns the features of some of the pictures, indexed like the first axis of a tensor."""
        return Features([layer[chosen] for layer in self.layers], self.size)

    def distance(self, other: "Features") -> Tensor:
        """Returns the LPIPS of each picture to its counterpart, or to the only picture of `other`: [N]."""
        return torch.stack([error.mean(dim=(1, 2)) for error in self._errors(other)]).sum(dim=0)

    def maps(self, other: "Features") -> Tensor:
        """Returns the distance at each position, [N, H, W]: the sum of the layers' maps, enlarged to the picture.

        They are enlarged as in the authors' program with spatial=True: bilinear, with align_corners=False. The mean of
        a map is not quite `distance`: enlarging preserves the mean only of a layer whose side divides the picture's,
        and the others (all of AlexNet's and SqueezeNet's) weight positions at the border a little differently.
        """
        enlarged = [
            interpolate(error[:, None], self.size, mode="bilinear", align_corners=False)[:, 0]
            for error in self._errors(other)
        ]
        return torch.stack(enlarged).sum(dim=0)

    def pairwise(self) -> Tensor:
        """Returns the LPIPS of every pair, [N (N - 1) / 2], in the order (0, 1), (0, 2), ..., (N - 2, N - 1)."""
        squares = [torch.pdist(layer.flatten(1)) ** 2 / layer.shape[2:].numel() for layer in self.layers]
        return torch.stack(squares).sum(dim=0)

    def _errors(self, other: "Features") -> list[Tensor]:
        """Returns the squared distance at each position, [N, h, w] for each layer."""
        return [(own - others).square().sum(dim=1) for own, others in zip(self.layers, other.layers, strict=True)]


class PerceptualDistance(Protocol):
    """LPIPS or its null object, whose features are unknown."""

    def features(self, x: Tensor) -> Features:
        """Returns the features of pictures [N, 3, H, W] in [0, 1]."""
        ...


class FeatureNetwork(nn.Module):
    """An ImageNet backbone with LPIPS's learned weights, both as torchmetrics loads them.

    Args:
        net: "alex", "squeeze" or "vgg"; its weights must be in torch.hub's folder.
    """

    def __init__(self, net: Net) -> None:
        from torchmetrics.image import LearnedPerceptualImagePatchSimilarity

        super().__init__()
        # Building torchvision's network draws random weights before it reads the file; that must not move a stream.
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            lpips: Any = LearnedPerceptualImagePatchSimilarity(net).net
        self._colour_scale = lpips.scaling_layer
        self._backbone: nn.Module = lpips.net
        # The heads hold squares: sum_c w_c (a_c - b_c)^2 is a squared distance of features times the root of w.
        roots = [head.model[-1].weight.sqrt() for head in lpips.lins]
        self._roots = nn.ParameterList([nn.Parameter(root, requires_grad=False) for root in roots])

    def forward(self, x: Tensor) -> list[Tensor]:
        """Returns the layers of the `Features` of pictures [N, 3, H, W] in [0, 1]."""
        activations = self._backbone(self._colour_scale(2 * x - 1))
        return [
            layer * root / (layer.square().sum(dim=1, keepdim=True) + _EPSILON).sqrt()
            for layer, root in zip(activations, self._roots, strict=True)
        ]
