"""Where the K samples of a reference begin: each at a latent of its own, or all at the same."""

import torch

from multimodal_pulse.base.randomness import stream
from multimodal_pulse.generator.spaces.space import Space, Variables


class IndependentLatents:
    """Each sample has an initial latent of its own (Unalan & Alkilani, latent resampling)."""

    def draw(self, space: Space, seed: int, name: str, num_samples: int) -> Variables:
        """Where the samples of the reference called `name` begin: [K, ...] each, float32 on the CPU."""
        draws = [space.initial(stream(seed, name, sample, "latent")) for sample in range(num_samples)]
        return {variable: torch.stack([draw[variable] for draw in draws]) for variable in draws[0]}


class SharedLatent:
    """All samples begin where sample 0 begins: no resampling."""

    def draw(self, space: Space, seed: int, name: str, num_samples: int) -> Variables:
        """Where the samples of the reference called `name` begin: [K, ...] each, K times the same."""
        drawn = space.initial(stream(seed, name, 0, "latent"))
        return {variable: value.expand(num_samples, *value.shape) for variable, value in drawn.items()}
