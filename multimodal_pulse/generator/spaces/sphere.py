"""What the search moves: latents on PULSE's spheres, and their map to W+."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from multimodal_pulse.generator.statistics import WStatistics


class LatentSpace(nn.Module):
    """PULSE's latent space: one unit-Gaussian vector per style input, mapped to W+ (Menon et al. 2020, section 3.2).

    Args:
        statistics: of the generator's W.
        num_ws: style inputs of the generator.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, statistics: WStatistics, num_ws: int):
        super().__init__()
        self.num_ws = num_ws
        self.w_dim = len(statistics.mean)
        self.register_buffer("mean", statistics.mean.clone(), persistent=False)
        self.register_buffer("std", statistics.std.clone(), persistent=False)

    def initial_latent(self, rng: torch.Generator) -> Tensor:
        """A random latent, float32 [num_ws, w_dim], unit normal, on the CPU."""
        return torch.randn(self.num_ws, self.w_dim, generator=rng)

    def mean_latent(self) -> Tensor:
        """The latent of the mean image, [num_ws, w_dim]: the centre of the spheres, so no search ends there."""
        return self.mean.new_zeros(self.num_ws, self.w_dim)

    def to_w_plus(self, latent: Tensor) -> Tensor:
        """latent [..., num_ws, w_dim] -> w_plus of the same shape; undoes the Gaussianisation of `WStatistics`."""
        return F.leaky_relu(latent * self.std + self.mean, 0.2)
