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
        self._film_steps: list[int] = spread.round().int().tolist()
        self.variables: dict[str, Tensor] = {}
        """The kept values of all variables of the search, [B, ...] each."""
        self._begins = True
        self._trace: list[Tensor] = []
        self._film: list[Tensor] = []
        self._lowest: Tensor
        self._fidelity: Tensor
        self._step: Tensor
        self._shown: Tensor

    def begin_stage(self, initial: Mapping[str, Tensor]) -> None:
        """Forgets the kept iterates, since the stage may have other variables; not called before a restart.

        Args:
            initial: the initial variables of the stage, [B, ...] each: what is kept of samples that are not observed.
        """
        self.variables = {name: value.detach() for name, value in initial.items()}
        self._begins = True

    @torch.no_grad()
    def observe(
        self,
        step: int,
        terms: Mapping[str, Tensor],
        variables: Mapping[str, Tensor],
        images: Tensor,
        rows: slice | Tensor = slice(None),
    ) -> None:
        """Records the iterate before the optimiser's step number `step` (from 0).

        Args:
            step: the number of the step.
            terms: the unweighted terms of the objective for each of n samples by name, [n] each; `fidelity` is among
                them.
            variables: the variables of the search, [n, ...] each.
            images: the generated images, [n, 3, R, R].
            rows: an index of these samples among all B; the first time all must be there.
        """
        fidelity = terms["fidelity"].detach()
        score = self._score(terms).detach()
        if not self._trace:
            self._lowest, self._fidelity = torch.empty_like(score), torch.empty_like(fidelity)
            self._step = torch.empty_like(fidelity, dtype=torch.long)
        if self._begins:
            # Infinity, not the first score: a NaN there would never be replaced.
            self._lowest[rows] = self._fidelity[rows] = torch.inf
            self._step[rows] = step
            self._begins = False
        wanted = self._wanted(score, self._lowest[rows])
        self._lowest = _replaced(self._lowest, rows, wanted, score)
        self._fidelity = _replaced(self._fidelity, rows, wanted, fidelity)
        self._step = _replaced(self._step, rows, wanted, torch.full_like(self._step[rows], step))
        for name, value in variables.items():
            self.variables[name] = _replaced(self.variables[name], rows, wanted, value)
        everywhere = torch.ones_like(wanted)
        self._trace.append(_replaced(self._trace[-1], rows, everywhere, fidelity) if self._trace else fidelity)
        if self._film_steps:  # else no picture stays in memory
            shown = images.detach()
            self._shown = _replaced(self._shown, rows, everywhere, shown) if len(self._trace) > 1 else shown
        if step in self._film_steps:
            self._film.append(self._shown.clamp(0, 1).cpu())

    def _score(self, terms: Mapping[str, Tensor]) -> Tensor:
        """Returns what the kept iterate of each sample has the lowest value of, [B]."""
        return terms["fidelity"]

    def _wanted(self, score: Tensor, kept: Tensor) -> Tensor:
        """Returns for which samples this iterate replaces the kept one, from both scores, [n] each: bool [n]."""
        return score < kept

    @property
    def fidelity_trace(self) -> Tensor:
        """The fidelity of every sample before each step, [steps, B]; the last one of a sample no longer observed."""
        return torch.stack(self._trace)

    @property
    def fidelity(self) -> Tensor:
        """The fidelity of each sample's kept iterate, [B]; infinite while there is none but NaN."""
        return self._fidelity

    @property
    def step(self) -> Tensor:
        """The step of each sample's kept iterate, int64 [B]."""
        return self._step

    @property
    def film_steps(self) -> list[int]:
        """The steps of the film frames, F numbers; a search that ends early does not reach all of them."""
        return self._film_steps[: len(self._film)]

    @property
    def film(self) -> Tensor | None:
        """The film frames, [F, B, 3, R, R] in [0, 1] on the CPU; None without a film."""
        return torch.stack(self._film) if self._film else None


class LastIterate(BestIterate):
    """Keeps each sample's last iterate, whatever its fidelity: the draw of a sampler is the end of its chain."""

    def _wanted(self, score: Tensor, kept: Tensor) -> Tensor:
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


def _replaced(whole: Tensor, rows: slice | Tensor, wanted: Tensor, new: Tensor) -> Tensor:
    """Returns [B, ...] with those of `rows` that are wanted, bool [n], taken from `new`, [n, ...]."""
    replaced = whole.clone()
    replaced[rows] = torch.where(wanted.view(-1, *[1] * (new.ndim - 1)), new, whole[rows])
    return replaced
