"""Deep features of pictures, which LPIPS compares. They are made once per picture and used for every comparison.

Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", 2018, equation (1).
"""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from multimodal_pulse.metrics.backbones import OUTPUTS, Net, backbone

_EPSILON = 1e-8  # under the root of a feature vector's length, as torchmetrics has it
# Of the colours of ImageNet in [-1, 1], as the authors of LPIPS have them.
_MEAN, _STD = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)


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
    """An ImageNet backbone with LPIPS's learned weights, which torchmetrics ships.

    Args:
        net: "alex", "squeeze" or "vgg".
        path: the file of the backbone's weights, see `backbones.backbone`.
    """

    _mean: Tensor
    _std: Tensor

    def __init__(self, net: Net, path: Path) -> None:
        super().__init__()
        self._outputs = OUTPUTS[net]
        self._backbone = backbone(net, path)
        # The heads hold squares: sum_c w_c (a_c - b_c)^2 is a squared distance of features times the root of w.
        roots = [head.sqrt() for head in torch.load(_heads(net), map_location="cpu", weights_only=True).values()]
        self._roots = nn.ParameterList([nn.Parameter(root, requires_grad=False) for root in roots])
        self.register_buffer("_mean", torch.tensor(_MEAN)[:, None, None], persistent=False)
        self.register_buffer("_std", torch.tensor(_STD)[:, None, None], persistent=False)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Returns the layers of the `Features` of pictures [N, 3, H, W] in [0, 1]."""
        x = (2 * x - 1 - self._mean) / self._std
        activations = []
        for number, layer in enumerate(self._backbone):
            x = layer(x)
            if number in self._outputs:
                activations.append(x)
        return [
            layer * root / (layer.square().sum(dim=1, keepdim=True) + _EPSILON).sqrt()
            for layer, root in zip(activations, self._roots, strict=True)
        ]


def _heads(net: Net) -> Path:
    """Returns the file of the learned weights; the package is found and not imported, which takes a second."""
    package = find_spec("torchmetrics")
    assert package is not None and package.origin is not None  # a dependency
    return Path(package.origin).parent / "functional" / "image" / "lpips_models" / f"{net}.pth"
