"""The two small networks that find frames of faces; `experiments/aligner` trains them.

Both take pictures in [0, 1], colour or grey as three channels.
"""

import torch
from torch import Tensor, nn

STRIDE = 8  # pixels between two places of the detector
UNIT = 32.0  # the side in pixels that the detector knows best: log scale 0
VIEW = 48  # side in pixels of what the refiner sees
MARGIN = 1.5  # side of what the refiner sees, in sides of the frame


def _conv(inner: int, outer: int, kernel: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    padding = dilation * (kernel - 1) // 2
    layer = nn.Conv2d(inner, outer, kernel, stride, padding, dilation, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(outer), nn.ReLU())


class _Residual(nn.Module):
    """x + two convolutions of x, the second dilated."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(_conv(channels, channels, 3), _conv(channels, channels, 3, dilation=dilation))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class Detector(nn.Module):
    """Finds frames with sides of about 22 to 46 pixels, at any place, with a roll of up to 55 degrees.

    [N, 3, H, W] -> [N, 6, ceil(H / 8), ceil(W / 8)]: for the middle of each square of 8 x 8 pixels the logit that the
    centre of a frame is near, the way to that centre in units of 8 pixels (x, y), the logarithm of the frame's side
    over 32 pixels, and the roll as (cosine, sine), not normalised.
    """

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            _conv(3, 16, 5, 2),
            _conv(16, 32, 3, 2),
            _conv(32, 64, 3, 2),
            _Residual(64, 1),
            _Residual(64, 2),
            nn.Conv2d(64, 6, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers((x - 0.5) / 0.25)


class Refiner(nn.Module):
    """Says how a frame that is nearly right has to move, and whether there is a face in it.

    [N, 3, 48, 48], the frame cut out upright with 1.5 times its side -> [N, 5]: the shift of the centre in sides (x, y,
    in the frame's own axes), the logarithm of the factor of its side, the roll in radians, and the logit of a face.
    """

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            _conv(3, 24, 5, 2),
            _conv(24, 48, 3, 2),
            _conv(48, 64, 3, 2),
            _Residual(64, 1),
            _conv(64, 48, 1),
            nn.Flatten(),
            # Without normalisation, most of these units die within a few hundred steps.
            nn.Linear(48 * (VIEW // STRIDE) ** 2, 64, bias=False),
            nn.BatchNorm1d(64),
            nn.ReLU(),
            nn.Linear(64, 5),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers((x - 0.5) / 0.25)


class Aligner(nn.Module):
    """Both networks, as one file keeps them."""

    def __init__(self) -> None:
        super().__init__()
        self.detector = Detector()
        self.refiner = Refiner()


def places(height: int, width: int) -> Tensor:
    """Returns the middles of the squares of a map [height, width], in pixels: [height, width, 2] of (x, y)."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return (torch.stack([x, y], dim=-1) + 0.5) * STRIDE
