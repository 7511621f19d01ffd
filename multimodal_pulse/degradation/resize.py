"""Bicubic resizing along both axes, antialiased where a picture shrinks, as MATLAB's `imresize` does it.

Keys' cubic kernel with a = -0.5 (R. Keys, "Cubic convolution interpolation for digital image processing", 1981,
equation 15), widened by the factor when the picture shrinks, weights normalised to sum to one, symmetric borders. It is
separable, hence two small matrices, one for rows and one for columns.
"""

from functools import lru_cache

import torch
from torch import Tensor


def _cubic_kernel(x: Tensor) -> Tensor:
    """Computes Keys' cubic kernel with a = -0.5; it is zero for |x| >= 2."""
    x = x.abs()
    inner = 1.5 * x**3 - 2.5 * x**2 + 1
    outer = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return torch.where(x <= 1, inner, torch.where(x <= 2, outer, torch.zeros_like(x)))


def resize_matrix(in_size: int, out_size: int) -> Tensor:
    """Makes the matrix that resizes one axis from `in_size` to `out_size` pixels, antialiased when it shrinks.

    Returns: float64 [out_size, in_size] on the CPU; every row sums to one.
    """
    scale = out_size / in_size
    widening = min(scale, 1.0)
    support = 4 / widening
    # Centre of each output pixel in input coordinates, where pixel i is centred on i (from 0).
    centers = (torch.arange(out_size, dtype=torch.float64) + 0.5) / scale - 0.5
    first = torch.floor(centers - support / 2)
    taps = first[:, None] + torch.arange(int(support) + 3, dtype=torch.float64)
    weights = _cubic_kernel((centers[:, None] - taps) * widening)
    weights = weights / weights.sum(dim=1, keepdim=True)
    return mirrored(taps.long(), weights, in_size)


def mirrored(taps: Tensor, weights: Tensor, in_size: int) -> Tensor:
    """Makes the matrix that weighs pixels of an axis, which goes on beyond its ends as in a mirror.

    Args:
        taps: the positions of the pixels that each output pixel weighs, integers [out_size, n] of any size.
        weights: their weights, float64 [out_size, n].
        in_size: the number of pixels of the axis.
    Returns: float64 [out_size, in_size].
    """
    # Symmetric borders: ... 1 0 | 0 1 ... n-1 | n-1 n-2 ..., repeated where the kernel is wider than the picture.
    period = taps % (2 * in_size)
    columns = torch.minimum(period, 2 * in_size - 1 - period)
    return torch.zeros(len(taps), in_size, dtype=torch.float64).scatter_add_(1, columns, weights)


@lru_cache(maxsize=64)
def axis_matrix(in_size: int, out_size: int, pseudo_inverse: bool, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Returns `resize_matrix`, or its pseudo-inverse [in_size, out_size], computed once in float64."""
    # A tensor made in inference mode cannot take part in a gradient, and this one is cached for later callers.
    with torch.inference_mode(False):
        matrix = resize_matrix(in_size, out_size)
        if pseudo_inverse:
            matrix = torch.linalg.pinv(matrix)
        return matrix.to(dtype=dtype, device=device)


def separable(rows: Tensor, x: Tensor, columns: Tensor) -> Tensor:
    """Computes rows x columns^T, outside autocast: [h, H], [..., H, W], [w, W] -> [..., h, w]."""
    # Mixed precision would round the product to 8 bits of mantissa: 50 dB, too coarse for LR-PSNR.
    with torch.autocast(x.device.type, enabled=False):
        return rows @ x @ columns.mT


def bicubic_resize(x: Tensor, height: int, width: int) -> Tensor:
    """Resizes by bicubic interpolation with MATLAB's convention, antialiased along each axis that shrinks.

    Args:
        x: float [..., H, W].
        height, width: the new size, in pixels.
    Returns: [..., height, width], same dtype and device, not clamped.
    """
    rows = axis_matrix(x.shape[-2], height, False, x.dtype, x.device)
    columns = axis_matrix(x.shape[-1], width, False, x.dtype, x.device)
    return separable(rows, x, columns)
