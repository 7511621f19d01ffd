"""The intermediate latents W and W+ in standard units."""

import torch
from torch import Tensor

from multimodal_pulse.generator.frozen import Generator
from multimodal_pulse.generator.spaces.space import Space, Variables
from multimodal_pulse.generator.statistics import w_draws


class WPlus(Space):
    """W+ as it is, but measured from the mean of W, in standard deviations.

    The standard deviation is one number for all components, their root mean square, as in BRGM (Marinescu et al. 2021:
    `_dlatent_std` of its `projector.py` is sqrt(w_dim) times this number). In contrast to PULSE's space, W+ is neither
    bent nor whitened.

    Args:
        generator: the frozen generator.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, generator: Generator):
        super().__init__(generator)
        w = w_draws(generator)
        self.register_buffer("mean", w.mean(dim=0), persistent=False)
        self.register_buffer("std", w.var(dim=0).mean().sqrt(), persistent=False)

    def initial(self, rng: torch.Generator) -> Variables:
        """Draws a picture of the generator: the latent of mapping(z) for a unit-normal z."""
        z = torch.randn(1, self.generator.z_dim, generator=rng)
        w_plus = self.generator.mapping(z.to(next(self.generator.parameters())))
        return {"latent": self.from_w_plus(w_plus)[0].float().cpu()}

    def to_w_plus(self, latent: Tensor) -> Tensor:
        """Maps latent [B, num_ws, w_dim] to w_plus of the same shape."""
        return latent * self.std + self.mean

    def from_w_plus(self, w_plus: Tensor) -> Tensor:
        """Maps w_plus [B, num_ws, w_dim] to its latent."""
        return (w_plus - self.mean) / self.std


class W(WPlus):
    """The same with one vector, [w_dim], for all style inputs."""

    def to_w_plus(self, latent: Tensor) -> Tensor:
        """Maps latent [B, w_dim] to w_plus [B, num_ws, w_dim]."""
        return super().to_w_plus(latent)[:, None].expand(-1, self.generator.num_ws, -1)

    def from_w_plus(self, w_plus: Tensor) -> Tensor:
        """Maps w_plus [B, num_ws, w_dim] to the latent of the nearest point of W, the mean over the style inputs."""
        return super().from_w_plus(w_plus).mean(dim=1)
