"""StyleGAN2 in plain PyTorch: mapping network and skip-architecture synthesis network.

After Karras et al., "Analyzing and Improving the Image Quality of StyleGAN" (CVPR 2020), cited as [K20]. Parameters
have the names of the official checkpoints, so state dicts load unchanged. Images are in [-1, 1] here and in [0, 1]
outside: the rest of the program uses `Generator` of `frozen.py`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from multimodal_pulse.generator.ops.plain import (
    affine_activation,
    blur_filter,
    conv_upsample,
    demodulation,
    fully_connected_activation,
    scale_channels,
    squared_weight,
    upsample,
)

LOWEST_RESOLUTION = 4
MAPPING_LEARNING_RATE_MULTIPLIER = 0.01  # [K20] appendix B
LARGEST = {"z_dim": 2**16, "w_dim": 2**16, "mapping_layers": 64, "channel_max": 2**16, "img_channels": 64}
"""The largest accepted sizes, far more than any such network has; a file may declare any number."""


@dataclass(frozen=True)
class Architecture:
    """The sizes of a StyleGAN2 generator, stored in the header of our `safetensors` files.

    Raises:
        ValueError: a size is impossible.
    """

    resolution: int  # the side of the images; a power of two from 16 to 1024
    z_dim: int = 512  # components of the random input
    w_dim: int = 512  # components of one style input
    mapping_layers: int = 8
    channel_base: int = 32768  # a layer at resolution r has min(channel_base / r, channel_max) channels
    channel_max: int = 512
    img_channels: int = 3
    conv_clamp: float | None = None  # bound on activations, for networks trained in half precision; None: none

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name != "conv_clamp" and type(value) is not int:
                raise ValueError(f"{field.name} must be a whole number")
        power_of_two = self.resolution > 0 and self.resolution & (self.resolution - 1) == 0
        if not power_of_two or not 16 <= self.resolution <= 1024:
            raise ValueError(f"resolution must be a power of two from 16 to 1024, not {self.resolution}")
        for name, largest in LARGEST.items():
            if not 1 <= getattr(self, name) <= largest:
                raise ValueError(f"{name} must be from 1 to {largest}, not {getattr(self, name)}")
        if self.channel_base < self.resolution:
            raise ValueError(f"channel_base {self.channel_base} leaves no channel at resolution {self.resolution}")
        if self.conv_clamp is not None and not is_positive_number(self.conv_clamp):
            raise ValueError("conv_clamp must be a positive number or null")

    @property
    def block_resolutions(self) -> list[int]:
        """The resolutions of the synthesis blocks: 4, 8, 16, ..."""
        return [2**k for k in range(int(math.log2(LOWEST_RESOLUTION)), int(math.log2(self.resolution)) + 1)]

    @property
    def noise_resolutions(self) -> list[int]:
        """The resolution of each synthesis layer's noise map, in layer order: 4, 8, 8, 16, 16, ..."""
        return [LOWEST_RESOLUTION] + [r for r in self.block_resolutions[1:] for _ in range(2)]

    @property
    def num_ws(self) -> int:
        """The number of style inputs: one per synthesis layer, and one for the last ToRGB."""
        return len(self.noise_resolutions) + 1

    def channels(self, resolution: int) -> int:
        """Returns the number of channels at a resolution."""
        return min(self.channel_base // resolution, self.channel_max)

    def as_dict(self) -> dict[str, int | float | None]:
        """Returns the sizes by name, for JSON."""
        return asdict(self)


def _normal(*size: int, divisor: float = 1.0) -> Tensor:
    """Draws unit-normal numbers over `divisor`; on the device "meta" nothing, since that would import a compiler."""
    numbers = torch.empty(*size)
    return numbers if numbers.is_meta else numbers.normal_().div_(divisor)


def is_positive_number(value: object) -> bool:
    """Returns whether `value` is a positive number that single precision can represent."""
    largest = torch.finfo(torch.float32).max
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= largest


class FullyConnected(nn.Module):
    """A linear layer with an equalised learning rate: weights are stored at unit scale and scaled when used.

    Args:
        in_features, out_features: the sizes of input and output.
        learning_rate_multiplier: the learning rate of this layer relative to the rest of the network.
        bias: the initial value of the bias.
    """

    def __init__(
        self, in_features: int, out_features: int, *, learning_rate_multiplier: float = 1.0, bias: float = 0.0
    ):
        super().__init__()
        self.weight = nn.Parameter(_normal(out_features, in_features, divisor=learning_rate_multiplier))
        self.bias = nn.Parameter(torch.full([out_features], float(bias)))
        self.weight_gain = learning_rate_multiplier / math.sqrt(in_features)
        self.bias_gain = learning_rate_multiplier

    def forward(self, x: Tensor) -> Tensor:
        """Maps [N, in_features] to [N, out_features]."""
        return F.linear(x, self.weight * self.weight_gain, self.bias * self.bias_gain)


class MappingNetwork(nn.Module):
    """The mapping network f: z -> w, a normalisation and fully connected layers, with the mean of w for truncation."""

    w_avg: Tensor

    def __init__(self, z_dim: int, w_dim: int, num_layers: int):
        super().__init__()
        self.num_layers = num_layers
        for index in range(num_layers):
            layer = FullyConnected(
                z_dim if index == 0 else w_dim, w_dim, learning_rate_multiplier=MAPPING_LEARNING_RATE_MULTIPLIER
            )
            self.add_module(f"fc{index}", layer)
        self.register_buffer("w_avg", torch.zeros(w_dim))

    def forward(self, z: Tensor) -> Tensor:
        """Maps z [N, z_dim] to w [N, w_dim]."""
        x = z * (z.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()
        for index in range(self.num_layers):
            layer: FullyConnected = self.get_submodule(f"fc{index}")  # type: ignore[assignment]
            x = fully_connected_activation(layer(x))
        return x


class SynthesisLayer(nn.Module):
    """A layer with modulated 3 x 3 convolution, noise, bias and leaky ReLU ([K20] figure 2d)."""

    noise_const: Tensor
    blur: Tensor | None
    weight_squared: Tensor | None

    def __init__(self, in_channels: int, out_channels: int, w_dim: int, resolution: int, up: bool, clamp: float | None):
        super().__init__()
        self.up = up
        self.clamp = clamp
        self.affine = FullyConnected(w_dim, in_channels, bias=1.0)
        self.weight = nn.Parameter(_normal(out_channels, in_channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.noise_strength = nn.Parameter(torch.zeros([]))
        self.register_buffer("noise_const", _normal(resolution, resolution))
        self.register_buffer("blur", None, persistent=False)  # these two are filled by `freeze`
        self.register_buffer("weight_squared", None, persistent=False)

    def freeze(self) -> None:
        """Computes once what depends on the weights only, so that no step waits for a device to be sent the filter."""
        if self.up:
            self.blur = self._blur()
        self.weight_squared = squared_weight(self.weight.detach())

    def forward(self, x: Tensor, w: Tensor, noise_map: Tensor) -> Tensor:
        """Maps x [N, I, H, W], w [N, w_dim] and noise_map [N or 1, 1, r, r] to [N, O, r, r]."""
        style = self.affine(w)
        weight_squared = squared_weight(self.weight) if self.weight_squared is None else self.weight_squared
        x = scale_channels(x, style)
        if self.up:
            x = conv_upsample(x, self.weight, self._blur() if self.blur is None else self.blur)
        else:
            x = F.conv2d(x, self.weight, padding=1)
        noise = noise_map * self.noise_strength
        return affine_activation(x, demodulation(style, weight_squared), noise, self.bias, self.clamp)

    def _blur(self) -> Tensor:
        """Makes the filter that follows a doubling of the resolution."""
        return blur_filter(self.weight, len(self.weight), gain=4.0)


class ToRGB(nn.Module):
    """A modulated 1 x 1 convolution to image channels, without demodulation."""

    def __init__(self, in_channels: int, img_channels: int, w_dim: int, clamp: float | None):
        super().__init__()
        self.clamp = clamp
        self.affine = FullyConnected(w_dim, in_channels, bias=1.0)
        self.weight = nn.Parameter(_normal(img_channels, in_channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(img_channels))
        self.weight_gain = 1 / math.sqrt(in_channels)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """Maps x [N, I, r, r] and w [N, w_dim] to [N, img_channels, r, r]."""
        x = scale_channels(x, self.affine(w) * self.weight_gain)
        x = F.conv2d(x, self.weight) + self.bias[:, None, None]
        return x if self.clamp is None else x.clamp(-self.clamp, self.clamp)


class SynthesisBlock(nn.Module):
    """The layers of one resolution. The lowest block starts from a constant; the others double the resolution."""

    def __init__(self, architecture: Architecture, resolution: int):
        super().__init__()
        a, channels = architecture, architecture.channels(resolution)
        self.is_first = resolution == LOWEST_RESOLUTION
        if self.is_first:
            self.const = nn.Parameter(_normal(channels, resolution, resolution))
        else:
            below = a.channels(resolution // 2)
            self.conv0 = SynthesisLayer(below, channels, a.w_dim, resolution, True, a.conv_clamp)
        self.conv1 = SynthesisLayer(channels, channels, a.w_dim, resolution, False, a.conv_clamp)
        self.torgb = ToRGB(channels, a.img_channels, a.w_dim, a.conv_clamp)

    @property
    def layers(self) -> list[SynthesisLayer]:
        return [self.conv1] if self.is_first else [self.conv0, self.conv1]

    def forward(
        self, x: Tensor | None, image: Tensor | None, ws: Tensor, noise_maps: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Returns features and image of this block.

        Args:
            x, image: the features and image of the block below; None for the lowest block.
            ws: the style inputs, [N, layers + 1, w_dim].
            noise_maps: one map per layer.
        """
        if x is None:
            x = self.const.expand(len(ws), -1, -1, -1).contiguous(memory_format=torch.channels_last)
        for index, (layer, noise_map) in enumerate(zip(self.layers, noise_maps, strict=True)):
            x = layer(x, ws[:, index], noise_map)
        rgb = self.torgb(x, ws[:, -1])
        return x, rgb if image is None else upsample(image) + rgb


class SynthesisNetwork(nn.Module):
    """The synthesis network g: w_plus and noise maps -> image, the sum of all ToRGB outputs ([K20] figure 7b)."""

    def __init__(self, architecture: Architecture):
        super().__init__()
        self.architecture = architecture
        for resolution in architecture.block_resolutions:
            self.add_module(f"b{resolution}", SynthesisBlock(architecture, resolution))

    @property
    def blocks(self) -> list[SynthesisBlock]:
        return [self.get_submodule(f"b{r}") for r in self.architecture.block_resolutions]  # type: ignore[misc]

    @property
    def layers(self) -> list[SynthesisLayer]:
        return [layer for block in self.blocks for layer in block.layers]

    def forward(
        self, w_plus: Tensor, noise_maps: Sequence[Tensor], deviations: Mapping[int, Tensor] | None = None
    ) -> Tensor:
        """Maps w_plus [N, num_ws, w_dim] and a noise map [N or 1, 1, r, r] per layer to [N, C, R, R] in about [-1, 1].

        A block's ToRGB shares its style input with the first layer of the next block.

        Args:
            w_plus, noise_maps: the inputs.
            deviations: by resolution, what is added to the features that a block hands to the next one, [N, channels,
                r, r]; None: nothing is added.
        """
        x: Tensor | None = None
        image: Tensor | None = None
        first = 0
        for block in self.blocks:
            after = first + len(block.layers)
            x, image = block(x, image, w_plus[:, first : after + 1], noise_maps[first:after])
            if deviations and x.shape[-1] in deviations:
                x = x + deviations[x.shape[-1]]
            first = after
        assert image is not None  # there are at least three blocks
        return image


class StyleGAN2(nn.Module):
    """Mapping and synthesis network together, trainable; `Generator` is the frozen form."""

    def __init__(self, architecture: Architecture):
        super().__init__()
        self.architecture = architecture
        self.mapping = MappingNetwork(architecture.z_dim, architecture.w_dim, architecture.mapping_layers)
        self.synthesis = SynthesisNetwork(architecture)
