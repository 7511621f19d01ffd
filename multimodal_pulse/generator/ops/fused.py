"""The frozen synthesis network on a processor, with everything between two convolutions in one pass over memory.

The whole network is one autograd Function. It keeps each layer's output alone, in bfloat16 under autocast, and the
small operands, and its convolutions have their weights in oneDNN's own layout, for the way back too. Its gradient is of
first order; a second derivative goes through the network in plain PyTorch, which is also used wherever the fused form
does not apply. The C++ is in fused.cpp.
"""

import ctypes
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from multimodal_pulse.generator.ops.build import library
from multimodal_pulse.generator.ops.plain import demodulation, squared_weight

if TYPE_CHECKING:
    from multimodal_pulse.generator.stylegan2 import SynthesisLayer, SynthesisNetwork

COLOURS = 3  # the only number that fused.cpp knows
_NAMES = {torch.float32: "float32", torch.bfloat16: "bfloat16"}


class PlainOperators:
    """The network as it is, in plain PyTorch.

    Args:
        reason: why these operators were chosen; None: the user chose them.
    """

    name = "plain"

    def __init__(self, reason: str | None = None) -> None:
        self.reason = reason

    @property
    def chosen(self) -> dict[str, str | None]:
        """The name of these operators and the reason for them, for a run's provenance."""
        return {"chosen": self.name, "because": self.reason}

    def __call__(
        self,
        network: "SynthesisNetwork",
        w_plus: Tensor,
        noise_maps: Sequence[Tensor],
        deviations: Mapping[int, Tensor] | None,
    ) -> Tensor:
        """Returns what `SynthesisNetwork.forward` does."""
        return network(w_plus, noise_maps, deviations)


class FusedOperators(PlainOperators):
    """The fused form where it applies: single precision or bfloat16 by autocast, on a processor, for a frozen network.

    Raises:
        BuildError: the library cannot be built.
    """

    name = "fused"

    def __init__(self, reason: str | None = None) -> None:
        super().__init__(reason)
        library()
        self._packed: dict[torch.dtype, Packed] = {}

    def __call__(
        self,
        network: "SynthesisNetwork",
        w_plus: Tensor,
        noise_maps: Sequence[Tensor],
        deviations: Mapping[int, Tensor] | None,
    ) -> Tensor:
        """Returns what `SynthesisNetwork.forward` does, as float32 where the fused form applies.

        That is in the passes of a search alone. Where no gradient is wanted, pictures are drawn that stay, such as the
        samples and the bank of draws: these are the same with either operators, and `render` draws the same pixels.
        """
        mixed = torch.is_autocast_enabled("cpu")
        dtype = torch.get_autocast_dtype("cpu") if mixed else torch.float32
        packed = self._packed.get(dtype)
        weights = list[Tensor](network.parameters()) if packed is None else packed.weights
        if deviations or dtype not in _NAMES or not _applies(network, weights, (w_plus, *noise_maps)):
            return super().__call__(network, w_plus, noise_maps, deviations)
        if packed is None or packed.network is not network or packed.version != _version(weights):
            packed = self._packed[dtype] = Packed.of(network, dtype)
        image: Tensor = _Synthesis.apply(packed, w_plus, *noise_maps)
        return image


def _applies(network: "SynthesisNetwork", weights: Sequence[Tensor], inputs: Sequence[Tensor]) -> bool:
    """Returns whether the fused form can be used for these inputs."""
    return (
        torch.is_grad_enabled()
        and network.architecture.img_channels == COLOURS
        and len(inputs[0]) > 0
        and all(x.device.type == "cpu" and x.dtype == torch.float32 for x in (*inputs, *weights))
        and not any(weight.requires_grad for weight in weights)
        and torch.backends.mkldnn.is_available()
        and not torch._C._are_functorch_transforms_active()
        and torch.autograd.forward_ad._current_level < 0
        and not torch.compiler.is_compiling()
    )


class _Layer(ctypes.Structure):
    """`Layer` of fused.cpp."""

    _fields_ = [
        *((name, ctypes.c_int32) for name in ("threads", "samples", "size", "channels", "noises")),
        *((name, ctypes.c_float) for name in ("clamp", "strength")),
        *((name, ctypes.c_void_p) for name in ("factor", "noise", "bias", "style", "rgb_weight", "rgb_bias")),
    ]


