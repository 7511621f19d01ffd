"""The network against the reference outputs of ../shared/stylegan2, and against definitions written out here."""

import numpy as np
import pytest
import torch
from reference_files import FOLDER, needs_reference

from multimodal_pulse.generator import Architecture, Generator, StyleGAN2, load_generator, untrained
from multimodal_pulse.generator.ops.plain import blur_filter, conv_upsample, upsample

TOLERANCE = 1e-4  # of the largest absolute value


@pytest.fixture(scope="module", params=["random32", "random64"])
def reference(request) -> tuple[Generator, dict[str, torch.Tensor]]:
    arrays = np.load(FOLDER / f"{request.param}.npz")
    generator = load_generator(FOLDER / f"{request.param}.pkl")
    return generator, {name: torch.from_numpy(arrays[name]) for name in arrays.files}


def assert_agrees(result: torch.Tensor, expected: torch.Tensor) -> None:
    assert result.shape == expected.shape
    assert (result.detach() - expected).abs().max() <= TOLERANCE * expected.abs().max()


def network_range(images: torch.Tensor) -> torch.Tensor:
    return images * 2 - 1


@needs_reference
def test_mapping_and_truncation_agree(reference):
    generator, arrays = reference
    assert_agrees(generator.mapping(arrays["z"]), arrays["ws"])
    assert_agrees(generator.mapping(arrays["z"], truncation=0.7), arrays["ws_trunc07"])


@needs_reference
def test_synthesis_agrees_with_constant_and_without_noise(reference):
    generator, arrays = reference
    silence = [torch.zeros_like(noise_map) for noise_map in generator.constant_noise()]
    assert_agrees(network_range(generator.synthesis(arrays["wplus"])), arrays["img_const"])
    assert_agrees(network_range(generator.synthesis(arrays["wplus"], silence)), arrays["img_none"])
    assert_agrees(network_range(generator.synthesis(arrays["ws"])), arrays["img_from_z_const"])


@needs_reference
def test_synthesis_agrees_with_noise_of_its_own(reference):
    generator, arrays = reference
    maps = [arrays[f"noise_{layer:02d}_{r}"] for layer, r in enumerate(generator.noise_resolutions)]
    maps = [noise_map.reshape(-1, 1, *noise_map.shape[-2:]) for noise_map in maps]
    assert_agrees(network_range(generator.synthesis(arrays["wplus"], maps)), arrays["img_custom_noise"])


@needs_reference
def test_gradient_agrees(reference):
    generator, arrays = reference
    w_plus = arrays["wplus"].clone().requires_grad_()
    (gradient,) = torch.autograd.grad(network_range(generator.synthesis(w_plus)).square().mean(), w_plus)
    assert_agrees(gradient, arrays["grad_mean_square_const"])


def zero_insertion(x: torch.Tensor) -> torch.Tensor:
    n, c, h, w = x.shape
    spread = torch.zeros(n, c, 2 * h, 2 * w, dtype=x.dtype)
    spread[:, :, ::2, ::2] = x
    return spread


def test_upsample_is_zero_insertion_and_the_binomial_filter():
    x = torch.randn(2, 3, 5, 7, dtype=torch.float64)
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=torch.float64) / 4
    spread = torch.nn.functional.pad(zero_insertion(x), (2, 1, 2, 1))
    expected = torch.zeros(2, 3, 10, 14, dtype=torch.float64)
    for i in range(10):
        for j in range(14):
            expected[:, :, i, j] = torch.einsum("ncij,i,j->nc", spread[:, :, i : i + 4, j : j + 4], taps, taps)
    torch.testing.assert_close(upsample(x), expected)


def test_conv_upsample_keeps_a_constant_image_constant_inside():
    weight = torch.randn(4, 3, 3, 3, dtype=torch.float64)
    ones = torch.ones(1, 3, 8, 8, dtype=torch.float64)
    result = conv_upsample(ones, weight, blur_filter(ones, len(weight), gain=4.0))
    expected = weight.sum(dim=(1, 2, 3))
    torch.testing.assert_close(result[0, :, 4:12, 4:12], expected[:, None, None].expand(4, 8, 8))


