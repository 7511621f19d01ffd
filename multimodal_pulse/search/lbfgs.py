"""L-BFGS for many problems at once, of which every pass through the generator serves each.

The limited-memory BFGS method (Nocedal & Wright, "Numerical Optimization", 2nd edition, algorithms 7.4 and 7.5) with a
backtracking line search (section 3.1). Usual implementations run the line search of one problem after the other, and
evaluate the function several times a step. Here a step of the optimiser is one evaluation of one trial point of every
problem: a problem whose trial point is refused shortens its own step, while the others go on along new directions.

A *problem* is a set of Parameters that are minimised together: one sample, or the K samples of a reference where a term
of the objective couples them. Problems know nothing of each other.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

SUFFICIENT_DECREASE = 1e-4
"""c_1 of the Armijo condition, eq. (3.4)."""
SHORTEST, LONGEST = 0.1, 0.5
"""Bounds on the new length of a refused step, as shares of the old one."""
LEAST_CURVATURE = 1e-10
"""A pair with s^T y below this share of y^T y would make the Hessian estimate indefinite, and is not remembered."""


class LBFGS(Optimizer):
    """Minimises P independent problems of n numbers each; one evaluation of all of them is one step.

    `step` takes a closure that returns the P values of the function at the Parameters, whose gradients are already
    there; a problem that was not evaluated has NaN and no gradients. The Parameters then stand at the next trial
    points; `accepted` has the best points so far.

    Args:
        problems: the Parameters of each problem, of the same shapes in every problem.
        lr: length of the first trial along every direction, relative to the quasi-Newton step; 1 is the method's own.
        first_move: Euclidean length of the very first step of a problem, for which no curvature is known.
        history: pairs (s, y) that are remembered.
    """

    def __init__(
        self, problems: Sequence[Sequence[nn.Parameter]], lr: float = 1.0, first_move: float = 1.0, history: int = 12
    ):
        super().__init__([parameter for problem in problems for parameter in problem], {"lr": lr})
        self.shapes = [parameter.shape for parameter in problems[0]]
        self.problems, self.history, self.first_move = len(problems), history, first_move
        at = self._gather(lambda parameter: parameter.detach())
        self.trial, self.accepted = at, at.clone()
        zero = at.new_zeros(self.problems)
        self.value, self.slope, self.length = zero + torch.inf, zero, zero + 1
        self.gradient, self.direction = torch.zeros_like(at), torch.zeros_like(at)
        self.s, self.y = at.new_zeros(history, *at.shape), at.new_zeros(history, *at.shape)
        self.rho = at.new_zeros(history, self.problems)  # 1 / (s^T y); 0: no pair there yet

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor]) -> Tensor:  # type: ignore[override]
        """Judges the trial points and moves the Parameters to the next ones. Returns the values, [P]."""
        values = closure().detach()
        gradient = self._gather(
            lambda parameter: torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        )
        first = torch.isinf(self.value)
        accepted = values <= self.value + SUFFICIENT_DECREASE * self.length * self.slope  # eq. (3.4); false for NaN
        self._remember(accepted & ~first, gradient)
        refused_length = self._shortened(values)

        self.accepted = torch.where(accepted[:, None], self.trial, self.accepted)
        self.gradient = torch.where(accepted[:, None], gradient, self.gradient)
        self.value = torch.where(accepted, values, self.value)

        direction = -self._inverse_hessian_times(self.gradient)
        slope = (direction * self.gradient).sum(dim=1)
        self.direction = torch.where(accepted[:, None], direction, self.direction)
        self.slope = torch.where(accepted, slope, self.slope)
        lr = self.param_groups[0]["lr"]
        unknown = (self.rho == 0).all(dim=0)  # no curvature yet: a move of a chosen length down the gradient
        newton = (self.first_move / self.gradient.norm(dim=1).clamp(min=1e-30)).masked_fill(~unknown, 1.0)
        self.length = torch.where(accepted, lr * newton, refused_length)
        self.trial = self.accepted + self.length[:, None] * self.direction
        self._scatter(self.trial)
        return values

    def _remember(self, which: Tensor, gradient: Tensor) -> None:
        """Adds the pair (s, y) of the problems in `which` to their history, where its curvature is positive."""
        s, y = self.trial - self.accepted, gradient - self.gradient
        curvature = (s * y).sum(dim=1)
        which = which & (curvature > LEAST_CURVATURE * y.square().sum(dim=1))
        for memory, newest in ((self.s, s), (self.y, y), (self.rho, 1 / curvature)):
            rows = which.view(-1, *[1] * (newest.ndim - 1))
            memory.copy_(torch.where(rows, torch.cat([memory[1:], newest[None]]), memory))

    def _shortened(self, values: Tensor) -> Tensor:
        """The next length for a refused trial point: the minimum of the parabola through what is known, bounded."""
        excess = values - self.value - self.length * self.slope
        parabola = -self.slope * self.length.square() / (2 * excess)  # eq. (3.57)
        return torch.minimum(torch.maximum(parabola.nan_to_num(0.0), SHORTEST * self.length), LONGEST * self.length)

    def _inverse_hessian_times(self, q: Tensor) -> Tensor:
        """H q for every problem, [P, n]: the two-loop recursion, algorithm 7.4."""
        alphas = []
        for s, y, rho in zip(reversed(self.s), reversed(self.y), reversed(self.rho), strict=True):
            alpha = rho * (s * q).sum(dim=1)
            q = q - alpha[:, None] * y
            alphas.append(alpha)
        # The scale of the initial estimate, eq. (7.20); 1 where nothing is known.
        scale = 1 / (self.rho[-1] * self.y[-1].square().sum(dim=1))
        q = scale.masked_fill(self.rho[-1] <= 0, 1.0)[:, None] * q
        for s, y, rho, alpha in zip(self.s, self.y, self.rho, reversed(alphas), strict=True):
            beta = rho * (y * q).sum(dim=1)
            q = q + (alpha - beta)[:, None] * s
        return q

    def _gather(self, of: Callable[[nn.Parameter], Tensor]) -> Tensor:
        """One row per problem, [P, n]."""
        return torch.cat([of(parameter).flatten() for parameter in self._parameters()]).view(self.problems, -1)

    def _scatter(self, rows: Tensor) -> None:
        sizes = [shape.numel() for shape in self.shapes] * self.problems
        parts = rows.flatten().split(sizes)
        for parameter, part in zip(self._parameters(), parts, strict=True):
            parameter.copy_(part.view_as(parameter))

    def _parameters(self) -> list[nn.Parameter]:
        return self.param_groups[0]["params"]
