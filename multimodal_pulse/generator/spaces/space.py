"""What a latent space is: what the optimiser moves, and its way to a picture."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.generator.frozen import Generator

Variables = dict[str, Tensor]
"""What the search moves, by name, one row per sample. Every space so far has a single one, `latent`."""


class Space(nn.Module):
    """A latent space of one generator. A space of your own needs `initial` and `to_w_plus`.

    Args:
        generator: whose inputs it makes; frozen.
    """

    def __init__(self, generator: Generator):
        super().__init__()
        self.generator = generator

    def initial(self, rng: torch.Generator) -> Variables:
        """Where the search for one sample begins: float32 on the CPU, without a batch axis.

        Args:
            rng: the sample's own stream; all that is random comes from it.
        """
        raise NotImplementedError

    def to_w_plus(self, latent: Tensor) -> Tensor:
        """latent [B, ...] -> w_plus [B, num_ws, w_dim]."""
        raise NotImplementedError

    def from_w_plus(self, w_plus: Tensor) -> Tensor:
        """The latent of a given w_plus [B, num_ws, w_dim], for a stage that begins where another one has ended.

        Raises:
            UserError: this space does not contain every w_plus.
        """
        raise UserError(f"{type(self).__name__} cannot begin where another space has ended: make it the first stage.")

    def begin_from(self, variables: Variables, w_plus: Tensor) -> Variables:
        """Where a stage in this space begins, from what the stage before it found: its variables and their w_plus."""
        return {"latent": self.from_w_plus(w_plus)}

    def synthesise(self, variables: Mapping[str, Tensor], noise_maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """What moves -> w_plus [B, num_ws, w_dim] and images [B, 3, R, R] in its dtype, not clamped.

        Args:
            noise_maps: one per synthesis layer, [B or 1, 1, r, r].
        """
        w_plus = self.to_w_plus(variables["latent"])
        return w_plus, self.generator.synthesis(w_plus, noise_maps).to(w_plus.dtype)

    def retract(self, moved: Tensor, initial: Tensor) -> Tensor:
        """Where a variable [B, ...] that a step has moved belongs, given where it began: here, where it is."""
        return moved

    @staticmethod
    def redraw(generator: Generator, latents: Mapping[str, Tensor], noise_maps: Sequence[Tensor] | None) -> Tensor:
        """The images [K, 3, R, R] of a finished search again, from the tensors in its `latents.safetensors`."""
        return generator.synthesis(latents["w_plus"], noise_maps)
