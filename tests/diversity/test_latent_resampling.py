import torch

from multimodal_pulse.diversity.latent_resampling import IndependentLatents, SharedLatent
from multimodal_pulse.generator.spaces.sphere import LatentSpace
from multimodal_pulse.generator.statistics import WStatistics

SPACE = LatentSpace(WStatistics(torch.zeros(512), torch.ones(512)), num_ws=14)


def test_independent_latents_are_unit_normal_and_all_different():
    latents = IndependentLatents().draw(SPACE, 0, "a", 6)
    assert latents.shape == (6, 14, 512)
    assert abs(latents.mean()) < 0.02 and abs(latents.std() - 1) < 0.02
    correlation = torch.corrcoef(latents.flatten(1))
    assert (correlation - torch.eye(6)).abs().max() < 0.05


def test_sample_k_does_not_depend_on_how_many_there_are():
    assert torch.equal(IndependentLatents().draw(SPACE, 0, "a", 6)[:2], IndependentLatents().draw(SPACE, 0, "a", 2))


def test_shared_latents_are_sample_0_of_the_independent_ones():
    shared = SharedLatent().draw(SPACE, 0, "a", 3)
    assert torch.equal(shared, IndependentLatents().draw(SPACE, 0, "a", 1).expand(3, -1, -1))
    assert not torch.equal(shared, SharedLatent().draw(SPACE, 0, "b", 3))
    assert not torch.equal(shared, SharedLatent().draw(SPACE, 1, "a", 3))