def test_modulated_layer_equals_the_convolution_with_modulated_weights():
    layer = untrained(resolution=16, channel_base=128, channel_max=8).network.synthesis.blocks[1].conv1
    w, x = torch.randn(3, 128), torch.randn(3, 8, 8, 8)
    silence = torch.zeros(1, 1, 8, 8)
    result = layer(x, w, silence)
    for index in range(3):
        weight = layer.weight * layer.affine(w[index : index + 1])[0][None, :, None, None]  # [K20] eq. (1)
        weight = weight / (weight.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8).sqrt()  # [K20] eq. (3)
        y = torch.nn.functional.conv2d(x[index : index + 1], weight, padding=1) + layer.bias[:, None, None]
        expected = torch.where(y > 0, y, 0.2 * y) * 2**0.5
        torch.testing.assert_close(result[index : index + 1], expected, rtol=1e-4, atol=1e-5)


def test_features_and_colours_are_clamped_behind_the_gain_of_the_activation():
    loud = Architecture(16, z_dim=8, w_dim=8, mapping_layers=1, channel_base=128, channel_max=8, conv_clamp=0.5)
    block = StyleGAN2(loud).synthesis.blocks[1]
    x, w = 100 * torch.randn(1, 8, 8, 8), torch.randn(1, 8)
    features, colours = block.conv1(x, w, torch.zeros(1, 1, 8, 8)), block.torgb(x, w)
    assert features.max() == colours.max() == 0.5 and features.min() == colours.min() == -0.5
    block.conv1.clamp = block.torgb.clamp = None
    for clamped, free in ((features, block.conv1(x, w, torch.zeros(1, 1, 8, 8))), (colours, block.torgb(x, w))):
        assert torch.equal(clamped, free.clamp(-0.5, 0.5))


@pytest.mark.parametrize("resolution", [16, 32, 64, 128, 256, 512, 1024])
def test_every_resolution_builds(resolution):
    with torch.device("meta"):
        network = StyleGAN2(Architecture(resolution))
    stages = resolution.bit_length() - 1
    assert network.architecture.num_ws == 2 * stages - 2
    assert network.architecture.noise_resolutions[-1] == resolution
    assert network.architecture.noise_resolutions[:5] == [4, 8, 8, 16, 16]


def test_the_official_256_network_has_its_number_of_parameters():
    with torch.device("meta"):
        network = StyleGAN2(Architecture(256, channel_base=16384))
    assert sum(parameter.numel() for parameter in network.parameters()) == 24_767_458


@pytest.mark.parametrize("arguments", [{"resolution": 100}, {"resolution": 8}, {"resolution": 64, "z_dim": 0}])
def test_impossible_architectures_are_refused(arguments):
    with pytest.raises(ValueError, match=r"must be"):
        Architecture(**arguments)


@pytest.fixture(scope="module")
def small() -> Generator:
    return untrained(resolution=16, z_dim=8, w_dim=8, mapping_layers=2, channel_base=128, channel_max=8)


def test_generator_is_frozen(small):
    small.train()
    assert not any(module.training for module in small.modules())
    w_plus = small.mapping(torch.randn(2, 8)).clone().requires_grad_()
    small.synthesis(w_plus).sum().backward()
    assert w_plus.grad is not None and w_plus.grad.abs().min() > 0
    assert all(parameter.grad is None for parameter in small.parameters())


def test_noise_maps_may_be_shared_or_one_per_sample(small):
    w_plus = small.mapping(torch.randn(2, 8))
    shared = [torch.randn(1, 1, r, r) for r in small.noise_resolutions]
    repeated = [noise_map.expand(2, -1, -1, -1).contiguous() for noise_map in shared]
    torch.testing.assert_close(small.synthesis(w_plus, shared), small.synthesis(w_plus, repeated))
    torch.testing.assert_close(small.synthesis(w_plus), small.synthesis(w_plus, small.constant_noise()))
    others = [torch.randn(2, 1, r, r) for r in small.noise_resolutions]
    assert (small.synthesis(w_plus, shared) - small.synthesis(w_plus, others)).abs().max() > 1e-3


def test_wrong_shapes_are_named(small):
    w_plus = small.mapping(torch.randn(2, 8))
    with pytest.raises(ValueError, match=r"w_plus must be \[N, 6, 8\]"):
        small.synthesis(w_plus[:, :4])
    with pytest.raises(ValueError, match="5 noise maps"):
        small.synthesis(w_plus, small.constant_noise()[:3])
    with pytest.raises(ValueError, match="noise map 0 must be"):
        small.synthesis(w_plus, [torch.zeros(3, 1, 4, 4), *small.constant_noise()[1:]])


def test_the_seed_decides_the_untrained_weights():
    first, again, other = untrained(16, seed=0), untrained(16, seed=0), untrained(16, seed=1)
    assert first.sha256 == again.sha256 != other.sha256
