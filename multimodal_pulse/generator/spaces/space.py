"""The interface of a latent space, which maps the variables of a search to pictures."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.generator.frozen import Generator

Variables = dict[str, Tensor]
"""The variables of a search by name, one row per sample. Every space has the variable `latent`."""


class Space(nn.Module):
    """A latent space of one generator. A space of your own must define `initial` and `to_w_plus`.

    Args:
        generator: the frozen generator.
    """

    def __init__(self, generator: Generator):
        super().__init__()
        self.generator = generator

    def initial(self, rng: torch.Generator) -> Variables:
        """Draws the initial variables of one sample: float32 on the CPU, without a batch axis.

        Args:
            rng: the sample's own random stream; all random numbers must come from it.
        """
        raise NotImplementedError

    def to_w_plus(self, latent: Tensor) -> Tensor:
        """Maps latent [B, ...] to w_plus [B, num_ws, w_dim]."""
        raise NotImplementedError

    def from_w_plus(self, w_plus: Tensor) -> Tensor:
        """Returns the latent of a given w_plus [B, num_ws, w_dim], for a stage that starts where another has ended.

        Raises:
            UserError: this space does not contain every w_plus.
        """
        raise UserError(
            f"The latent space {type(self).__name__} cannot begin at a given w_plus: make it the first stage and"
            " let it draw its own starts (latent_resampling=independent or none)."
        )

    def begin_from(self, variables: Variables, w_plus: Tensor) -> Variables:
        """Returns the initial variables of a stage in this space, from the variables and w_plus of the stage before."""
        return {"latent": self.from_w_plus(w_plus)}

    def synthesise(self, variables: Mapping[str, Tensor], noise_maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Maps the variables to w_plus [B, num_ws, w_dim] and images [B, 3, R, R] in its dtype, not clamped.

        Args:
            variables: the variables of the search.
            noise_maps: one map per synthesis layer, [B or 1, 1, r, r].
        """
        w_plus = self.to_w_plus(variables["latent"])
        return w_plus, self.generator.synthesis(w_plus, noise_maps).to(w_plus.dtype)

    def retract(self, name: str, moved: Tensor, initial: Tensor) -> Tensor:
        """Returns the variable `name`, [B, ...], to the space after a step; by default it is unchanged.

        Args:
            name: of the variable.
            moved: its value after the step.
            initial: its value at the start of the stage.
        """
        return moved

    @staticmethod
    def draw(
        generator: Generator, latents: Mapping[str, Tensor], number: int, rng: torch.Generator
    ) -> dict[str, Tensor]:
        """Returns the latents of one further sample, from those of a finished search.

        Args:
            generator: the frozen generator.
            latents: the tensors of `latents.safetensors`.
            number: the number of the sample, from 0.
            rng: its random stream.

        Raises:
            UserError: a search in this space fits no distribution.
        """
        raise UserError("it has no distribution to draw from: method=brgm_variational fits one.")

    @staticmethod
    def redraw(generator: Generator, latents: Mapping[str, Tensor], noise_maps: Sequence[Tensor] | None) -> Tensor:
        """Draws the images [K, 3, R, R] of a finished search again, from the tensors in its `latents.safetensors`."""
        return generator.synthesis(latents["w_plus"], noise_maps)
