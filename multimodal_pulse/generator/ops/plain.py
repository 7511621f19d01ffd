"""The three operations of a StyleGAN2: modulated convolution, [1,3,3,1] resampling, biased activation.

They are written for latent search, where the weights are constant and only styles and noise change: the *activations*
are scaled by the style, so that one convolution with one shared weight serves the whole batch, and the demodulation
uses squared weights that are computed once. Equations are those of Karras et al., "Analyzing and Improving the
Image Quality of StyleGAN" (CVPR 2020), cited as [K20].
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

SQRT2 = math.sqrt(2.0)
DEMODULATION_EPSILON = 1e-8  # [K20] eq. (3)


def blur_filter(like: Tensor, channels: int, gain: float = 1.0) -> Tensor:
    """Makes the separable [1,3,3,1] low-pass filter as a depthwise kernel, [channels, 1, 4, 4], with sum `gain`."""
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=like.dtype, device=like.device) / 8.0
    return (gain * taps[:, None] * taps).expand(channels, 1, 4, 4).contiguous()


def upsample(x: Tensor) -> Tensor:
    """Doubles the resolution: zeros between the pixels, then [1,3,3,1] with gain 4. [N, C, H, W] -> [N, C, 2H, 2W].

    Each output phase uses two of the four taps per axis, so it is a weighted sum of a pixel and its neighbour (3/4 and
    1/4); computed this way, one axis at a time, no inserted zero is read.
    """
    for dim in (2, 3):
        size = x.shape[dim]
        pad = (0, 0, 1, 1) if dim == 2 else (1, 1, 0, 0)
        padded = F.pad(x, pad)
        before, after = padded.narrow(dim, 0, size), padded.narrow(dim, 2, size)
        phases = torch.stack([0.75 * x + 0.25 * before, 0.75 * x + 0.25 * after], dim=dim + 1)
        x = phases.flatten(dim, dim + 1)
    return x


def conv_upsample(x: Tensor, weight: Tensor, blur: Tensor) -> Tensor:
    """Convolves by 3 x 3 at twice the resolution, then applies the filter. [N, I, H, W] -> [N, O, 2H, 2W].

    A transposed convolution of stride 2 inserts the zeros and convolves in one step.

    Args:
        x: the features.
        weight: [O, I, 3, 3].
        blur: the filter with gain 4, [O, 1, 4, 4], see `blur_filter`.
    """
    doubled = F.conv_transpose2d(x, weight.transpose(0, 1), stride=2)
    return F.conv2d(doubled, blur, padding=1, groups=weight.shape[0])


def squared_weight(weight: Tensor) -> Tensor:
    """Sums the squared weights over the kernel and transposes for the demodulation: [O, I, k, k] -> [I, O]."""
    return weight.square().sum(dim=(2, 3)).T


def demodulation(style: Tensor, weight_squared: Tensor) -> Tensor:
    """Computes the factors that give each output channel unit variance. [N, I], [I, O] -> [N, O]; [K20] eq. (3)."""
    return (style.square() @ weight_squared + DEMODULATION_EPSILON).rsqrt()


def scale_channels(x: Tensor, factors: Tensor) -> Tensor:
    """Multiplies each channel by its factor, in the precision of `x`: [N, C, H, W], [N, C] -> [N, C, H, W]."""
    return x * factors[:, :, None, None].to(x.dtype)


def affine_activation(x: Tensor, factors: Tensor, noise: Tensor, bias: Tensor, clamp: float | None) -> Tensor:
    """Computes sqrt(2) leaky_relu(x * factors + noise + bias, 0.2), clamped to +-`clamp` (None: not clamped).

    The leaky ReLU is positively homogeneous, so the gain is applied to the small operands instead of all features.
    These get the precision of `x`, and all steps but the first work in place, because memory traffic dominates the
    cost.

    Args:
        x: [N, C, H, W].
        factors: [N, C].
        noise: [N or 1, 1, H, W].
        bias: [C].
    """
    factors, bias = (factors * SQRT2)[:, :, None, None], (bias * SQRT2)[:, None, None]
    offset = (noise * SQRT2).to(x.dtype) + bias.to(x.dtype)
    x = F.leaky_relu_((x * factors.to(x.dtype)).add_(offset), 0.2)
    return x if clamp is None else x.clamp(-clamp, clamp)


def fully_connected_activation(x: Tensor) -> Tensor:
    """Computes sqrt(2) leaky_relu(x, 0.2)."""
    return F.leaky_relu(x, 0.2) * SQRT2