@dataclass(frozen=True)
class Packed:
    """A network's weights as the convolutions want them.

    Attributes:
        network: the network.
        weights: its parameters.
        version: tells whether they are still what they were.
        dtype: of the features.
        forward, backward: the convolution of each layer and that of its gradient.
        strengths: of each layer's noise.
        affine: weight and bias of the affine map of each layer's style, then of each block's ToRGB.
        first: the constant input, [1, C, 4, 4].
    """

    network: "SynthesisNetwork"
    weights: list[Tensor]
    version: tuple[Any, ...]
    dtype: torch.dtype
    forward: list[Callable[[Tensor], Tensor]]
    backward: list[Callable[[Tensor], Tensor]]
    strengths: list[float]
    affine: list[tuple[Tensor, Tensor]]
    first: Tensor

    @classmethod
    @torch.inference_mode(False)  # tensors made in it take part in no gradient
    @torch.no_grad()
    def of(cls, network: "SynthesisNetwork", dtype: torch.dtype) -> "Packed":
        """Packs a network's weights."""
        affine = [layer.affine for layer in network.layers] + [block.torgb.affine for block in network.blocks]
        return cls(
            network,
            weights := list[Tensor](network.parameters()),
            _version(weights),
            dtype,
            [_convolution(layer, dtype) for layer in network.layers],
            [_convolution_of_gradient(layer, dtype) for layer in network.layers],
            [float(layer.noise_strength) for layer in network.layers],
            [(layer.weight * layer.weight_gain, layer.bias * layer.bias_gain) for layer in affine],
            network.blocks[0].const.detach()[None],
        )

    def operands(self, w_plus: Tensor) -> "Operands":
        """Computes the small operands of all layers, differentiably."""
        styles, factors, rgb_weights, index = [], [], [], 0
        for number, block in enumerate(self.network.blocks):
            for layer in block.layers:
                styles.append(F.linear(w_plus[:, index], *self.affine[index]))
                squared = squared_weight(layer.weight) if layer.weight_squared is None else layer.weight_squared
                factors.append(demodulation(styles[-1], squared))
                index += 1
            style = F.linear(w_plus[:, index], *self.affine[len(self.forward) + number])
            rgb_weights.append(block.torgb.weight.flatten(1) * (style * block.torgb.weight_gain)[:, None])
        return Operands(styles, factors, rgb_weights)


@dataclass(frozen=True)
class Operands:
    """What depends on w_plus: `styles` [N, I] and `factors` [N, O] by layer, `rgb_weights` [N, 3, C] by block."""

    styles: list[Tensor]
    factors: list[Tensor]
    rgb_weights: list[Tensor]

    @property
    def all(self) -> list[Tensor]:
        return [*self.styles, *self.factors, *self.rgb_weights]


class _Synthesis(torch.autograd.Function):
    """Maps w_plus [N, num_ws, w_dim] and the noise maps to the image [N, 3, R, R], float32."""

    @staticmethod
    def forward(ctx: Any, packed: Packed, w_plus: Tensor, *noise_maps: Tensor) -> Tensor:
        with torch.autocast("cpu", enabled=False):
            with torch.enable_grad():
                ctx.w_plus = w_plus.detach().requires_grad_(w_plus.requires_grad)
                ctx.operands = packed.operands(ctx.w_plus)
            ctx.steps = Steps(packed, ctx.operands, noise_maps)
            image, features, colours = ctx.steps.forward(keep=any(ctx.needs_input_grad))
        ctx.save_for_backward(w_plus, *noise_maps, *features, *colours)
        return image

    @staticmethod
    def backward(ctx: Any, g_image: Tensor) -> tuple[Tensor | None, ...]:
        steps, layers = ctx.steps, len(ctx.steps.layers)
        w_plus, *kept = ctx.saved_tensors
        noise_maps, features, colours = kept[:layers], kept[layers : 2 * layers], kept[2 * layers :]
        if torch.is_grad_enabled():  # of a gradient that is to be differentiated again
            inputs = [x for x in (w_plus, *noise_maps) if x.requires_grad]
            image = steps.packed.network(w_plus, noise_maps)
            found = iter(torch.autograd.grad(image, inputs, g_image, create_graph=True))
            return None, *(next(found) if x.requires_grad else None for x in (w_plus, *noise_maps))
        of_operands, of_noise = steps.backward(g_image, features, colours, ctx.needs_input_grad[2:])
        of_w_plus = None
        if ctx.needs_input_grad[1]:
            [of_w_plus] = torch.autograd.grad(ctx.operands.all, ctx.w_plus, of_operands.all, retain_graph=True)
        return None, of_w_plus, *of_noise


