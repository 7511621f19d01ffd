"""The spaces of z and w: their maps against the networks themselves, their way back, and the hand-over of stages."""

import numpy as np
import pytest
import torch
from tiny_search import tiny_generator

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.generator import W, Whitened, WPlus, Z, ZPlus

GENERATOR = tiny_generator()  # num_ws 6, z_dim and w_dim 16
SPACES = {space: space(GENERATOR) for space in (Z, ZPlus, W, WPlus, Whitened)}


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def w_of(z: torch.Tensor) -> torch.Tensor:
    """The mapping network written down again: z [N, 16] -> w [N, 16]."""
    x = z / z.square().mean(dim=1, keepdim=True).sqrt()
    for layer in (GENERATOR.network.mapping.fc0, GENERATOR.network.mapping.fc1):
        x = x @ layer.weight.T * 0.01 / 4 + layer.bias * 0.01  # 4 is the root of 16 inputs
        x = torch.where(x > 0, x, 0.2 * x) * 2**0.5
    return x


def test_z_is_mapped_for_the_whole_picture_and_z_plus_for_each_style_input():
    z, each = random(3, 16), random(3, 6, 16)
    assert torch.allclose(SPACES[Z].to_w_plus(z), w_of(z)[:, None].expand(-1, 6, -1), atol=1e-5)
    expected = torch.stack([w_of(each[:, layer]) for layer in range(6)], dim=1)
    assert torch.allclose(SPACES[ZPlus].to_w_plus(each), expected, atol=1e-5)


def test_z_plus_begins_where_z_ended_or_goes_on_and_nowhere_else():
    z, each = random(3, 16), random(3, 6, 16)
    space = SPACES[ZPlus]
    from_z = space.begin_from({"latent": z}, SPACES[Z].to_w_plus(z))["latent"]
    assert torch.equal(from_z, z[:, None].expand(-1, 6, -1))
    assert torch.equal(space.begin_from({"latent": each}, space.to_w_plus(each))["latent"], each)
    elsewhere = random(3, 6, 16, seed=1)
    for variables in ({}, {"latent": z}, {"latent": each}):
        with pytest.raises(UserError, match=r"ZPlus cannot begin at a given w_plus"):
            space.begin_from(variables, elsewhere)
    with pytest.raises(UserError, match=r"Z cannot begin at a given w_plus"):
        SPACES[Z].begin_from({}, elsewhere)


@pytest.mark.parametrize("space", [WPlus, Whitened])
def test_every_w_plus_comes_back(space):
    w_plus = random(3, 6, 16)
    latent = SPACES[space].begin_from({}, w_plus)["latent"]
    assert latent.shape == (3, 6, 16)
    assert torch.allclose(SPACES[space].to_w_plus(latent), w_plus, atol=1e-4)


def test_w_plus_is_measured_in_standard_deviations_from_the_mean_of_w():
    z = torch.randn(10_000, 16, generator=torch.Generator().manual_seed(0))
    w = w_of(z).double().numpy()
    space = SPACES[WPlus]
    assert np.allclose(space.mean.numpy(), w.mean(axis=0), atol=1e-4)
    total = np.sqrt(((w - w.mean(axis=0)) ** 2).sum() / len(w))  # BRGM's `_dlatent_std`
    assert float(space.std) == pytest.approx(total / 4, rel=1e-3)


def test_w_takes_the_nearest_of_its_points():
    w_plus, space = random(3, 6, 16), SPACES[W]
    nearest = space.to_w_plus(space.from_w_plus(w_plus))
    assert torch.allclose(nearest, w_plus.mean(dim=1, keepdim=True).expand_as(w_plus), atol=1e-5)
    assert torch.allclose(space.to_w_plus(space.from_w_plus(nearest)), nearest, atol=1e-5)


def test_draws_of_w_are_white_in_the_whitened_space():
    z = random(20_000, 16, seed=5)  # other draws than those of the statistics
    latent = SPACES[Whitened].from_w_plus(w_of(z)[:, None])[:, 0].double()
    assert latent.mean(dim=0).abs().max() < 0.05
    covariance = torch.cov(latent.T)
    assert (covariance - torch.eye(16)).abs().max() < 0.1
    bent = torch.nn.functional.leaky_relu(w_of(z), 5.0).double()
    assert (torch.corrcoef(bent.T) - torch.eye(16)).abs().max() > 0.3  # and they are not in the other one


@pytest.mark.parametrize("space", [ZPlus, W, WPlus])
def test_starts_are_pictures_of_the_generator(space):
    drawn = SPACES[space].initial(torch.Generator().manual_seed(3))["latent"]
    assert torch.allclose(
        SPACES[space].to_w_plus(drawn[None]), w_of(random(1, 16, seed=3))[:, None].expand(1, 6, 16), atol=1e-5
    )


def test_a_whitened_start_is_one_vector_for_all_style_inputs():
    drawn = SPACES[Whitened].initial(torch.Generator().manual_seed(3))["latent"]
    assert torch.equal(drawn, random(16, seed=3).expand(6, 16))


@pytest.mark.parametrize("space", SPACES)
def test_nothing_is_returned_after_a_step(space):
    moved = random(2, 6, 16)
    assert torch.equal(SPACES[space].retract("latent", moved, torch.zeros_like(moved)), moved)
