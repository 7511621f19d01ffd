"""A normal distribution over W+ as what moves: each pass sees a new draw of it."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.generator.frozen import Generator
from multimodal_pulse.generator.spaces.space import Variables
from multimodal_pulse.generator.spaces.w import WPlus

EPS = "eps"
"""The variable that holds the standard normal numbers of the present draw; nothing is differentiated by it."""


class Variational(WPlus):
    """The normal distributions with independent components over W+: BRGM's approximate posterior q(w).

    BRGM (Marinescu et al. 2021, arXiv 2012.04567, its extension by variational inference) fits one by the
    reparameterisation trick, w = mean + std * eps with eps ~ N(0, 1) (Kingma & Welling 2014, section 2.4). The
    variables are `latent`, the mean, and `log_std`, [num_ws, w_dim] each, both in the units of `WPlus`, and `eps`,
    which `multimodal_pulse.search.NewDraw` draws anew after each step.

    Every sample fits a distribution of its own and is a draw of it, so that no sample depends on their number. The
    authors (`vi_recon.py` of razvanmarinescu/brgm-pytorch) fit one from 6 draws a step and take all samples from it.

    Args:
        generator: the frozen generator.
        std: the standard deviation at the start, in that of W; the authors begin at 1.
    Raises:
        UserError: `std` is not positive.
    """

    def __init__(self, generator: Generator, std: float):
        if not std > 0:
            raise UserError(f"latent_space.std={std} must be positive.")
        super().__init__(generator)
        self.initial_std = std

    def initial(self, rng: torch.Generator) -> Variables:
        """Draws a mean as `WPlus` does."""
        return {name: value[0] for name, value in self._around(super().initial(rng)["latent"][None]).items()}

    def begin_from(self, variables: Variables, w_plus: Tensor) -> Variables:
        """Returns the distribution around a given w_plus, such as the maximum a posteriori of a stage before."""
        return self._around(self.from_w_plus(w_plus))

    def _around(self, mean: Tensor) -> Variables:
        """Returns the start [B, ...] around a mean [B, ...]; the first pass sees the mean itself."""
        log_std = torch.full_like(mean, math.log(self.initial_std))
        return {"latent": mean, "log_std": log_std, EPS: torch.zeros_like(mean)}

    def synthesise(self, variables: Mapping[str, Tensor], noise_maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Maps the present draw to w_plus and images; see `Space`."""
        drawn = variables["latent"] + variables["log_std"].exp() * variables[EPS].detach()
        return super().synthesise({"latent": drawn}, noise_maps)

    @staticmethod
    def draw(
        generator: Generator, latents: Mapping[str, Tensor], number: int, rng: torch.Generator
    ) -> dict[str, Tensor]:
        """Draws from the K fitted distributions in turn, each with the noise maps with which it was fitted."""
        of_turn = number % len(latents["latent"])
        one = {name: value[[of_turn]] if len(value) > 1 else value for name, value in latents.items()}
        one[EPS] = torch.randn(one["latent"].shape, generator=rng)
        return one | {"w_plus": WPlus(generator).to_w_plus(one["latent"] + one["log_std"].exp() * one[EPS])}
