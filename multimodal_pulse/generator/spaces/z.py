"""The random input z of the mapping network as latent space, for the whole picture (Z) or for each style input (Z+)."""

import torch
from torch import Tensor

from multimodal_pulse.generator.spaces.space import Space, Variables


class Z(Space):
    """The space of CSGM (Bora et al. 2017, section 2): the generator's own random input z, unit normal.

    StyleGAN2's mapping network normalises z, so that its length changes no picture.
    """

    def initial(self, rng: torch.Generator) -> Variables:
        """Draws a random latent, [z_dim], unit normal."""
        return {"latent": torch.randn(self.generator.z_dim, generator=rng)}

    def to_w_plus(self, latent: Tensor) -> Tensor:
        """Maps latent [B, z_dim] to w_plus [B, num_ws, w_dim], the same vector for each style input."""
        return self.generator.mapping(latent)


class ZPlus(Space):
    """One z for each style input. A stage in this space may follow one in Z."""

    def initial(self, rng: torch.Generator) -> Variables:
        """Draws one z for all style inputs, so that a search begins at a picture of the generator: [num_ws, z_dim]."""
        z = torch.randn(self.generator.z_dim, generator=rng)
        return {"latent": z.expand(self.generator.num_ws, -1)}

    def to_w_plus(self, latent: Tensor) -> Tensor:
        """Maps latent [B, num_ws, z_dim] to w_plus [B, num_ws, w_dim]."""
        return self.generator.mapping(latent.flatten(0, 1))[:, 0].unflatten(0, latent.shape[:2])

    def begin_from(self, variables: Variables, w_plus: Tensor) -> Variables:
        """Gives every style input the z that a stage in Z has found; a stage in Z+ goes on where it ended.

        Raises:
            UserError: the variables are of another space.
        """
        latent = variables.get("latent", w_plus.new_empty(0))
        if latent.shape[-1] == self.generator.z_dim and latent.ndim in (2, 3):
            each = latent if latent.ndim == 3 else latent[:, None].expand(-1, self.generator.num_ws, -1)
            if torch.allclose(self.to_w_plus(each), w_plus, atol=1e-4):
                return {"latent": each}
        return super().begin_from(variables, w_plus)
