"""PULSE's Gaussianised W+, fully whitened: the prior of W is a standard normal distribution."""

import torch
import torch.nn.functional as F
from torch import Tensor

from multimodal_pulse.generator.frozen import Generator
from multimodal_pulse.generator.spaces.space import Space, Variables
from multimodal_pulse.generator.statistics import GAUSSIANISING_SLOPE, w_draws

_FLOOR = 1e-4
"""The least variance of a direction, as a share of the mean variance of a component."""


class Whitened(Space):
    """W+ in coordinates in which W is close to a standard normal distribution, correlations included.

    `Gaussian` whitens each component alone, but W is far from isotropic. Here the latent is x with leaky_relu(w, 5) =
    mean + L x, where L L^T is the covariance of leaky_relu(w, 5). Regularized Latent Search (Gheisari & Genovesio 2023)
    trains a normalising flow that makes W Gaussian; this is its simplest form, a fixed nonlinearity and a linear map.

    Args:
        generator: the frozen generator.
    """

    mean: Tensor
    factor: Tensor

    def __init__(self, generator: Generator):
        super().__init__(generator)
        w = w_draws(generator)
        bent = F.leaky_relu(w, GAUSSIANISING_SLOPE).double()
        covariance = torch.cov(bent.T)
        floor = _FLOOR * covariance.diagonal().mean() * torch.eye(len(covariance), dtype=torch.float64)
        self.register_buffer("mean", bent.mean(dim=0).float(), persistent=False)
        self.register_buffer("factor", torch.linalg.cholesky(covariance + floor).float(), persistent=False)

    def initial(self, rng: torch.Generator) -> Variables:
        """Draws one unit-normal vector for all style inputs, [num_ws, w_dim]: nearly a picture of the generator."""
        return {"latent": torch.randn(self.generator.w_dim, generator=rng).expand(self.generator.num_ws, -1)}

    def to_w_plus(self, latent: Tensor) -> Tensor:
        """Maps latent [..., num_ws, w_dim] to w_plus of the same shape."""
        return F.leaky_relu(latent @ self.factor.T + self.mean, 1 / GAUSSIANISING_SLOPE)

    def from_w_plus(self, w_plus: Tensor) -> Tensor:
        """Maps w_plus [..., num_ws, w_dim] to its latent."""
        bent = F.leaky_relu(w_plus, GAUSSIANISING_SLOPE) - self.mean
        return torch.linalg.solve_triangular(self.factor, bent.flatten(0, -2).T, upper=False).T.reshape(bent.shape)
