"""The diversity score of the NTIRE challenges on learning the super-resolution space, of maps of distances.

Lugmayr et al., "NTIRE 2021 Learning the Super-Resolution Space Challenge" and its successor of 2022. Samples that are
good in different places score; samples that differ where none of them meets the original do not.
"""

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad

from multimodal_pulse.metrics.functional import as_pictures

BOX = 16
"""Side, in pixels, of the box filter of the score's squared-error variant."""


def diversity_score(maps: Tensor) -> Tensor:
    """How much better the samples do together than the best of them alone, as a share of what that one leaves.

    100 (G - L) / G, where G = min_i mean_p d_i(p) is the smallest distance of a whole sample and L = mean_p min_i
    d_i(p) that of a picture pieced together of the best sample at each position. The challenge has ten samples; more
    samples score more.

    Args:
        maps: d, [K, H, W], the distance of each of K samples to the original at each position, not negative.
    Returns: scalar, 0 (nothing to choose, also where G is 0) to 100; NaN for K < 2, where there is no choice, and
        where a map has a NaN.
    """
    if len(maps) < 2:
        return maps.new_tensor(torch.nan)
    maps = maps.double()
    best = maps.mean(dim=(1, 2)).min()
    pieced = maps.amin(dim=0).mean()
    # Rounding may put the mean of the minima above the minimum of the means.
    gain = (best - pieced).clamp(min=0)
    return torch.where(gain > 0, 100 * (gain / best), gain)


def squared_error_maps(samples: Tensor, hr: Tensor) -> Tensor:
    """The maps of the score's second variant (2022): squared error, averaged over colours and a box of 16 x 16 pixels.

    Borders as in the challenge: a box counts wherever it meets the picture, zeros stand outside, and the sum is always
    divided by 256. Every pixel is thus in 256 boxes, and the mean of a map is proportional to the mean squared error.

    Args:
        samples: [K, 3, H, W].
        hr: [3, H, W].
    Returns: [K, H + 15, W + 15] float64, in squared grey levels (0 to 65025).
    """
    samples, hr = as_pictures(samples, hr)
    error = 255**2 * (samples.double() - hr.double()).square().mean(dim=1, keepdim=True)
    boxes = avg_pool2d(avg_pool2d(pad(error, [BOX - 1] * 4), (BOX, 1), stride=1), (1, BOX), stride=1)
    return boxes[:, 0]
