import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.search.objective import Iterate, MapObjective, Objective, geocross, per_problem, squared_error

PULSE = Objective(l2_weight=100.0, geodesic_weight=0.05, diversity_weight=0.0, eps=2e-3)


def iterate(fidelity: list[float] | None = None, seed: int = 0) -> Iterate:
    """Two samples of one reference, random but for their fidelity."""
    rng = torch.Generator().manual_seed(seed)
    latent, w_plus = torch.randn(2, 2, 5, 8, generator=rng)
    images = torch.rand(1, 2, 3, 4, 4, generator=rng)
    return Iterate({"latent": latent}, {"latent": latent}, w_plus, images, torch.tensor(fidelity or [0.0, 0.0]), 48)


def geocross_by_loops(vectors: np.ndarray) -> float:
    """The definition, pair by pair."""
    num_ws, w_dim = vectors.shape
    total = 0.0
    for x in vectors:
        for y in vectors:
            difference = math.sqrt(((x - y) ** 2).sum() + 1e-9)
            length = math.sqrt(((x + y) ** 2).sum() + 1e-9)
            total += (2 * math.atan2(difference, length)) ** 2
    return total / num_ws**2 * w_dim / 8


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 7), st.integers(1, 40), st.integers(0, 1000), st.floats(0.01, 100))
def test_geocross_equals_the_loops(num_ws, w_dim, seed, scale):
    vectors = scale * np.random.default_rng(seed).standard_normal((3, num_ws, w_dim))
    expected = [geocross_by_loops(sample) for sample in vectors]
    assert geocross(torch.from_numpy(vectors)).tolist() == pytest.approx(expected, rel=1e-9)


def test_geocross_of_vectors_at_a_known_angle():
    angle = 0.7
    vectors = torch.tensor([[[1.0, 0.0], [math.cos(angle), math.sin(angle)]]])
    # Two of the four ordered pairs have the angle; w_dim is 2.
    assert geocross(vectors).item() == pytest.approx(angle**2 * 2 / 4 * 2 / 8, rel=1e-4)


def test_geocross_has_a_gradient_where_vectors_are_equal():
    vectors = torch.ones(1, 4, 8, requires_grad=True)
    geocross(vectors).sum().backward()
    assert torch.isfinite(vectors.grad).all()


def test_fidelity_is_a_mean_over_pixels_per_sample():
    generated = torch.zeros(2, 3, 4, 4)
    targets = torch.stack([torch.full((3, 4, 4), 0.5), torch.ones(3, 4, 4)])
    assert squared_error(generated, targets).tolist() == [0.25, 1.0]
    with pytest.raises(ValueError, match=r"\[2, 3, 4, 4\].*\[3, 4, 4\]"):
        squared_error(generated, targets[0])


def test_the_loss_is_a_sum_over_samples_and_eps_clamps_each_of_them():
    of_two = iterate([1e-3, 5e-3])
    loss, terms = PULSE(of_two, torch.zeros(2))
    assert loss.sum().item() == pytest.approx(100 * (2e-3 + 5e-3) + 0.05 * geocross(of_two.w_plus).sum().item())
    assert torch.equal(terms["fidelity"], of_two.fidelity)


def test_diversity_is_weighted():
    objective = Objective(l2_weight=0.0, geodesic_weight=0.0, diversity_weight=0.02, eps=0.0)
    assert objective(iterate(), torch.tensor([-50.0]))[0].item() == pytest.approx(-1.0)


def test_geodesic_on_w_plus_or_on_the_sphere():
    one = iterate()
    on_sphere = Objective(l2_weight=1.0, geodesic_weight=1.0, diversity_weight=0.0, eps=0.0, geodesic="sphere")
    assert torch.equal(PULSE(one, torch.zeros(2))[1]["geodesic_spread"], geocross(one.w_plus))
    assert torch.equal(on_sphere(one, torch.zeros(2))[1]["geodesic_spread"], geocross(one.variables["latent"]))


