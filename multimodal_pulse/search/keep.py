"""What a running search keeps: one iterate of each sample, the fidelity trace, and the frames of the film."""

from collections.abc import Mapping

import torch
from torch import Tensor


class BestIterate:
    """Keeps, for each sample, the iterate with the lowest unclamped fidelity against its own target.

    Only the film waits for the device.

    Args:
        steps: the number of steps of the search.
        film_frames: the number of iterates kept as pictures, evenly spaced from the first step to the last; 0: none.
    """

    def __init__(self, steps: int, film_frames: int = 0):
        spread = torch.linspace(0, steps - 1, min(film_frames, steps))
        self.film_steps: list[int] = spread.round().int().tolist()
        self.variables: dict[str, Tensor] = {}
        """The kept values of all variables of the search, [B, ...] each."""
        self._trace: list[Tensor] = []
        self._film: list[Tensor] = []
        self._lowest: Tensor
        self._step: Tensor

    def begin_stage(self) -> None:
        """Forgets the kept iterate, since the next stage may have other variables; not called before a restart."""
        self.variables = {}

    @torch.no_grad()
    def observe(self, step: int, terms: Mapping[str, Tensor], variables: Mapping[str, Tensor], images: Tensor) -> None:
        """Records the iterate before the optimiser's step number `step` (from 0).

        Args:
            terms: the unweighted terms of the objective for each sample by name, [B] each; `fidelity` is among them.
            variables: the variables of the search, [B, ...] each.
            images: the generated images, [B, 3, R, R].
        """
        fidelity = terms["fidelity"].detach()
        score = self._score(terms).detach()
        if not self.variables:
            self.variables = {name: value.detach() for name, value in variables.items()}
            # Infinity, not the first score: a NaN there would never be replaced.
            self._lowest = torch.full_like(score, torch.inf)
            self._step = torch.full_like(fidelity, step, dtype=torch.long)
        wanted = self._wanted(score)
        self._lowest = torch.where(wanted, score, self._lowest)
        self._step = torch.where(wanted, step, self._step)
        for name, value in variables.items():
            at_sample = wanted.view(-1, *[1] * (value.ndim - 1))
            self.variables[name] = torch.where(at_sample, value, self.variables[name])
        self._trace.append(fidelity)
        if step in self.film_steps:
            self._film.append(images.detach().clamp(0, 1).cpu())

    def _score(self, terms: Mapping[str, Tensor]) -> Tensor:
        """Returns what the kept iterate of each sample has the lowest value of, [B]."""
        return terms["fidelity"]

    def _wanted(self, score: Tensor) -> Tensor:
        """Returns for which samples this iterate replaces the kept one, bool [B]."""
        return score < self._lowest

    @property
    def fidelity_trace(self) -> Tensor:
        """The fidelity of every sample before each step, [steps, B]."""
        return torch.stack(self._trace)

    @property
    def step(self) -> Tensor:
        """The step of each sample's kept iterate, int64 [B]."""
        return self._step

    @property
    def film(self) -> Tensor | None:
        """The film frames, [F, B, 3, R, R] in [0, 1] on the CPU; None without a film."""
        return torch.stack(self._film) if self._film else None


class LastIterate(BestIterate):
    """Keeps each sample's last iterate, whatever its fidelity: the draw of a sampler is the end of its chain."""

    def _wanted(self, score: Tensor) -> Tensor:
        return torch.ones_like(score, dtype=torch.bool)


class LowestSum(BestIterate):
    """Keeps each sample's iterate with the lowest weighted sum of fidelity and geodesic term.

    The report's own program does so, and takes the fidelity as its objective does: no lower than `eps`.

    Args:
        steps, film_frames: as for `BestIterate`.
        l2_weight, geodesic_weight, eps: those of `multimodal_pulse.search.Objective`.
    """

    def __init__(self, steps: int, film_frames: int, *, l2_weight: float, geodesic_weight: float, eps: float):
        super().__init__(steps, film_frames)
        self.l2_weight, self.geodesic_weight, self.eps = l2_weight, geodesic_weight, eps

    def _score(self, terms: Mapping[str, Tensor]) -> Tensor:
        fidelity = self.l2_weight * terms["fidelity"].clamp(min=self.eps)
        return fidelity + self.geodesic_weight * terms["geodesic_spread"]