class Steps:
    """The passes of one call.

    Args:
        packed: the network.
        operands: what depends on w_plus.
        noise_maps: [N or 1, 1, r, r] for each layer.
    """

    def __init__(self, packed: Packed, operands: Operands, noise_maps: Sequence[Tensor]):
        self.packed, self.threads = packed, torch.get_num_threads()
        self.operands = Operands(*([x.detach().contiguous() for x in part] for part in vars(operands).values()))
        self.noise_maps = [noise_map.detach().contiguous() for noise_map in noise_maps]
        self.samples = len(operands.styles[0])
        self.layers = packed.network.layers
        self.torgbs = [block.torgb for block in packed.network.blocks]
        self.sizes = packed.network.architecture.noise_resolutions
        self.described = [self._describe(index) for index in range(len(self.layers))]
        found, name = library(), _NAMES[packed.dtype]
        self._forward, self._backward = getattr(found, f"forward_{name}"), getattr(found, f"backward_{name}")
        self._filter_transposed = getattr(found, f"filter_transposed_{name}")
        self._add_doubled, self._halve = found.add_doubled, found.halve

    def forward(self, keep: bool) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """Returns the image, and for the way back each layer's output and, where they are clamped, each block's
        colours; without `keep` the image alone.
        """
        style = self.operands.styles[0]
        scaled = _channels_last(self.packed.first * style[:, :, None, None], self.packed.dtype)
        image: Tensor | None = None
        features, colours = [], []
        for index, layer in enumerate(self.layers):
            y = _channels_last(self.packed.forward[index](scaled), self.packed.dtype)
            x = self._room(index) if keep else None
            scaled = self._room(index)  # unused after the last layer
            rgb = None if layer.up else self._room_for_image(self.sizes[index])
            self._forward(self.described[index], *_addresses(y, x, None if layer is self.layers[-1] else scaled, rgb))
            if x is not None:
                features.append(x)
            if rgb is None:
                continue
            if keep and layer.clamp is not None:
                colours.append(rgb.clone())
            if image is not None:
                self._add_doubled(self.samples, self.sizes[index], self.threads, *_addresses(image, rgb))
            image = rgb
        assert image is not None  # there are at least three blocks
        return image.permute(0, 3, 1, 2), features, colours

    def backward(
        self, g_image: Tensor, features: Sequence[Tensor], colours: Sequence[Tensor], wants_noise: Sequence[bool]
    ) -> tuple[Operands, list[Tensor | None]]:
        """Returns the gradients of the operands, and those of the noise maps that are wanted."""
        o = self.operands
        gradients = Operands(*([torch.empty_like(x) for x in part] for part in vars(o).values()))
        of_noise: list[Tensor | None] = [None] * len(self.layers)
        g_rgb = g_image.float().permute(0, 2, 3, 1).contiguous()
        g_scaled: Tensor | None = None
        for index in reversed(range(len(self.layers))):
            layer, size, block = self.layers[index], self.sizes[index], _block(index)
            g_y, g_noise, inside = self._room(index), None, None
            if wants_noise[index]:
                g_noise = torch.empty(self.samples, 1, size, size)
                of_noise[index] = g_noise
            if not layer.up:
                inside = torch.where(colours[block].abs() < layer.clamp, g_rgb, 0.0) if layer.clamp else g_rgb
            g_style = torch.empty_like(o.factors[index]) if g_scaled is None else gradients.styles[index + 1]
            of_layer = (g_style, gradients.factors[index], gradients.rgb_weights[block], g_noise)
            self._backward(self.described[index], *_addresses(features[index], g_scaled, inside, g_y, *of_layer))
            if layer.up:
                unfiltered, g_y = g_y, self._room(index, size + 1)
                self._filter_transposed(self.described[index], *_addresses(unfiltered, g_y))
            elif index:
                whole, g_rgb = g_rgb, self._room_for_image(size // 2)
                self._halve(self.samples, size, self.threads, *_addresses(whole, g_rgb))
            g_scaled = _channels_last(self.packed.backward[index](g_y), self.packed.dtype)
        assert g_scaled is not None
        gradients.styles[0] = (g_scaled.float() * self.packed.first).sum(dim=(2, 3))
        shapes = [noise_map.shape for noise_map in self.noise_maps]
        return gradients, [
            None if g is None else g.sum_to_size(shape) for g, shape in zip(of_noise, shapes, strict=True)
        ]

    def _room(self, index: int, size: int | None = None) -> Tensor:
        """Makes room for a layer's features, of another `size` if it is given."""
        size = size or self.sizes[index]
        shape = (self.samples, self.layers[index].weight.shape[0], size, size)
        return torch.empty(shape, dtype=self.packed.dtype, memory_format=torch.channels_last)

    def _room_for_image(self, size: int) -> Tensor:
        return torch.empty(self.samples, size, size, COLOURS)

    def _describe(self, index: int) -> Any:
        """Returns a layer's operands as fused.cpp reads them."""
        layer, o, block = self.layers[index], self.operands, _block(index)
        style = o.styles[index + 1] if index + 1 < len(self.layers) else None
        rgb = (o.rgb_weights[block], self.torgbs[block].bias)
        return ctypes.byref(
            _Layer(
                self.threads,
                self.samples,
                self.sizes[index],
                layer.weight.shape[0],
                len(self.noise_maps[index]),
                math.inf if layer.clamp is None else layer.clamp,
                self.packed.strengths[index],
                *_addresses(o.factors[index], self.noise_maps[index], layer.bias, style, *rgb),
            )
        )


def _block(index: int) -> int:
    """Returns the number of the block of a layer: the first block has one layer, the others two."""
    return (index + 1) // 2


def _addresses(*tensors: Tensor | None) -> list[ctypes.c_void_p]:
    return [ctypes.c_void_p(None if tensor is None else tensor.data_ptr()) for tensor in tensors]


def _channels_last(x: Tensor, dtype: torch.dtype) -> Tensor:
    return x.to(dtype).contiguous(memory_format=torch.channels_last)


def _version(weights: Sequence[Tensor]) -> tuple[Any, ...]:
    """Returns what changes with the weights."""
    return tuple((weight.data_ptr(), weight._version) for weight in weights)


def _convolution(layer: "SynthesisLayer", dtype: torch.dtype) -> Callable[[Tensor], Tensor]:
    """Returns a layer's convolution, [N, I, H, W] -> [N, O, H, W] or, to be filtered, [N, O, 2H + 1, 2W + 1]."""
    if not layer.up:
        return _packed_convolution(layer.weight, dtype, stride=1, padding=1)
    weight = torch.ops.mkldnn._reorder_convolution_transpose_weight(
        layer.weight.transpose(0, 1).to(dtype).contiguous(memory_format=torch.channels_last), [0, 0], [0, 0], [2, 2]
    )
    return lambda x: torch.ops.mkldnn._convolution_transpose_pointwise(
        x, weight, None, [0, 0], [0, 0], [2, 2], [1, 1], 1, "none", [], ""
    )


def _convolution_of_gradient(layer: "SynthesisLayer", dtype: torch.dtype) -> Callable[[Tensor], Tensor]:
    """Returns the transpose of a layer's convolution, which is a convolution too."""
    if layer.up:
        return _packed_convolution(layer.weight.transpose(0, 1), dtype, stride=2, padding=0)
    return _packed_convolution(layer.weight.flip(2, 3).transpose(0, 1), dtype, stride=1, padding=1)


def _packed_convolution(weight: Tensor, dtype: torch.dtype, stride: int, padding: int) -> Callable[[Tensor], Tensor]:
    channels_last = weight.to(dtype).contiguous(memory_format=torch.channels_last)
    packed = torch.ops.mkldnn._reorder_convolution_weight(channels_last, [padding] * 2, [stride] * 2)
    return lambda x: torch.ops.mkldnn._convolution_pointwise(
        x, packed, None, [padding] * 2, [stride] * 2, [1, 1], 1, "none", [], ""
    )
