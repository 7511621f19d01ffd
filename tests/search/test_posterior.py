"""The posterior under a Gaussian prior on W+, and the priors of CSGM and BRGM, against their definitions."""

import math

import numpy as np
import pytest
import torch
from tiny_search import tiny_generator

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.generator import WPlus
from multimodal_pulse.generator.statistics import w_draws
from multimodal_pulse.search import Colinearity, NormalW, Objective, PosteriorObjective, SquaredLength
from multimodal_pulse.search.objective import Iterate
from multimodal_pulse.search.posterior import layered_normal


def iterate(latent: torch.Tensor, w_plus: torch.Tensor | None = None, progress: float = 0.0) -> Iterate:
    images = torch.zeros(1, len(latent), 3, 4, 4)
    w_plus = latent if w_plus is None else w_plus
    return Iterate({"latent": latent}, {}, w_plus, images, torch.full([len(latent)], 1e-3), 48, progress)


def random(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def test_the_prior_is_the_log_density_of_a_normal_distribution_of_the_layers():
    # With a common part m ~ N(0, 1) and layers x_l = m + N(0, s^2), one component of all layers is normal with the
    # covariance s^2 I + 1 1^T. Its energy is that of their mean, whose variance is 1 + s^2 / L, and of the deviations.
    layers, s = 5, 0.4
    x = random(3, layers, 2).double()
    found = layered_normal(x, s)
    covariance = s**2 * np.eye(layers) + np.ones((layers, layers))
    exact = 0.5 * np.einsum("blc,lk,bkc->b", x.numpy(), np.linalg.inv(covariance), x.numpy())
    mean = x.mean(dim=1)
    of_mean = 0.5 * mean.square().sum(dim=1) * (1 - 1 / (1 + s**2 / layers))  # the layers' share in the mean's variance
    assert np.allclose((found - of_mean).numpy(), exact)


def test_sigma_falls_by_equal_ratios():
    latent = torch.zeros(2, 3, 4)
    objective = PosteriorObjective(sigma=0.02, layer_std=0.3, diversity_weight=0.0, start_sigma=0.08)
    for progress, sigma in ((0.0, 0.08), (0.5, 0.04), (1.0, 0.02)):
        losses, terms = objective(iterate(latent, progress=progress), torch.zeros(2))
        assert losses.tolist() == pytest.approx([48 * 1e-3 / (2 * sigma**2)] * 2, rel=1e-4)
        assert terms["prior"].tolist() == [0.0, 0.0]
    constant = PosteriorObjective(sigma=0.02, layer_std=0.3, diversity_weight=0.0)
    assert torch.equal(*[constant(iterate(latent, progress=p), torch.zeros(2))[0] for p in (0.0, 1.0)])


def test_a_space_with_one_vector_for_the_whole_picture_is_refused():
    objective = PosteriorObjective(sigma=0.02, layer_std=0.3, diversity_weight=0.0)
    on_sphere = Objective(l2_weight=1.0, geodesic_weight=1.0, diversity_weight=0.0, eps=0.0, geodesic="sphere")
    for refusing in (objective, on_sphere):
        with pytest.raises(UserError, match="latent_space has only one vector"):
            refusing(iterate(random(2, 7)), torch.zeros(2))


@pytest.mark.parametrize("name", ["sigma", "layer_std", "start_sigma"])
def test_standard_deviations_are_positive(name):
    numbers = {"sigma": 0.01, "layer_std": 0.3, "diversity_weight": 0.0, "start_sigma": 0.1} | {name: 0.0}
    with pytest.raises(UserError, match=rf"objective\.{name}=0"):
        PosteriorObjective(**numbers)


def test_csgms_prior_is_the_squared_length():
    z = random(3, 7)
    assert SquaredLength(1.0)(iterate(z, z)).tolist() == pytest.approx([float(row @ row) for row in z], rel=1e-5)


def test_brgms_prior_is_the_mean_of_the_squared_deviations_over_the_total_variance():
    generator = tiny_generator()
    space = WPlus(generator)
    w_plus = random(3, 6, 16)
    w = w_draws(generator).numpy().astype(float)
    mean, total_variance = w.mean(axis=0), ((w - w.mean(axis=0)) ** 2).sum() / len(w)
    expected = (((w_plus.numpy() - mean) ** 2) / total_variance).mean(axis=(1, 2))
    found = NormalW(1.0)(iterate(space.from_w_plus(w_plus), w_plus))
    assert np.allclose(found.numpy(), expected, rtol=1e-3)


def test_colinear_layers_cost_nothing_and_orthogonal_ones_one():
    w_plus = torch.tensor([[[1.0, 0.0], [3.0, 0.0]], [[1.0, 0.0], [0.0, 2.0]], [[1.0, 0.0], [-1.0, 0.0]]])
    # Half of the ordered pairs are a layer with itself, which cost nothing.
    assert Colinearity(1.0)(iterate(w_plus)).tolist() == pytest.approx([0.0, 0.5, 1.0], abs=1e-6)
    angle = 0.3
    tilted = torch.tensor([[[1.0, 0.0], [math.cos(angle), math.sin(angle)]]])
    assert Colinearity(1.0)(iterate(tilted)).item() == pytest.approx((1 - math.cos(angle)) / 2, rel=1e-4)
