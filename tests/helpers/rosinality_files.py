"""Writes state dicts in rosinality's format from official tensors: the inverse of what the package does.

That code's `Generator(size, style_dim, n_mlp)` has the official layers under other names: `style` is PixelNorm and
EqualLinear layers (lr_mul 0.01, weights stored divided by it, leaky ReLU with gain sqrt 2, so the same numbers);
ModulatedConv2d stores [1, out, in, k, k] at unit scale; NoiseInjection has one weight of shape [1]; ToRGB a bias of
shape [1, 3, 1, 1]; blur and upsampling kernels are [1, 3, 3, 1] by itself over 64, times 4.
"""

import torch
from torch import Tensor


def kernel() -> Tensor:
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
    return torch.outer(taps, taps) / taps.sum() ** 2 * 4


def state_dict(tensors: dict[str, Tensor], mapping_layers: int, resolution: int) -> dict[str, Tensor]:
    """`g_ema` of the network with these tensors, by their official names."""
    state = {}
    for index in range(mapping_layers):
        for part in ("weight", "bias"):
            state[f"style.{index + 1}.{part}"] = tensors[f"mapping.fc{index}.{part}"]
    state["input.input"] = tensors["synthesis.b4.const"][None]

    def modulated(theirs: str, ours: str) -> None:
        state[f"{theirs}.conv.weight"] = tensors[f"{ours}.weight"][None]
        state[f"{theirs}.conv.modulation.weight"] = tensors[f"{ours}.affine.weight"]
        state[f"{theirs}.conv.modulation.bias"] = tensors[f"{ours}.affine.bias"]

    def styled(theirs: str, ours: str, noise_index: int) -> None:
        modulated(theirs, ours)
        state[f"{theirs}.noise.weight"] = tensors[f"{ours}.noise_strength"].reshape(1)
        state[f"{theirs}.activate.bias"] = tensors[f"{ours}.bias"]
        state[f"noises.noise_{noise_index}"] = tensors[f"{ours}.noise_const"][None, None]

    def to_rgb(theirs: str, ours: str) -> None:
        modulated(theirs, ours)
        state[f"{theirs}.bias"] = tensors[f"{ours}.bias"].reshape(1, 3, 1, 1)

    styled("conv1", "synthesis.b4.conv1", 0)
    to_rgb("to_rgb1", "synthesis.b4.torgb")
    r, index = 8, 0
    while r <= resolution:
        styled(f"convs.{index}", f"synthesis.b{r}.conv0", index + 1)
        state[f"convs.{index}.conv.blur.kernel"] = kernel()
        styled(f"convs.{index + 1}", f"synthesis.b{r}.conv1", index + 2)
        to_rgb(f"to_rgbs.{index // 2}", f"synthesis.b{r}.torgb")
        state[f"to_rgbs.{index // 2}.upsample.kernel"] = kernel()
        r, index = 2 * r, index + 2
    return state


def modulated_convolution(x: Tensor, state: dict[str, Tensor], layer: str, w: Tensor, noise: Tensor) -> Tensor:
    """That code's StyledConv without upsampling, one sample: [I, H, W], [w_dim] -> [O, H, W]."""
    weight = state[f"{layer}.conv.weight"][0]
    modulation = state[f"{layer}.conv.modulation.weight"]
    style = modulation @ w / modulation.shape[1] ** 0.5 + state[f"{layer}.conv.modulation.bias"]
    weight = weight / weight[0].numel() ** 0.5 * style[None, :, None, None]
    weight = weight * (weight.square().sum(dim=(1, 2, 3)) + 1e-8).rsqrt()[:, None, None, None]
    y = torch.nn.functional.conv2d(x[None], weight, padding=1)[0] + state[f"{layer}.noise.weight"] * noise
    return torch.nn.functional.leaky_relu(y + state[f"{layer}.activate.bias"][:, None, None], 0.2) * 2**0.5
