"""PULSE's sphere with another map to pictures: that of the report's own program."""

from collections.abc import Mapping, Sequence

import torch.nn.functional as F
from torch import Tensor

from multimodal_pulse.generator.spaces.sphere import Sphere


class FlatSphere(Sphere):
    """PULSE's spheres, whose latents go to W+ by a leaky ReLU with a slope of 0.025, and pictures clipped to [0, 1].

    It follows the program of Unalan & Alkilani. PULSE's slope of 0.2 is the inverse of the Gaussianisation of W; with
    this one, a negative component of W comes out at an eighth of its size. Where a picture is clipped, no term of the
    objective has a gradient.
    """

    slope = 0.025

    def to_w_plus(self, latent: Tensor) -> Tensor:
        """Maps latent [..., num_ws, w_dim] to w_plus of the same shape."""
        return F.leaky_relu(latent * self.std + self.mean, self.slope)

    def from_w_plus(self, w_plus: Tensor) -> Tensor:
        """Maps w_plus [..., num_ws, w_dim] to its latent, of any length."""
        return (F.leaky_relu(w_plus, 1 / self.slope) - self.mean) / self.std

    def synthesise(self, variables: Mapping[str, Tensor], noise_maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Maps the variables to w_plus [B, num_ws, w_dim] and images [B, 3, R, R] in [0, 1]."""
        w_plus, images = super().synthesise(variables, noise_maps)
        return w_plus, images.clamp(0, 1)
