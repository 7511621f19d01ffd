"""What is kept of a search while it runs: an iterate of each sample, the fidelity trace, and the film."""

from collections.abc import Mapping

import torch
from torch import Tensor


class BestIterate:
    """Keeps each sample's iterate of the lowest unclamped fidelity to its own target.

    Nothing here waits for the device, but for the film.

    Args:
        steps: of the search.
        film_frames: how many iterates to keep as pictures, evenly spaced from the first step to the last; 0: none.
    """

    def __init__(self, steps: int, film_frames: int = 0):
        spread = torch.linspace(0, steps - 1, min(film_frames, steps))
        self.film_steps: list[int] = spread.round().int().tolist()
        self.variables: dict[str, Tensor] = {}
        """What is kept of everything the search moves, [B, ...] each."""
        self._trace: list[Tensor] = []
        self._film: list[Tensor] = []
        self._lowest: Tensor
        self._step: Tensor

    def begin_stage(self) -> None:
        """Forgets the iterate that is kept: what a stage moves cannot be mixed with what the next one moves."""
        self.variables = {}

    @torch.no_grad()
    def observe(self, step: int, fidelity: Tensor, variables: Mapping[str, Tensor], images: Tensor) -> None:
        """Takes note of the iterate before the optimiser's step number `step` (from 0).

        Args:
            fidelity: [B], of this iterate.
            variables: what the search moves, [B, ...] each.
            images: [B, 3, R, R] of this iterate.
        """
        fidelity = fidelity.detach()
        if not self.variables:
            self.variables = {name: value.detach() for name, value in variables.items()}
            # Infinity, not the first fidelity: a NaN there would never be replaced.
            self._lowest = torch.full_like(fidelity, torch.inf)
            self._step = torch.full_like(fidelity, step, dtype=torch.long)
        wanted = self._wanted(fidelity)
        self._lowest = torch.where(wanted, fidelity, self._lowest)
        self._step = torch.where(wanted, step, self._step)
        for name, value in variables.items():
            at_sample = wanted.view(-1, *[1] * (value.ndim - 1))
            self.variables[name] = torch.where(at_sample, value, self.variables[name])
        self._trace.append(fidelity)
        if step in self.film_steps:
            self._film.append(images.detach().clamp(0, 1).cpu())

    def _wanted(self, fidelity: Tensor) -> Tensor:
        """For which samples this iterate takes the place of the one that is kept, bool [B]."""
        return fidelity < self._lowest

    @property
    def fidelity_trace(self) -> Tensor:
        """[steps, B]."""
        return torch.stack(self._trace)

    @property
    def step(self) -> Tensor:
        """For each sample the step of the iterate that is kept, int64 [B]."""
        return self._step

    @property
    def film(self) -> Tensor | None:
        """[F, B, 3, R, R] in [0, 1] on the CPU, or None where no film was asked for."""
        return torch.stack(self._film) if self._film else None


class LastIterate(BestIterate):
    """Keeps each sample's last iterate, whatever its fidelity: a sampler's draw is where its chain ends."""

    def _wanted(self, fidelity: Tensor) -> Tensor:
        return torch.ones_like(fidelity, dtype=torch.bool)
