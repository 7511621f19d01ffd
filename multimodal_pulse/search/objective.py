"""What the search minimises: fidelity to the LR target, PULSE's geodesic term, and batch diversity."""

from dataclasses import dataclass

import torch
from torch import Tensor

from multimodal_pulse.base.errors import UserError


@dataclass(frozen=True)
class Objective:
    """The weighted sum of the terms; a sum over samples, so that no sample's gradient depends on how many there are.

    Attributes:
        l2_weight: of the fidelity. PULSE: 100; the report: 405.
        geodesic_weight: of the geodesic term. PULSE: 0.05; the report: 0.058.
        diversity_weight: of the batch-diversity term. The report: 0.02.
        eps: LR mean squared error below which a sample's fidelity is not improved further. PULSE: 2e-3; the report: 0.
        geodesic: the vectors of the geodesic term: "w_plus", PULSE's code, or "sphere", PULSE's paper (the latents).

    Raises:
        UserError: a negative number, or another word for `geodesic`.
    """

    l2_weight: float
    geodesic_weight: float
    diversity_weight: float
    eps: float
    geodesic: str = "w_plus"

    def __post_init__(self) -> None:
        for name in ("l2_weight", "geodesic_weight", "diversity_weight", "eps"):
            if not getattr(self, name) >= 0:
                raise UserError(f"objective.{name}={getattr(self, name)} must not be negative; 0 switches it off.")
        if self.geodesic not in ("w_plus", "sphere"):
            raise UserError(f"objective.geodesic={self.geodesic} must be w_plus or sphere.")

    def fidelity(self, generated_lr: Tensor, targets: Tensor) -> Tensor:
        """Mean squared error of each sample against its own target: two times [B, 3, h, w] -> [B], not clamped.

        Raises:
            ValueError: the shapes differ.
        """
        if generated_lr.shape != targets.shape:
            raise ValueError(f"generated LR is {list(generated_lr.shape)}, its targets {list(targets.shape)}")
        return (generated_lr - targets).square().mean(dim=(1, 2, 3))

    def geodesic_spread(self, latent: Tensor, w_plus: Tensor) -> Tensor:
        """PULSE's GEOCROSS of each sample: latent and w_plus [B, num_ws, w_dim] -> [B]."""
        return geocross(w_plus if self.geodesic == "w_plus" else latent)

    def __call__(self, fidelity: Tensor, geodesic_spread: Tensor, batch_diversity: Tensor) -> Tensor:
        """The loss, a scalar, from fidelity [B], geodesic spread [B] and batch diversity (a scalar)."""
        return (
            self.l2_weight * fidelity.clamp(min=self.eps).sum()
            + self.geodesic_weight * geodesic_spread.sum()
            + self.diversity_weight * batch_diversity
        )


def geocross(vectors: Tensor) -> Tensor:
    """PULSE's pairwise geodesic distance between the layers' vectors (Menon et al. 2020, section 3.3).

    The angle of a pair is 2 atan2(|x - y|, |x + y|); its square, times w_dim / 8, is averaged over all ordered pairs,
    each vector with itself included.

    Args:
        vectors: [B, num_ws, w_dim].
    Returns: [B].
    """
    x, y = vectors[:, :, None], vectors[:, None, :]
    # Where x = y the root has no derivative without the epsilon.
    difference = ((x - y).square().sum(dim=-1) + 1e-9).sqrt()
    total = ((x + y).square().sum(dim=-1) + 1e-9).sqrt()
    angle = 2 * torch.atan2(difference, total)
    return angle.square().mean(dim=(1, 2)) * (vectors.shape[-1] / 8)
