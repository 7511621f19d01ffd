"""The space of Intermediate Layer Optimization, and the projection onto the l1 ball against an independent one."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from tiny_search import tiny_generator, tiny_statistics

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.generator import Intermediate, Sphere
from multimodal_pulse.generator.spaces.intermediate import project_onto_l1_ball
from multimodal_pulse.search.after_step import Retract, Step
from multimodal_pulse.search.variables import Variable

GENERATOR = tiny_generator()  # 16 x 16 pixels
STATISTICS = tiny_statistics(GENERATOR)
SPACE = Intermediate(GENERATOR, 8, 5.0, STATISTICS)


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def projected_by_root_finding(row: np.ndarray, radius: float) -> np.ndarray:
    """Solves sum max(|x| - threshold, 0) = radius for the threshold, without sorting."""
    if np.abs(row).sum() <= radius:
        return row

    def excess(threshold: float) -> float:
        return np.maximum(np.abs(row) - threshold, 0).sum() - radius

    threshold = brentq(excess, 0, np.abs(row).max(), xtol=1e-14)
    return np.sign(row) * np.maximum(np.abs(row) - threshold, 0)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 60), st.integers(0, 1000), st.floats(1e-3, 1e2), st.floats(1e-3, 1e2), st.booleans())
def test_the_projection_equals_another_one(size, seed, radius, scale, with_ties):
    points = scale * np.random.default_rng(seed).standard_normal((3, size))
    if with_ties:
        points = np.round(points)
    expected = np.stack([projected_by_root_finding(row, radius) for row in points])
    found = project_onto_l1_ball(torch.from_numpy(points), radius).numpy()
    assert np.allclose(found, expected, atol=1e-8 * scale)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 1000), st.floats(1e-2, 10))
def test_no_other_point_of_the_ball_is_nearer(seed, radius):
    point = random(1, 4, 2, 2, seed=seed).double()
    found = project_onto_l1_ball(point, radius)
    assert found.shape == point.shape and found.abs().sum() <= radius * (1 + 1e-9)
    others = random(200, 4, 2, 2, seed=seed + 1).double()
    others = others * (radius / others.abs().sum(dim=(1, 2, 3), keepdim=True))  # on the boundary
    # The optimality condition of a projection onto a convex set.
    assert ((others - found) * (point - found)).sum(dim=(1, 2, 3)).max() <= 1e-9


def test_a_ball_of_radius_0_is_a_point():
    assert not project_onto_l1_ball(random(2, 3), 0.0).any()


def test_a_deviation_changes_the_features_between_two_blocks():
    w_plus, noise = random(2, 6, 16), GENERATOR.constant_noise()
    deviation = random(2, 16, 8, 8, seed=1)
    synthesis = GENERATOR.network.synthesis
    x, image = synthesis.b4(None, None, w_plus[:, 0:2], noise[0:1])
    x, image = synthesis.b8(x, image, w_plus[:, 1:4], noise[1:3])
    _, image = synthesis.b16(x + deviation, image, w_plus[:, 3:6], noise[3:5])
    latent = SPACE.from_w_plus(w_plus)
    found_w_plus, found = SPACE.synthesise({"latent": latent, "deviation.8": deviation}, noise)
    assert torch.allclose(found_w_plus, w_plus, atol=1e-5)
    assert torch.allclose(found, (image + 1) / 2, atol=1e-4)


def test_without_a_deviation_it_is_the_sphere():
    start = SPACE.initial(torch.Generator().manual_seed(2))
    on_sphere = Sphere(GENERATOR, STATISTICS).initial(torch.Generator().manual_seed(2))
    assert torch.equal(start["latent"], on_sphere["latent"])
    assert start["deviation.8"].shape == (16, 8, 8) and not start["deviation.8"].any()
    batch = {name: value[None] for name, value in start.items()}
    _, images = SPACE.synthesise(batch, GENERATOR.constant_noise())
    assert torch.equal(images, GENERATOR.synthesis(SPACE.to_w_plus(batch["latent"])))


def test_a_later_round_keeps_the_deviations_of_earlier_ones():
    w_plus, at_4, at_8 = random(2, 6, 16), random(2, 16, 4, 4), random(2, 16, 8, 8)
    later = SPACE.begin_from({"latent": w_plus, "deviation.4": at_4}, w_plus)
    assert torch.equal(later["deviation.4"], at_4) and not later["deviation.8"].any()
    assert torch.equal(SPACE.begin_from({"deviation.8": at_8}, w_plus)["deviation.8"], at_8)
    back = Sphere(GENERATOR, STATISTICS).begin_from(later, w_plus)
    assert set(back) == {"latent"}  # the projection back to the range


def test_a_step_ends_in_the_balls_and_on_the_spheres():
    start = {"latent": random(2, 6, 16), "noise.0": random(2, 1, 4, 4), "deviation.8": torch.zeros(2, 16, 8, 8)}
    variables = {name: Variable(value) for name, value in start.items()}
    moved = {name: value + random(*value.shape, seed=3) for name, value in start.items()}
    for name, variable in variables.items():
        variable.set(moved[name])
    Retract()(Step(SPACE, variables, 0.0, []))
    ended = {name: variable.stack().detach() for name, variable in variables.items()}
    assert torch.allclose(ended["deviation.8"].abs().flatten(1).sum(dim=1), torch.tensor(5.0))
    assert torch.allclose(ended["latent"].norm(dim=2), start["latent"].norm(dim=2), rtol=1e-5)
    assert torch.allclose(ended["noise.0"].flatten(1).norm(dim=1), start["noise.0"].flatten(1).norm(dim=1), rtol=1e-5)


def test_it_is_drawn_again_from_what_is_saved():
    variables = {"latent": random(2, 6, 16), "deviation.8": random(2, 16, 8, 8)}
    noise = GENERATOR.constant_noise()
    w_plus, images = SPACE.synthesise(variables, noise)
    assert torch.equal(Intermediate.redraw(GENERATOR, variables | {"w_plus": w_plus}, noise), images)


def test_numbers_that_do_not_suit_the_generator_are_refused():
    for resolution in (16, 5):
        with pytest.raises(UserError, match=rf"latent_space\.resolution={resolution} must be .*: 4, 8\."):
            Intermediate(GENERATOR, resolution, 1.0, STATISTICS)
    with pytest.raises(UserError, match=r"latent_space\.radius=-1"):
        Intermediate(GENERATOR, 8, -1.0, STATISTICS)
