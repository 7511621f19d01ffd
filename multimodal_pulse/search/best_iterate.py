"""What is kept of a search while it runs: each sample's best iterate, the fidelity trace, and the film."""

from collections.abc import Mapping

import torch
from torch import Tensor


class BestIterate:
    """Each sample's iterate of the lowest unclamped fidelity to its own target. Nothing here waits for the device,
    but for the film.

    Args:
        steps: of the search.
        film_frames: how many iterates to keep as pictures, evenly spaced from the first step to the last; 0: none.
    """

    def __init__(self, steps: int, film_frames: int = 0):
        spread = torch.linspace(0, steps - 1, min(film_frames, steps))
        self.film_steps: list[int] = spread.round().int().tolist()
        self.variables: dict[str, Tensor] = {}
        """The best values so far of everything the search moves, [B, ...] each."""
        self._trace: list[Tensor] = []
        self._film: list[Tensor] = []
        self._lowest: Tensor
        self._step: Tensor

    @torch.no_grad()
    def observe(self, step: int, fidelity: Tensor, variables: Mapping[str, Tensor], images: Tensor) -> None:
        """Takes note of the iterate before the optimiser's step number `step` (from 0).

        Args:
            fidelity: [B], of this iterate.
            variables: what the search moves, [B, ...] each.
            images: [B, 3, R, R] of this iterate.
        """
        fidelity = fidelity.detach()
        if step == 0:
            self.variables = {name: value.detach() for name, value in variables.items()}
            # Infinity, not the first fidelity: a NaN there would never be replaced.
            self._lowest = torch.full_like(fidelity, torch.inf)
            self._step = torch.zeros_like(fidelity, dtype=torch.long)
        better = fidelity < self._lowest
        self._lowest = torch.where(better, fidelity, self._lowest)
        self._step = torch.where(better, step, self._step)
        for name, value in variables.items():
            at_sample = better.view(-1, *[1] * (value.ndim - 1))
            self.variables[name] = torch.where(at_sample, value, self.variables[name])
        self._trace.append(fidelity)
        if step in self.film_steps:
            self._film.append(images.detach().clamp(0, 1).cpu())

    @property
    def fidelity_trace(self) -> Tensor:
        """[steps, B]."""
        return torch.stack(self._trace)

    @property
    def step(self) -> Tensor:
        """For each sample the step of its best iterate, int64 [B]."""
        return self._step

    @property
    def film(self) -> Tensor | None:
        """[F, B, 3, R, R] in [0, 1] on the CPU, or None where no film was asked for."""
        return torch.stack(self._film) if self._film else None
