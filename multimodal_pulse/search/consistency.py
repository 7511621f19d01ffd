"""Consistency: after the search, samples can be changed so that A(sample) equals the reference."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.degradation import Degradation
from multimodal_pulse.references.held import NOTHING, Held, NothingHeld


class NoConsistency:
    """Leaves the samples as the search found them, clamped to [0, 1], but for what is held."""

    def __call__(
        self,
        samples: Tensor,
        lr: Tensor,
        degradation: Degradation,
        noise_std: float = 0.0,
        held: Held | NothingHeld = NOTHING,
    ) -> Tensor:
        """Clamps the samples, [K, 3, R, R], to [0, 1]."""
        return held.blended(samples).clamp(0, 1)


class ExactConsistency:
    """Replaces each sample by the nearest picture in [0, 1] whose degradation is the reference.

    One closed-form projection x + A+ (lr - A x) is exact but leaves [0, 1], and clipping undoes part of it; so both
    alternate. The nearest feasible picture has the form clip(sample + A+ c) for some LR correction c (the optimality
    condition of the projection onto {A x = lr} and [0, 1] together). Adding A+ (lr - A clip(x)) to the unclipped x is
    gradient ascent on its dual with the ideal step, and is sped up by Nesterov's momentum with the restart of
    O'Donoghue and Candes (2015, "Adaptive restart for accelerated gradient schemes"). The first round is the closed
    form followed by one clip.

    The only remaining error is the rounding of the saved file: about 66 dB of LR-PSNR at factor 2, 78 dB at factor 8.
    Where A is ill-conditioned, its pseudo-inverse leaves out the smallest singular values, and what they would have to
    fit, mostly the rounding of the reference, is left. Some references have no original in [0, 1], for example a
    full-contrast checkerboard, which no bicubic downsampling gives. These are approached for `rounds` rounds, and
    `lr_psnr_bound` says how near any picture can come.

    A reference that is known to carry noise is not projected onto: `NoisyConsistency` takes the place of this.

    Args:
        rounds: the maximum number of projections of a sample; each sample stops as soon as its LR mean squared error
            is below 1e-10 (100 dB).
    Raises:
        UserError: `rounds` is less than 1.
    """

    TOLERANCE = 1e-10

    def __init__(self, rounds: int = 100) -> None:
        self.rounds = _at_least_one(rounds)

    @torch.no_grad()
    def __call__(
        self,
        samples: Tensor,
        lr: Tensor,
        degradation: Degradation,
        noise_std: float = 0.0,
        held: Held | NothingHeld = NOTHING,
    ) -> Tensor:
        """Maps samples [K, 3, R, R] and lr [3, h, w] in [0, 1] to [K, 3, R, R] in [0, 1], not rounded to 8 bits.

        No sample depends on the others. `noise_std` is the standard deviation of the reference's noise. Of what is
        `held` nothing changes: each pixel is corrected by its share, and the correction looked for is still the same c.
        """
        if noise_std:
            return NoisyConsistency(noise_std, rounds=self.rounds)(samples, lr, degradation, held=held)

        def residual(x: Tensor) -> Tensor:
            return lr - degradation(x.clamp(0, 1))

        def step(left: Tensor) -> Tensor:
            return held.share(degradation.pseudo_inverse(left))

        return _ascended(held.blended(samples), residual, step, self.rounds).clamp(0, 1)


class NoisyConsistency:
    """Brings each sample as near to a reference with noise as the noise allows, and no nearer.

    The reference is y = A x + n, with Gaussian noise of standard deviation s. A sample x is replaced by the picture in
    [0, 1] of the highest posterior density when the sample itself is only known up to an error of standard deviation p
    in each pixel: the minimum of |x' - x|^2 / p^2 + |y - A x'|^2 / s^2. Without bounds it is Tikhonov's closed form
    x + A^T (A A^T + s^2 / p^2 I)^-1 (y - A x). It is the exact projection for s -> 0, and for s -> infinity the sample.

    With the bounds it has the form clip(x + A^T c), and c is found by the same accelerated dual ascent as in
    `ExactConsistency`: that of the system [A, s / p] without bounds on the noise.

    Args:
        noise_std: s, the standard deviation of the noise of the reference, in units of the [0, 1] range; that of a
            reference whose noise is known is used instead.
        prior_std: p, how far a pixel of a sample may be wrong before its correction, in the same units.
        rounds: the maximum number of corrections of a sample.
    Raises:
        UserError: a standard deviation is not positive, or `rounds` is less than 1.
    """

    def __init__(self, noise_std: float, prior_std: float = 0.2, rounds: int = 100) -> None:
        if not 0 < noise_std < math.inf:
            raise UserError(
                f"consistency.noise_std={noise_std} must be positive; for a reference without noise choose"
                " consistency=exact."
            )
        if not 0 < prior_std < math.inf:
            raise UserError(f"consistency.prior_std={prior_std} must be positive.")
        self.noise_std, self.prior_std, self.rounds = noise_std, prior_std, _at_least_one(rounds)

    @torch.no_grad()
    def __call__(
        self,
        samples: Tensor,
        lr: Tensor,
        degradation: Degradation,
        noise_std: float = 0.0,
        held: Held | NothingHeld = NOTHING,
    ) -> Tensor:
        """Maps samples [K, 3, R, R] and lr [3, h, w] in [0, 1] to [K, 3, R, R] in [0, 1], not rounded to 8 bits.

        No sample depends on the others. `noise_std` is the standard deviation of the reference's noise; 0: not known.
        Of what is `held` nothing changes.
        """
        ridge, begun = ((noise_std or self.noise_std) / self.prior_std) ** 2, held.blended(samples)

        def corrected(c: Tensor) -> Tensor:
            return (begun + held.share(degradation.transpose(c))).clamp(0, 1)

        def residual(c: Tensor) -> Tensor:
            return lr - degradation(corrected(c)) - ridge * c

        nothing = torch.zeros_like(lr, dtype=samples.dtype).expand(len(samples), *lr.shape)
        return corrected(_ascended(nothing, residual, lambda r: degradation.solve(r, ridge), self.rounds))


def _ascended(
    start: Tensor, residual: Callable[[Tensor], Tensor], inverse: Callable[[Tensor], Tensor], rounds: int
) -> Tensor:
    """Adds `inverse(residual(x))` to x, with Nesterov's momentum, until the residual of each sample is negligible.

    Args:
        start: x at the beginning, [K, ...] with four axes.
        residual: what x leaves, [K, c, h, w].
        inverse: the step that would leave nothing, were there no bounds.
        rounds: the maximum number of steps.
    """
    current, previous = start, start
    momentum = start.new_ones(start.shape[0], 1, 1, 1)
    for _ in range(rounds):
        error = residual(current).square().mean(dim=(1, 2, 3), keepdim=True)
        unfinished = error > ExactConsistency.TOLERANCE
        if not unfinished.any():
            break
        next_momentum = (1 + (1 + 4 * momentum.square()).sqrt()) / 2
        ahead = current + (momentum - 1) / next_momentum * (current - previous)
        step = inverse(residual(ahead))
        proposal = ahead + step
        # Moving against the latest step means that the momentum has overshot: restart it.
        overshot = (step * (proposal - current)).sum(dim=(1, 2, 3), keepdim=True) < 0
        momentum = torch.where(overshot, torch.ones_like(momentum), next_momentum)
        current, previous = torch.where(unfinished, proposal, current), current
    return current


def _at_least_one(rounds: int) -> int:
    if rounds < 1:
        raise UserError(f"consistency.rounds={rounds} must be at least 1; consistency=none switches it off.")
    return rounds


Consistency = NoConsistency | ExactConsistency | NoisyConsistency


@torch.no_grad()
def lr_psnr_bound(lr: Tensor, degradation: Degradation) -> float:
    """Returns an LR-PSNR in dB that no picture in [0, 1] exceeds for this reference; infinity if none was found.

    A finite value proves that A x = lr has no solution in [0, 1]. For any r, the pictures satisfy <r, A x> <= s, where
    s is the sum of the positive values of A^T r, so that lr lies at least (<r, lr> - s) / |r| away from all A x. The
    residual r that exact consistency cannot remove separates the two best.

    Args:
        lr: [3, h, w] in [0, 1].
        degradation: A.
    """
    nearest = ExactConsistency()(degradation.pseudo_inverse(lr)[None], lr, degradation)[0]
    residual = (lr - degradation(nearest)).double()
    separation = (residual * lr).sum() - degradation.transpose(residual).clamp(min=0).sum()
    # Rounding errors of float32 pictures alone separate by less than this, which is 100 dB.
    if separation <= residual.norm() * (ExactConsistency.TOLERANCE * lr.numel()) ** 0.5:
        return math.inf
    return float(10 * (lr.numel() * (residual.norm() / separation).square()).log10())
