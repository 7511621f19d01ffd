from types import SimpleNamespace

import torch

from multimodal_pulse.diversity.latent_resampling import IndependentLatents, SharedLatent
from multimodal_pulse.generator.spaces.sphere import Sphere
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
