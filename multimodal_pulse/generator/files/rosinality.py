"""Checkpoints in the format of rosinality's StyleGAN2: state dicts, whose shapes determine the network.

The network is the official one with other names. Three things differ in the numbers: the mean of W is outside the state
dict, or missing; the noise maps are missing in older files, such as those that the author has published; and the
weights of a modulated convolution are scaled by 1 / sqrt(fan-in) before the demodulation, which matters if they are so
small that the demodulation's epsilon has an effect.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from multimodal_pulse.generator.files.mean_of_w import MeanOfW, mean_of_w
from multimodal_pulse.generator.files.restricted_pickle import RefusedError, printable
from multimodal_pulse.generator.files.torch_files import StoredTensor
from multimodal_pulse.generator.ops.plain import blur_filter
from multimodal_pulse.generator.stylegan2 import Architecture

BLUR_GAIN = 4.0
"""The gain of the stored filters, which compensates the zeros that upsampling inserts."""

MAX_LEVELS = 16
"""The most doublings of the resolution that are counted; far more than any network has."""

NOISE = "noises.noise_"
"""What the name of a layer's noise map begins with."""

CONV_PARTS = {
    "conv.weight": "weight",
    "conv.modulation.weight": "affine.weight",
    "conv.modulation.bias": "affine.bias",
    "noise.weight": "noise_strength",
    "activate.bias": "bias",
}
TORGB_PARTS = {
    "conv.weight": "weight",
    "conv.modulation.weight": "affine.weight",
    "conv.modulation.bias": "affine.bias",
    "bias": "bias",
}


PREFIX = "module."
"""What `DataParallel` puts before every name."""


@dataclass(frozen=True)
class NoiseFromSeed:
    """Replaces a missing noise map; reading it draws unit normal numbers, always the same.

    Attributes:
        layer: the index of the layer, which is the seed.
        resolution: the side of the map.
    """

    layer: int
    resolution: int

    @property
    def shape(self) -> tuple[int, ...]:
        return self.resolution, self.resolution

    def read(self) -> Tensor:
        """Returns the map, float32 [resolution, resolution]."""
        return torch.randn(self.shape, generator=torch.Generator().manual_seed(self.layer))


def read_rosinality(checkpoint: Any) -> tuple[Architecture, dict[str, StoredTensor | MeanOfW | NoiseFromSeed]]:
    """Returns the architecture of the state dict `g_ema`, and its tensors by our names.

    If the state dict has no noise map at all, each is a `NoiseFromSeed`.

    Args:
        checkpoint: the value in a file written by `torch.save`.

    Raises:
        RefusedError: the file has no such state dict, or its network is not supported.
        ValueError: the network's sizes are impossible.
    """
    if not isinstance(checkpoint, dict) or not isinstance(checkpoint.get("g_ema"), dict):
        raise RefusedError("PyTorch wrote it, but it has no StyleGAN2 state dict g_ema")
    stored = _without_prefix({str(name): tensor for name, tensor in checkpoint["g_ema"].items()})
    for name, tensor in stored.items():
        if not isinstance(tensor, StoredTensor):
            raise RefusedError(f"its g_ema has the entry {printable(name)}, which is not a tensor")
    architecture = _architecture(stored)
    tensors: dict[str, StoredTensor] = {}
    drawn: dict[str, NoiseFromSeed] = {}
    without_noise = not any(name.startswith(NOISE) for name in stored)
    for name, ours in _names(architecture):
        if without_noise and name.startswith(NOISE):
            layer = len(drawn)
            drawn[ours] = NoiseFromSeed(layer, architecture.noise_resolutions[layer])
            continue
        if name not in stored:
            raise RefusedError(f"its g_ema lacks the tensor {name}")
        tensors[ours] = _in_our_form(name, stored.pop(name))
    expected_filter = blur_filter(torch.empty(0), channels=1, gain=BLUR_GAIN)[0, 0]
    for name, tensor in stored.items():
        if not name.endswith(".kernel"):
            raise RefusedError(f"its g_ema has a tensor that such a network has no place for: {printable(name)}")
        if not tensor.equals(expected_filter):
            raise RefusedError(f"its {printable(name)} is not the filter [1, 3, 3, 1]")
    return architecture, {**tensors, **drawn, "mapping.w_avg": _mean_of_w(checkpoint, architecture, tensors)}


