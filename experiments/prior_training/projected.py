"""A projected discriminator: heads on a frozen network's features (Sauer et al. 2021, "Projected GANs").

The features of SqueezeNet 1.1 at four scales are mixed by fixed random convolutions, across channels and then from
coarse to fine (section 3.2), and each scale has a small head. The backbone is frozen, so that the features of an image
are computed once and serve both the discriminator's update and the generator's.
"""

import math

import torch
import torch.nn.functional as F
from backbones import frozen_features, normalised
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

CUTS, CHANNELS = (2, 5, 8, 13), (64, 128, 256, 512)  # of SqueezeNet 1.1
WIDTHS = (32, 64, 128, 128)  # after the random projections
HEAD_WIDTH = 64


class Head(nn.Module):
    """Features [N, C, s, s] -> logits [N]."""

    def __init__(self, channels: int, size: int):
        super().__init__()
        layers: list[nn.Module] = []
        while size > 8:
            layers += [spectral_norm(nn.Conv2d(channels, HEAD_WIDTH, 4, 2, 1))]
            layers += [nn.GroupNorm(8, HEAD_WIDTH), nn.LeakyReLU(0.2)]
            channels, size = HEAD_WIDTH, size // 2
        layers += [spectral_norm(nn.Conv2d(channels, HEAD_WIDTH, 3, 1, 1)), nn.LeakyReLU(0.2)]
        layers += [spectral_norm(nn.Conv2d(HEAD_WIDTH, 1, 3))]
        self.net = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x).flatten(1).mean(dim=1)


class ProjectedDiscriminator(nn.Module):
    """Images -> features -> one logit per scale.

    Args:
        size: side to which images are resized before the backbone sees them; at least 64, so that the coarsest head has
            features to look at.

    Raises:
        UserError: the backbone's weights are missing.
    """

    def __init__(self, size: int):
        super().__init__()
        self.size = size
        self.backbone = frozen_features("squeezenet")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1234)  # the random projections are the same in every run
            across = [nn.Conv2d(a, b, 1, bias=False) for a, b in zip(CHANNELS, WIDTHS, strict=True)]
            down = [nn.Conv2d(WIDTHS[i + 1], WIDTHS[i], 3, padding=1, bias=False) for i in range(3)]
            self.across, self.down = nn.ModuleList(across), nn.ModuleList(down)
            for parameter in [*self.across.parameters(), *self.down.parameters()]:
                nn.init.kaiming_normal_(parameter, nonlinearity="linear")
                parameter.requires_grad_(False)
        side = size // 2 - 1
        self.heads = nn.ModuleList(Head(width, side >> scale) for scale, width in enumerate(WIDTHS))

    def project(self, images: Tensor) -> list[Tensor]:
        """Images [N, 3, R, R] in [-1, 1] -> mixed features, from fine to coarse."""
        if images.shape[-1] != self.size:
            images = F.interpolate(images, size=(self.size, self.size), mode="bilinear")
        x = normalised((images + 1) / 2).contiguous(memory_format=torch.channels_last)
        mixed, begin = [], 0
        for cut, across in zip(CUTS, self.across, strict=True):
            x = self.backbone[begin:cut](x)
            mixed.append(across(x))
            begin = cut
        features = [mixed[-1]]
        for finer, down in zip(reversed(mixed[:-1]), reversed(self.down), strict=True):
            coarser = F.interpolate(features[0], size=finer.shape[-2:], mode="bilinear")
            features.insert(0, (finer + down(coarser)) / math.sqrt(2))
        return features

    def judge(self, features: list[Tensor]) -> Tensor:
        """Features -> logits [N, 4]."""
        return torch.stack([head(x) for head, x in zip(self.heads, features, strict=True)], dim=1).float()
