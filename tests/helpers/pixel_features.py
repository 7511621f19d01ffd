"""A perceptual distance that needs no backbone: its features are the colours, at full and at half the resolution."""

from torch import Tensor
from torch.nn.functional import avg_pool2d

from multimodal_pulse.metrics.deep_features import Features


class PixelFeatures:
    def features(self, x: Tensor) -> Features:
        x = x.float()
        return Features([x, avg_pool2d(x, 2)], (x.shape[-2], x.shape[-1]))


def pixel_distance(x: Tensor, y: Tensor) -> Tensor:
    """What the distance of these features is, written out: x [N, 3, H, W], y of the same shape or [3, H, W]."""
    error = (x - y).double()
    halved = error.unflatten(-1, (-1, 2)).unflatten(-3, (-1, 2)).mean(dim=(-1, -3))
    return error.square().sum(1).mean((1, 2)) + halved.square().sum(1).mean((1, 2))