def _without_prefix(stored: dict[str, Any]) -> dict[str, Any]:
    """Returns the state dict with the names that it has without `DataParallel`, however often that was applied."""
    while stored and all(name.startswith(PREFIX) for name in stored):
        stored = {name.removeprefix(PREFIX): tensor for name, tensor in stored.items()}
    return stored


def _architecture(stored: dict[str, StoredTensor]) -> Architecture:
    levels = 0
    while levels < MAX_LEVELS and f"to_rgbs.{levels}.bias" in stored:
        levels += 1
    mapping_layers = 0
    while f"style.{mapping_layers + 1}.weight" in stored:
        mapping_layers += 1
    channels = {4: _size(stored, "input.input", 1)}
    for level in range(levels):
        channels[8 * 2**level] = _size(stored, f"convs.{2 * level}.conv.weight", 1)
    return Architecture(
        resolution=4 * 2**levels,
        z_dim=_size(stored, "style.1.weight", 1),
        w_dim=_size(stored, "style.1.weight", 0),
        mapping_layers=mapping_layers,
        channel_base=max(resolution * count for resolution, count in channels.items()),
        channel_max=max(channels.values()),
        img_channels=_size(stored, "to_rgb1.conv.weight", 1),
    )


def _size(stored: dict[str, StoredTensor], name: str, dim: int) -> int:
    if name not in stored:
        raise RefusedError(f"its g_ema lacks the tensor {name}")
    if dim >= len(stored[name].shape):
        raise RefusedError(f"its tensor {name} has too few dimensions")
    return stored[name].shape[dim]


def _names(architecture: Architecture) -> Iterator[tuple[str, str]]:
    """Yields pairs of a name in this format and our name."""
    for index in range(architecture.mapping_layers):
        for part in ("weight", "bias"):
            yield f"style.{index + 1}.{part}", f"mapping.fc{index}.{part}"
    yield "input.input", "synthesis.b4.const"
    layers, torgbs = [("conv1", "synthesis.b4.conv1")], [("to_rgb1", "synthesis.b4.torgb")]
    for level, resolution in enumerate(architecture.block_resolutions[1:]):
        for index in range(2):
            layers.append((f"convs.{2 * level + index}", f"synthesis.b{resolution}.conv{index}"))
        torgbs.append((f"to_rgbs.{level}", f"synthesis.b{resolution}.torgb"))
    for index, (layer, ours) in enumerate(layers):
        yield f"{NOISE}{index}", f"{ours}.noise_const"
        yield from ((f"{layer}.{part}", f"{ours}.{our_part}") for part, our_part in CONV_PARTS.items())
    for torgb, ours in torgbs:
        yield from ((f"{torgb}.{part}", f"{ours}.{our_part}") for part, our_part in TORGB_PARTS.items())


def _in_our_form(name: str, tensor: StoredTensor) -> StoredTensor:
    """Removes the format's dimensions of size 1 and scales the tensor for our network."""
    if name.endswith("conv.weight"):
        tensor = tensor.squeezed(0)
        if "to_rgb" not in name:  # ToRGB has no demodulation, and our layer scales
            tensor = tensor.scaled(1 / math.sqrt(max(math.prod(tensor.shape[1:]), 1)))
        return tensor
    if name.startswith(NOISE):
        return tensor.squeezed(0).squeezed(0)
    if name.startswith("to_rgb") and name.endswith(".bias") and "modulation" not in name:
        return tensor.squeezed(0).squeezed(-1).squeezed(-1)
    if name == "input.input" or name.endswith("noise.weight"):
        return tensor.squeezed(0)
    return tensor


def _mean_of_w(
    checkpoint: dict, architecture: Architecture, tensors: dict[str, StoredTensor]
) -> StoredTensor | MeanOfW:
    stored = checkpoint.get("latent_avg")
    if stored is None:
        return mean_of_w(architecture, tensors)
    if not isinstance(stored, StoredTensor):
        raise RefusedError("its latent_avg is not a tensor")
    return stored.squeezed(0) if len(stored.shape) == 2 else stored
