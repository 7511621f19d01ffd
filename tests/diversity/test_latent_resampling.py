from types import SimpleNamespace

import pytest
import torch
from tiny_search import tiny_generator

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.diversity.latent_resampling import IndependentLatents, NearMeanLatents, SharedLatent
from multimodal_pulse.generator.spaces.sphere import Sphere
from multimodal_pulse.generator.spaces.w import WPlus
from multimodal_pulse.generator.statistics import WStatistics

SPACE = Sphere(SimpleNamespace(num_ws=14, w_dim=512), WStatistics(torch.zeros(512), torch.ones(512)))


def independent(name: str, num_samples: int) -> torch.Tensor:
    return IndependentLatents().draw(SPACE, None, None, 0, name, num_samples)["latent"]


def test_independent_latents_are_unit_normal_and_all_different():
    latents = independent("a", 6)
    assert latents.shape == (6, 14, 512)
    assert abs(latents.mean()) < 0.02 and abs(latents.std() - 1) < 0.02
    correlation = torch.corrcoef(latents.flatten(1))
    assert (correlation - torch.eye(6)).abs().max() < 0.05


def test_sample_k_does_not_depend_on_how_many_there_are():
    assert torch.equal(independent("a", 6)[:2], independent("a", 2))


def test_shared_latents_are_sample_0_of_the_independent_ones():
    shared = SharedLatent().draw(SPACE, None, None, 0, "a", 3)["latent"]
    assert torch.equal(shared, independent("a", 1).expand(3, -1, -1))
    assert not torch.equal(shared, SharedLatent().draw(SPACE, None, None, 0, "b", 3)["latent"])
    assert not torch.equal(shared, SharedLatent().draw(SPACE, None, None, 1, "a", 3)["latent"])


def test_starts_near_the_mean_are_shortened_draws_of_w():
    generator = tiny_generator()
    generator.network.mapping.w_avg.fill_(0.5)
    space = WPlus(generator)

    def w_plus(truncation: float) -> torch.Tensor:
        latents = NearMeanLatents(truncation).draw(space, None, None, 0, "a", 3)["latent"]
        return space.to_w_plus(latents)

    whole, tenth, none = w_plus(1.0), w_plus(0.1), w_plus(0.0)
    assert torch.allclose(none, torch.tensor(0.5).expand_as(none), atol=1e-5)
    assert torch.allclose(tenth - 0.5, 0.1 * (whole - 0.5), atol=1e-5)
    assert (whole[0] - whole[1]).abs().max() > 0.1  # each sample has a draw of its own
    with pytest.raises(UserError, match=r"latent_resampling\.truncation=-1"):
        NearMeanLatents(-1.0)
