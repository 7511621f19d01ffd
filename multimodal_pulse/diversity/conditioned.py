"""Starts that are already posterior samples: draws of the prior, moved to what the reference shows.

A stored draw x_j of the generator has the LR picture y_j. With E the ridge regression of latents on LR pictures,
x_j + E(y) - E(y_j) is a sample of the Gaussian posterior given y: Matheron's rule (Wilson et al. 2021, "Pathwise
conditioning of Gaussian processes"), the update of the ensemble Kalman filter. It costs no pass through the generator.
"""

import math

import torch
from torch import Tensor

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.base.randomness import stream
from multimodal_pulse.degradation import Degradation
from multimodal_pulse.diversity.bank import Bank, bank, stored
from multimodal_pulse.generator.frozen import Generator
from multimodal_pulse.generator.spaces.space import Space, Variables


class ConditionedLatents:
    """Starts each sample at a conditioned draw of its own, chosen at random among the nearest of a bank.

    Args:
        draws: the number of pictures in the bank.
        nearest: the number of draws, those whose LR pictures are nearest to the reference, that are chosen from.
        temperature: how far a start lies from E(y), as a multiple of the posterior's own spread; 0 starts all at E(y).
    Raises:
        UserError: a number is out of range.
    """

    def __init__(self, draws: int, nearest: int, temperature: float):
        if not 1 <= nearest <= draws:
            raise UserError(f"latent_resampling.nearest={nearest} must be from 1 to latent_resampling.draws={draws}.")
        if not temperature >= 0:
            raise UserError(f"latent_resampling.temperature={temperature} must not be negative.")
        self.draws, self.nearest, self.temperature = draws, nearest, temperature
        self._kept: tuple[tuple[str, str], Bank] | None = None

    def draw(
        self, space: Space, degradation: Degradation, lr: Tensor, seed: int, name: str, num_samples: int
    ) -> Variables:
        """Conditions draws of the bank on the reference; see `InitialLatents`."""
        drawn, seen = self._bank(space.generator, degradation), stored(lr)
        candidates = drawn.nearest(seen, self.nearest)
        spread = self._chosen(drawn.residuals(candidates), seed, name, num_samples)
        latents = drawn.estimate(seen) + self.temperature * spread
        w_plus = drawn.to_w_plus(latents, space.generator.num_ws)
        return space.begin_from({}, w_plus.to(next(space.generator.parameters())))

    def _bank(self, generator: Generator, degradation: Degradation) -> Bank:
        """The bank, read once and kept for the references that follow."""
        of = (generator.sha256, degradation.key)
        if self._kept is None or self._kept[0] != of:
            self._kept = of, bank(generator, degradation, self.draws)
        return self._kept[1]

    def _chosen(self, residuals: Tensor, seed: int, name: str, num_samples: int) -> Tensor:
        """Chooses K of the residuals [n, w_dim]; the choice for sample k depends on k alone."""
        streams = [stream(seed, name, sample, "latent") for sample in range(num_samples)]
        return residuals[[int(torch.randint(len(residuals), (), generator=rng)) for rng in streams]]


class SpreadConditionedLatents(ConditionedLatents):
    """Starts the samples at conditioned draws that are far apart, around their common mean E(y).

    Each next draw is the farthest from those chosen before it, in what LR pictures do not tell. The draws are then
    centred, so that the mean of the starts is E(y), and scaled by sqrt(K / (K - 1)), so that each keeps its spread. The
    start of sample k therefore depends on K.
    """

    def _chosen(self, residuals: Tensor, seed: int, name: str, num_samples: int) -> Tensor:
        first = int(torch.randint(len(residuals), (), generator=stream(seed, name, 0, "latent")))
        chosen = [first]
        distance = (residuals - residuals[first]).norm(dim=1)
        for _ in range(num_samples - 1):
            chosen.append(int(distance.argmax()))
            distance = torch.minimum(distance, (residuals - residuals[chosen[-1]]).norm(dim=1))
        spread = residuals[chosen]
        if num_samples == 1:
            return spread
        return math.sqrt(num_samples / (num_samples - 1)) * (spread - spread.mean(dim=0))


class AroundParent(SpreadConditionedLatents):
    """Starts the samples around a parent: at its latent, moved by what LR pictures do not tell.

    The moves are the residuals of draws of the bank, chosen and centred as in `SpreadConditionedLatents`; each is the
    same in all layers, so that a start is about as much of a picture as the parent.

    Args:
        parent: the w_plus of the parent, [num_ws, w_dim].
        draws, nearest: as for `ConditionedLatents`.
        temperature: the length of a move, as a multiple of the residual; 0 starts all at the parent.
    Raises:
        UserError: a number is out of range.
    """

    def __init__(self, parent: Tensor, draws: int, nearest: int, temperature: float):
        super().__init__(draws, nearest, temperature)
        self.parent = parent

    def draw(
        self, space: Space, degradation: Degradation, lr: Tensor, seed: int, name: str, num_samples: int
    ) -> Variables:
        """Moves the parent's latent by residuals of the bank; see `InitialLatents`."""
        drawn = self._bank(space.generator, degradation)
        spread = self._chosen(drawn.residuals(drawn.nearest(stored(lr), self.nearest)), seed, name, num_samples)
        latents = drawn.statistics.gaussianise(self.parent) + self.temperature * spread[:, None]
        return space.begin_from({}, drawn.statistics.to_w(latents).to(next(space.generator.parameters())))
