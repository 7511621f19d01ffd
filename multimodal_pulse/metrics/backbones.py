"""The ImageNet networks whose features LPIPS and realism compare, up to their last convolution.

AlexNet (Krizhevsky, "One weird trick for parallelizing convolutional neural networks", 2014), SqueezeNet 1.1 (Iandola
et al. 2016) and VGG-16 (Simonyan & Zisserman 2015), with the names of the weights that torchvision publishes. Importing
torchvision takes a third of a second, and its networks draw a hundred million random weights before a file is read.
"""

from pathlib import Path
from typing import Literal
from zipfile import is_zipfile

import torch
from torch import Tensor, nn

Net = Literal["alex", "squeeze", "vgg"]

OUTPUTS = {"alex": (1, 4, 7, 9, 11), "squeeze": (1, 4, 7, 9, 10, 11, 12), "vgg": (3, 8, 15, 22, 29)}
"""The numbers of the layers whose outputs LPIPS compares."""


class Fire(nn.Module):
    """SqueezeNet's module: a 1 x 1 convolution, and of its output a 1 x 1 and a 3 x 3 convolution side by side.

    Args:
        channels: of the input.
        squeezed: of the first convolution's output.
        expanded: of each half of the output.
    """

    def __init__(self, channels: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Maps [N, channels, h, w] to [N, 2 expanded, h, w]."""
        x = self.squeeze(x).relu_()
        return torch.cat([self.expand1x1(x), self.expand3x3(x)], dim=1).relu_()


def backbone(net: Net, path: Path) -> nn.Sequential:
    """Returns the layers of a network in the mode `eval`, with constant weights from a file that torchvision publishes.

    Raises:
        OSError, RuntimeError, EOFError, pickle.UnpicklingError: the file is missing, damaged or another network's.
    """
    with torch.random.fork_rng(devices=[]):  # PyTorch's layers draw random weights, which must not move a stream
        network = nn.Sequential(*_LAYERS[net]())
    # Mapped, so that what is not looked at is not read: nine tenths of AlexNet. PyTorch maps its newer format alone.
    weights = torch.load(path, map_location="cpu", weights_only=True, mmap=is_zipfile(path))
    prefix = "features."
    network.load_state_dict({name[len(prefix) :]: weights[name] for name in weights if name.startswith(prefix)})
    return network.requires_grad_(False).eval()


def _relu() -> nn.Module:
    return nn.ReLU(inplace=True)


def _alex() -> list[nn.Module]:
    return [
        nn.Conv2d(3, 64, 11, stride=4, padding=2), _relu(), nn.MaxPool2d(3, 2),
        nn.Conv2d(64, 192, 5, padding=2), _relu(), nn.MaxPool2d(3, 2),
        nn.Conv2d(192, 384, 3, padding=1), _relu(),
        nn.Conv2d(384, 256, 3, padding=1), _relu(),
        nn.Conv2d(256, 256, 3, padding=1), _relu(),
    ]  # fmt: skip


def _squeeze() -> list[nn.Module]:
    def pool() -> nn.Module:
        return nn.MaxPool2d(3, 2, ceil_mode=True)

    return [
        nn.Conv2d(3, 64, 3, stride=2), _relu(), pool(),
        Fire(64, 16, 64), Fire(128, 16, 64), pool(),
        Fire(128, 32, 128), Fire(256, 32, 128), pool(),
        Fire(256, 48, 192), Fire(384, 48, 192), Fire(384, 64, 256), Fire(512, 64, 256),
    ]  # fmt: skip


def _vgg() -> list[nn.Module]:
    layers: list[nn.Module] = []
    channels = 3
    for width, convolutions in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        layers += [nn.MaxPool2d(2, 2)] if layers else []
        for _ in range(convolutions):
            layers += [nn.Conv2d(channels, width, 3, padding=1), _relu()]
            channels = width
    return layers


_LAYERS = {"alex": _alex, "squeeze": _squeeze, "vgg": _vgg}
