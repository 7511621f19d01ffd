"""The initial latents of the K samples of a reference: one for each sample, or one for all."""

import torch

from multimodal_pulse.base.randomness import stream
from multimodal_pulse.generator.spaces.space import Space, Variables


class IndependentLatents:
    """Gives each sample its own initial latent (Unalan & Alkilani, latent resampling)."""

    def draw(self, space: Space, seed: int, name: str, num_samples: int) -> Variables:
        """Draws the initial variables of the reference called `name`: [K, ...] each, float32 on the CPU."""
        draws = [space.initial(stream(seed, name, sample, "latent")) for sample in range(num_samples)]
        return {variable: torch.stack([draw[variable] for draw in draws]) for variable in draws[0]}


class SharedLatent:
    """Gives all samples the initial latent of sample 0: no resampling."""

    def draw(self, space: Space, seed: int, name: str, num_samples: int) -> Variables:
        """Draws the initial variables of the reference called `name`: [K, ...] each, with K equal rows."""
        drawn = space.initial(stream(seed, name, 0, "latent"))
        return {variable: value.expand(num_samples, *value.shape) for variable, value in drawn.items()}
