"""Where the K samples of a reference begin: each at a latent of its own, or all at the same."""

import torch
from torch import Tensor

from multimodal_pulse.base.randomness import stream
from multimodal_pulse.generator.spaces.sphere import LatentSpace


class IndependentLatents:
    """Each sample has an initial latent of its own (Unalan & Alkilani, latent resampling)."""

    def draw(self, space: LatentSpace, seed: int, name: str, num_samples: int) -> Tensor:
        """Initial latents of the reference called `name`: float32 [K, num_ws, w_dim] on the CPU."""
        streams = [stream(seed, name, sample, "latent") for sample in range(num_samples)]
        return torch.stack([space.initial_latent(rng) for rng in streams])


class SharedLatent:
    """All samples begin at the latent of sample 0: no resampling."""

    def draw(self, space: LatentSpace, seed: int, name: str, num_samples: int) -> Tensor:
        """Initial latents of the reference called `name`: float32 [K, num_ws, w_dim] on the CPU, K times the same."""
        return space.initial_latent(stream(seed, name, 0, "latent")).expand(num_samples, -1, -1)
