"""Where the K samples of a reference begin: each at its own latent, or all at the same."""

from typing import Protocol

import torch
from torch import Tensor

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.base.randomness import stream
from multimodal_pulse.degradation import Degradation
from multimodal_pulse.generator.spaces.space import Space, Variables


class InitialLatents(Protocol):
    """Chooses where the samples of a reference begin."""

    def draw(
        self, space: Space, degradation: Degradation, lr: Tensor, seed: int, name: str, num_samples: int
    ) -> Variables:
        """Returns the initial variables of the samples, float32 on the CPU, [K, ...] each.

        Args:
            space: the latent space of the first stage.
            degradation: A.
            lr: the reference, [3, h, w] in [0, 1].
            seed: of the run.
            name: of the reference; with the seed it fixes the draws.
            num_samples: K.
        """
        ...


class IndependentLatents:
    """Gives each sample its own initial latent (Unalan & Alkilani, latent resampling)."""

    def draw(
        self, space: Space, degradation: Degradation, lr: Tensor, seed: int, name: str, num_samples: int
    ) -> Variables:
        """Draws from the prior of the space, whatever the reference shows."""
        draws = [space.initial(stream(seed, name, sample, "latent")) for sample in range(num_samples)]
        return {variable: torch.stack([draw[variable] for draw in draws]) for variable in draws[0]}


class NearMeanLatents:
    """Starts each sample near the mean of W, a small step towards a draw of its own: BRGM's start.

    BRGM (Marinescu et al. 2021, `start` of its `projector.py`) adds one normal number of standard deviation 0.01 sigma
    to all components of the mean; here it is the deviation of a draw of W, shortened (StyleGAN's truncation).

    Args:
        truncation: the length of the step, as a share of the draw's distance from the mean; 0 starts all samples there.
    Raises:
        UserError: `truncation` is negative.
    """

    def __init__(self, truncation: float):
        if not truncation >= 0:
            raise UserError(f"latent_resampling.truncation={truncation} must not be negative.")
        self.truncation = truncation

    @torch.no_grad()
    def draw(
        self, space: Space, degradation: Degradation, lr: Tensor, seed: int, name: str, num_samples: int
    ) -> Variables:
        """Draws from the prior of the generator, whatever the space."""
        streams = [stream(seed, name, sample, "latent") for sample in range(num_samples)]
        z = torch.stack([torch.randn(space.generator.z_dim, generator=rng) for rng in streams])
        w_plus = space.generator.mapping(z.to(next(space.generator.parameters())), self.truncation)
        return space.begin_from({}, w_plus)


class SharedLatent:
    """Starts all samples where sample 0 starts: no resampling."""

    def draw(
        self, space: Space, degradation: Degradation, lr: Tensor, seed: int, name: str, num_samples: int
    ) -> Variables:
        """Draws once from the prior of the space."""
        drawn = space.initial(stream(seed, name, 0, "latent"))
        return {variable: value.expand(num_samples, *value.shape) for variable, value in drawn.items()}
