"""Further terms of an objective: the priors of CSGM and BRGM."""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

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
class Colinearity:
    """BRGM's prior of colinear style inputs (Marinescu et al. 2021; `cosine_distance` of its `projector.py`).

    It is the mean over all ordered pairs of layers, each layer with itself included, of |1 - cos(w_i, w_j)|.
    """

    weight: float

    def __call__(self, iterate: Iterate) -> Tensor:
        """Returns the term of each sample, [B]."""
        directions = F.normalize(iterate.w_plus, dim=2)
        return (1 - directions @ directions.transpose(1, 2)).abs().mean(dim=(1, 2))
