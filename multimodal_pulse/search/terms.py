"""Further terms of an objective: the priors of CSGM and BRGM, the divergence from one, and what samples must keep."""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.search.objective import Iterate


@dataclass(frozen=True)
class SquaredLength:
    """The squared length of the latent, |z|^2: CSGM's regulariser (Bora et al. 2017; its program's `zp_loss_batch`)."""

    weight: float

    def __call__(self, iterate: Iterate) -> Tensor:
        """Returns the term of each sample, [B]."""
        return iterate.variables["latent"].square().flatten(1).sum(dim=1)


@dataclass(frozen=True)
class NormalW:
    """BRGM's prior w ~ N(mean, sigma^2) (Marinescu et al. 2021; `_w_loss` of its `projector.py`).

    There it is the mean over all components of ((w - mean) / sigma)^2, and sigma^2 is the variance of W summed over the
    components. In `latent_space=w_plus` or `w`, whose unit is the root of the *mean* variance, that is the mean of the
    squared latent over w_dim.
    """

    weight: float

    def __call__(self, iterate: Iterate) -> Tensor:
        """Returns the term of each sample, [B]."""
        latent = iterate.variables["latent"]
        return latent.square().flatten(1).mean(dim=1) / latent.shape[-1]


@dataclass(frozen=True)
class NormalDivergence:
    """The divergence KL(q || N(0, 1)) of the distribution q of `latent_space=variational`, in the units of `NormalW`.

    It is the expectation of `NormalW` under q, in closed form, minus q's entropy, so that fidelity plus this term is
    the negative evidence lower bound (Kingma & Welling 2014, equation 10 and appendix B), up to a factor. Component by
    component it is mean^2 + std^2 - 1 - 2 log std, averaged, over w_dim: with the same weight it pulls the mean as
    `NormalW` does, and the standard deviation to 1 where the reference shows nothing.

    The program of BRGM's authors (`vi_recon.py` of razvanmarinescu/brgm-pytorch) has in place of the entropy an
    inverse gamma prior on std / 2, with 0.1 and 0.95 as its parameters and no relation to the data.
    """

    weight: float

    def __call__(self, iterate: Iterate) -> Tensor:
        """Returns the term of each sample, [B].

        Raises:
            UserError: the latent space has no distribution.
        """
        mean, log_std = iterate.variables["latent"], iterate.variables.get("log_std")
        if log_std is None:
            raise UserError("This objective needs a distribution: choose latent_space=variational.")
        divergence = mean.square() + (2 * log_std).exp() - 1 - 2 * log_std
        return divergence.flatten(1).mean(dim=1) / mean.shape[-1]


@dataclass(frozen=True)
class Colinearity:
    """BRGM's prior of colinear style inputs (Marinescu et al. 2021; `cosine_distance` of its `projector.py`).

    It is the mean over all ordered pairs of layers, each layer with itself included, of |1 - cos(w_i, w_j)|.
    """

    weight: float

    def __call__(self, iterate: Iterate) -> Tensor:
        """Returns the term of each sample, [B]."""
        directions = F.normalize(iterate.w_plus, dim=2)
        return (1 - directions @ directions.transpose(1, 2)).abs().mean(dim=(1, 2))


@dataclass(frozen=True)
class Hold:
    """Half the squared distance to the parent outside of the mask, in standard deviations: a Gaussian log-likelihood.

    It is |o (G - parent)|^2 / (2 sigma^2), where o is how much of a pixel is kept, summed over the pixels and channels.

    Attributes:
        sigma: the standard deviation of a pixel that is kept, in units of the [0, 1] range.

    Raises:
        UserError: `sigma` is not positive.
    """

    weight: float
    sigma: float

    def __post_init__(self) -> None:
        if not self.sigma > 0:
            raise UserError(f"objective.terms.hold.sigma={self.sigma} must be positive.")

    def __call__(self, iterate: Iterate) -> Tensor:
        """Returns the term of each sample, [B].

        Raises:
            UserError: the samples have no parent.
        """
        if iterate.parent is None or iterate.outside is None:
            raise UserError("This objective holds a part of a picture, which only method=vary has.")
        moved = iterate.outside * (iterate.images.flatten(0, 1) - iterate.parent)
        return moved.square().flatten(1).sum(dim=1) / (2 * self.sigma**2)
