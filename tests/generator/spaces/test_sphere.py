from types import SimpleNamespace

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from multimodal_pulse.generator import untrained
from multimodal_pulse.generator.spaces.flat_sphere import FlatSphere
from multimodal_pulse.generator.spaces.sphere import Sphere
from multimodal_pulse.generator.statistics import WStatistics
from multimodal_pulse.search.after_step import Retract, Step
from multimodal_pulse.search.variables import Variable, by_problem

STATISTICS = WStatistics(mean=torch.tensor([0.5, -1.0, 0.0]), std=torch.tensor([1.0, 2.0, 0.5]))
SPACE = Sphere(SimpleNamespace(num_ws=2, w_dim=3), STATISTICS)


def test_to_w_plus_is_leaky_relu_of_the_scaled_latent():
    latent = torch.tensor([[1.0, 1.0, -4.0], [-2.0, 0.0, 2.0]])
    expected = torch.tensor([[1.5, 1.0, -0.4], [-0.3, -0.2, 1.0]])
    assert torch.allclose(SPACE.to_w_plus(latent), expected)


def test_gaussianised_w_comes_back():
    w = torch.randn(7, 2, 3, generator=torch.Generator().manual_seed(0))
    latent = (torch.nn.functional.leaky_relu(w, 5.0) - STATISTICS.mean) / STATISTICS.std
    assert torch.allclose(SPACE.to_w_plus(latent), w, atol=1e-5)
    assert torch.allclose(SPACE.begin_from({}, w)["latent"], latent)


def test_the_flat_sphere_has_a_slope_of_0025_and_clips_its_pictures():
    network = untrained(16, z_dim=8, w_dim=8, mapping_layers=1, channel_base=128, channel_max=8)
    statistics = WStatistics(torch.linspace(-1, 1, 8), torch.linspace(0.5, 2, 8))
    space = FlatSphere(network, statistics)
    latent = 3 * torch.randn(4, network.num_ws, 8, generator=torch.Generator().manual_seed(0))
    expected = torch.nn.LeakyReLU(negative_slope=0.025)(latent * statistics.std + statistics.mean)
    assert torch.equal(space.to_w_plus(latent), expected)
    assert torch.allclose(space.from_w_plus(expected), latent, atol=1e-4)
    w_plus, images = space.synthesise({"latent": latent}, network.constant_noise())
    drawn = network.synthesis(expected)
    assert drawn.min() < 0 and drawn.max() > 1
    assert torch.equal(w_plus, expected) and torch.equal(images, drawn.clamp(0, 1))


def test_the_centre_maps_to_the_mean():
    assert torch.allclose(SPACE.to_w_plus(torch.zeros(2, 3)), torch.tensor([0.5, -0.2, 0.0]).expand(2, 3))


@settings(max_examples=30, deadline=None)
@given(st.sampled_from([(3, 6, 16), (2, 1, 8, 8)]), st.integers(0, 1000), st.floats(1e-3, 1e2))
def test_return_to_sphere_restores_the_radius_and_keeps_the_direction(shape, seed, movement):
    rng = torch.Generator().manual_seed(seed)
    initial = torch.randn(shape, generator=rng)
    variable = Variable(initial)
    with torch.no_grad():
        for parameter in variable.parameters:
            parameter.add_(movement * torch.randn(parameter.shape, generator=rng))
    moved = variable.stack().detach()
    Retract()(Step(SPACE, {"latent": variable}, 0.0, []))
    on_sphere = variable.stack().detach()

    vectors = (initial.flatten(2), moved.flatten(2), on_sphere.flatten(2))
    before, during, after = (v.double().norm(dim=2) for v in vectors)
    assert torch.allclose(after, before, rtol=1e-5)
    cosine = (vectors[1].double() * vectors[2]).sum(dim=2) / (during * after)
    assert torch.allclose(cosine, torch.ones_like(cosine), atol=1e-6)


def test_vectors_of_zeros_stay_zero_and_the_initial_tensor_is_not_shared():
    initial = torch.zeros(2, 3, 4)
    variable = Variable(initial)
    Retract()(Step(SPACE, {"latent": variable}, 0.0, []))
    assert torch.equal(variable.stack(), torch.zeros(2, 3, 4))
    with torch.no_grad():
        variable.parameters[0].fill_(1.0)
    assert not initial.any()


def test_gradients_reach_each_sample_alone():
    variable = Variable(torch.ones(3, 2, 4))
    variable.stack()[1].sum().backward()
    assert [parameter.grad.abs().sum().item() for parameter in by_problem([variable], 1)[0]] == [0.0, 8.0, 0.0]
