"""The diversity score of the NTIRE challenges on learning the super-resolution space.

Lugmayr et al., "NTIRE 2021 Learning the Super-Resolution Space Challenge" and its successor of 2022. The score is high
for samples that are close to the original in different places, and not for samples that merely differ.
"""

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad

from multimodal_pulse.metrics.functional import as_pictures

BOX = 16
"""The side in pixels of the box filter in the squared-error variant of the score."""


def diversity_score(maps: Tensor) -> Tensor:
    """Returns by how much the best sample at each position is closer to the original than the best whole sample.

    This is 100 (G - L) / G, where G = min_i mean_p d_i(p) is the smallest distance of a whole sample and L = mean_p
    min_i d_i(p) that of a picture composed of the best sample at each position. The challenge has ten samples; more
    samples score higher.

    Args:
        maps: d, [K, H, W], the distance of each of K samples to the original at each position, not negative.

    Returns: a scalar from 0 (also if G is 0) to 100; NaN for K < 2 and if a map has a NaN.
    """
    if len(maps) < 2:
        return maps.new_tensor(torch.nan)
    maps = maps.double()
    # In units of the smallest maximum of a map, G H W lies between 1 and H W, however small or large the distances are.
    # A sample that becomes infinite by it has no part in G or L, and what becomes 0 is lost in rounding all the same.
    unit = maps.amax(dim=(1, 2)).min()
    maps = maps / torch.where(unit > 0, unit, 1.0)
    best = maps.mean(dim=(1, 2)).min()
    pieced = maps.amin(dim=0).mean()
    # By rounding, the mean of the minima may exceed the minimum of the means.
    gain = (best - pieced).clamp(min=0)
    return torch.where(gain > 0, 100 * (gain / best), gain)


def squared_error_maps(samples: Tensor, hr: Tensor) -> Tensor:
    """Returns the maps of the score's second variant (2022): squared error over colours and a box of 16 x 16 pixels.

    The borders are as in the challenge: every box that meets the picture counts, outside there are zeros, and the sum
    is always divided by 256. So every pixel is in 256 boxes, and the mean of a map is proportional to the mean squared
    error.

    Args:
        samples: [K, 3, H, W].
        hr: [3, H, W].

    Returns: [K, H + 15, W + 15] float64, in squared grey levels (0 to 65025).
    """
    samples, hr = as_pictures(samples, hr)
    error = 255**2 * (samples.double() - hr.double()).square().mean(dim=1, keepdim=True)
    boxes = avg_pool2d(avg_pool2d(pad(error, [BOX - 1] * 4), (BOX, 1), stride=1), (1, BOX), stride=1)
    return boxes[:, 0]