class Brightness:
    """A further term: the mean of each picture."""

    def __init__(self, weight: float):
        self.weight = weight

    def __call__(self, of: Iterate) -> torch.Tensor:
        return of.images.mean(dim=(2, 3, 4)).flatten()


def test_further_terms_are_weighted_and_named():
    plain = Objective(l2_weight=1.0, geodesic_weight=0.0, diversity_weight=0.0, eps=0.0)
    brighter = Objective(1.0, 0.0, 0.0, 0.0, terms={"brightness": Brightness(3.0)})
    one = iterate([0.5, 0.25])
    loss, terms = brighter(one, torch.zeros(2))
    assert loss.sum().item() == pytest.approx(
        plain(one, torch.zeros(2))[0].sum().item() + 3 * terms["brightness"].sum().item()
    )
    assert terms["brightness"].shape == (2,)
    with pytest.raises(UserError, match=r"objective\.terms\.brightness\.weight=-1"):
        Objective(1.0, 0.0, 0.0, 0.0, terms={"brightness": Brightness(-1.0)})


@pytest.mark.parametrize("name", ["l2_weight", "geodesic_weight", "diversity_weight", "eps"])
@pytest.mark.parametrize("value", [-1.0, math.nan])
def test_negative_numbers_are_refused_by_name(name, value):
    numbers = {"l2_weight": 1.0, "geodesic_weight": 1.0, "diversity_weight": 1.0, "eps": 0.0} | {name: value}
    with pytest.raises(UserError, match=f"objective.{name}"):
        Objective(**numbers)


def test_another_geodesic_is_refused():
    with pytest.raises(UserError, match=r"objective\.geodesic=plane"):
        Objective(l2_weight=1.0, geodesic_weight=1.0, diversity_weight=0.0, eps=0.0, geodesic="plane")


def test_the_map_objective_is_half_a_squared_distance_in_units_of_sigma_and_of_the_prior():
    one = iterate([1e-4, 4e-4])
    moved = Iterate({"latent": one.variables["latent"] + 0.5}, one.initial, one.w_plus, one.images, one.fidelity, 48)
    losses, terms = MapObjective(sigma=0.01, diversity_weight=0.0)(moved, torch.zeros(2))
    assert losses.tolist() == pytest.approx([48 * 1e-4 / 2e-4 + 40 * 0.125, 48 * 4e-4 / 2e-4 + 40 * 0.125], rel=1e-4)
    assert terms["anchor"].tolist() == pytest.approx([5.0, 5.0], rel=1e-4)
    with pytest.raises(UserError, match=r"objective\.sigma=0"):
        MapObjective(sigma=0.0, diversity_weight=0.0)


def test_samples_that_are_minimised_together_have_one_loss():
    assert per_problem(torch.arange(6.0), 2).tolist() == [3.0, 12.0]
    assert per_problem(torch.arange(3.0), 3).tolist() == [0.0, 1.0, 2.0]


def test_nothing_is_fitted_below_the_noise_of_its_reference():
    stds = torch.tensor([0.0, 0.05])
    noisy = replace(iterate([1e-4, 1e-4]), noise_std=stds)
    coupling = torch.zeros(2)
    for sigma in (0.01, 0.1):
        objective = MapObjective(sigma=sigma, diversity_weight=0.0)
        expected = [1e-4 * 48 / (2 * max(sigma, std) ** 2) for std in stds.tolist()]
        assert objective(noisy, coupling)[0].tolist() == pytest.approx(expected)
    for eps in (0.0, 2e-3, 4e-3):
        objective = Objective(l2_weight=100.0, geodesic_weight=0.0, diversity_weight=0.0, eps=eps)
        expected = [100 * max(1e-4, eps, std**2) for std in stds.tolist()]
        assert objective(noisy, coupling)[0].tolist() == pytest.approx(expected)
