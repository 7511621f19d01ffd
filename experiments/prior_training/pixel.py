"""The critic of the adversarial training: a residual StyleGAN2 discriminator that grows with the generator.

Only the training needs it, so it is here and not in the package. It differs from Karras et al. 2020 ([K20]) in its
stem: 2 x 2 pixels become 12 channels at half the resolution, which loses nothing and costs a quarter.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SQRT2 = math.sqrt(2.0)


class EqualisedConv(nn.Module):
    """A convolution whose weights are stored at unit scale and scaled when used ([K20], equalised learning rate)."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, *, bias: bool = True, padding: int | None = None
    ):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        self.gain = 1 / math.sqrt(in_channels * kernel**2)
        self.padding = kernel // 2 if padding is None else padding

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight * self.gain, self.bias, padding=self.padding)


class ActivatedConv(EqualisedConv):
    """The convolution followed by sqrt(2) leaky_relu(., 0.2), with the gain in the weights and bias."""

    def forward(self, x: Tensor) -> Tensor:
        assert self.bias is not None
        x = F.conv2d(x, self.weight * (self.gain * SQRT2), self.bias * SQRT2, padding=self.padding)
        return F.leaky_relu(x, 0.2)


class ResidualBlock(nn.Module):
    """A block that halves the resolution: two 3 x 3 convolutions and a 1 x 1 shortcut ([K20] figure 7c)."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        self.conv0 = ActivatedConv(in_channels, in_channels, 3)
        self.conv1 = ActivatedConv(in_channels, out_channels, 3)
        self.skip = EqualisedConv(in_channels, out_channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Maps [N, I, r, r] to [N, O, r/2, r/2]."""
        y = self.conv1(F.avg_pool2d(self.conv0(x), 2))
        return (y + self.skip(F.avg_pool2d(x, 2))) / SQRT2


def minibatch_deviation(x: Tensor, group: int = 4) -> Tensor:
    """Appends a channel with the standard deviation over groups of the batch, which shows a lack of variety."""
    n, c, h, w = x.shape
    group = math.gcd(n, group)
    deviation = (x.reshape(group, n // group, c, h, w).var(dim=0, unbiased=False) + 1e-8).sqrt().mean(dim=(1, 2, 3))
    return torch.cat([x, deviation.repeat(group)[:, None, None, None].expand(n, 1, h, w)], dim=1)


class Discriminator(nn.Module):
    """The discriminator: maps images [N, 3, R, R] in [-1, 1] to logits [N].

    Args:
        resolution: the side of the images, in pixels.
        channel_base, channel_max: as in the generator's architecture.
    """

    def __init__(self, resolution: int, channel_base: int, channel_max: int):
        super().__init__()
        self.resolution = resolution

        def channels(r: int) -> int:
            return min(channel_base // r, channel_max)

        self.stems = nn.ModuleDict()
        self.blocks = nn.ModuleDict()
        for r in (resolution // 2, resolution // 4):  # the second stem fades out after growing
            self.stems[str(r)] = ActivatedConv(12, channels(r), 3)
        r = resolution // 2
        while r > 4:
            self.blocks[str(r)] = ResidualBlock(channels(r), channels(r // 2))
            r //= 2
        c = channels(4)
        self.conv = ActivatedConv(c + 1, c, 3)
        self.hidden = ActivatedConv(c, c // 2, 4, padding=0)
        self.out = EqualisedConv(c // 2, 1, 1)

    def forward(self, images: Tensor, fade: float = 1.0) -> Tensor:
        """Maps images to logits; `fade` is the weight of the highest resolution, from 0 just after growing to 1."""
        r = self.resolution // 2
        x = self.stems[str(r)](F.pixel_unshuffle(images, 2).contiguous(memory_format=torch.channels_last))
        for name, block in self.blocks.items():
            x = block(x)
            if fade < 1 and name == str(r):
                small = F.pixel_unshuffle(F.avg_pool2d(images, 2), 2).contiguous(memory_format=torch.channels_last)
                x = torch.lerp(self.stems[str(r // 2)](small), x, fade)
        return self.out(self.hidden(self.conv(minibatch_deviation(x)))).flatten()
