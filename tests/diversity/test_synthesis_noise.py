import pytest
import torch

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.diversity.synthesis_noise import (
    GaussianSynthesisNoise,
    NoiseMaps,
    NoSynthesisNoise,
    PulseNoise,
    SharedSynthesisNoise,
)
from multimodal_pulse.generator import untrained


@pytest.fixture(scope="module")
def generator():
    return untrained(32, z_dim=8, w_dim=8, mapping_layers=1, channel_base=128, channel_max=8)


def joined(generator, mechanism, num_samples=3, names=("a", "b")):
    return NoiseMaps(generator, [mechanism.draw(generator, 0, name, num_samples) for name in names])


def test_off_means_the_network_s_own_maps(generator):
    maps = joined(generator, NoSynthesisNoise()).maps({})
    assert all(torch.equal(a, b) for a, b in zip(maps, generator.constant_noise(), strict=True))


def test_gaussian_maps_differ_per_sample_and_have_the_std(generator):
    maps = joined(generator, GaussianSynthesisNoise(0.5)).maps({})
    assert [m.shape for m in maps] == [(6, 1, r, r) for r in generator.noise_resolutions]
    assert maps[-1].std().item() == pytest.approx(0.5, rel=0.03)
    assert (torch.corrcoef(maps[-1].flatten(1)) - torch.eye(6)).abs().max() < 0.15


def test_a_choice_of_resolutions_changes_no_other_layer_and_no_draw(generator):
    everywhere = joined(generator, GaussianSynthesisNoise(0.5)).maps({})
    chosen = joined(generator, GaussianSynthesisNoise(0.5, resolutions=[8, 32])).maps({})
    for layer, r in enumerate(generator.noise_resolutions):
        expected = everywhere[layer] if r in (8, 32) else generator.constant_noise()[layer]
        assert torch.equal(chosen[layer], expected)


def test_std_0_switches_noise_off(generator):
    assert not any(maps.any() for maps in joined(generator, GaussianSynthesisNoise(0.0)).maps({}))


def test_sample_k_does_not_depend_on_how_many_there_are_nor_on_other_references(generator):
    alone = joined(generator, GaussianSynthesisNoise(1.0), num_samples=1, names=("b",)).maps({})
    together = joined(generator, GaussianSynthesisNoise(1.0)).maps({})
    assert all(torch.equal(a[0], b[3]) for a, b in zip(alone, together, strict=True))


def test_pulse_moves_the_first_five_fixes_the_others_and_zeroes_the_last(generator):
    noise = joined(generator, PulseNoise())
    assert list(noise.initial) == ["noise.0", "noise.1", "noise.2", "noise.3", "noise.4"]
    variables = {name: torch.full_like(value, 7.0) for name, value in noise.initial.items()}
    maps = noise.maps(variables)
    unit = joined(generator, GaussianSynthesisNoise(1.0)).maps({})
    assert all(torch.equal(m, torch.full_like(m, 7.0)) for m in maps[:5])
    assert torch.equal(noise.initial["noise.4"], unit[4])
    assert torch.equal(maps[5], unit[5])
    assert not maps[6].any()


def test_pulse_zeroes_the_last_layer_of_a_network_with_five(generator):
    small = untrained(16, z_dim=8, w_dim=8, mapping_layers=1, channel_base=128, channel_max=8)
    noise = joined(small, PulseNoise())
    assert list(noise.initial) == ["noise.0", "noise.1", "noise.2", "noise.3"]
    assert not noise.maps(noise.initial)[4].any()


@pytest.fixture
def strengths():
    """A generator whose layers have different strengths, the third none at all; and the strengths."""
    strengths = [0.5, -0.2, 0.0, 1.5, 0.01, 3.0, 0.1]
    generator = untrained(32, z_dim=8, w_dim=8, mapping_layers=1, channel_base=128, channel_max=8)
    for layer, strength in zip(generator.network.synthesis.layers, strengths, strict=True):
        layer.noise_strength.fill_(strength)
    return generator, strengths


def test_shared_noise_is_added_as_it_is_the_same_in_both_layers_of_a_resolution(strengths):
    generator, of_layers = strengths
    maps = joined(generator, SharedSynthesisNoise(0.3)).maps({})
    added = [value * strength for value, strength in zip(maps, of_layers, strict=True)]  # 4, 8, 8, 16, 16, 32, 32
    assert all(value.isfinite().all() for value in maps)
    assert not added[2].any()  # without a strength, nothing can be added
    assert torch.allclose(added[3], added[4], atol=1e-6) and added[3].std().item() == pytest.approx(0.3, rel=0.15)
    assert added[1].std().item() == pytest.approx(0.3, rel=0.3)
    assert not added[5].any() and not added[6].any()  # the highest resolution
    for value in added:
        of_samples = value.unflatten(0, (2, 3))
        assert torch.equal(of_samples[:, :1].expand_as(of_samples), of_samples)
    assert not torch.equal(added[3][0], added[3][3])  # another reference


def test_saved_pictures_of_shared_noise_have_unit_maps_and_those_of_others_have_the_same_maps(strengths):
    generator, _ = strengths
    saved = joined(generator, SharedSynthesisNoise(0.3)).of_saved({})
    unit = joined(generator, GaussianSynthesisNoise(1.0)).maps({})
    assert all(torch.equal(a, b) for a, b in zip(saved, unit, strict=True))
    pulse = joined(generator, PulseNoise())
    pairs = zip(pulse.of_saved(pulse.initial), pulse.maps(pulse.initial), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_what_cannot_be_used_is_refused_by_name(generator):
    with pytest.raises(UserError, match=r"noise\.synthesis_std=-1"):
        GaussianSynthesisNoise(-1)
    with pytest.raises(UserError, match=r"noise\.synthesis_std=-2"):
        SharedSynthesisNoise(-2)
    with pytest.raises(UserError, match=r"noise\.synthesis_resolutions has 64.*4, 8, 16, 32"):
        GaussianSynthesisNoise(1.0, [8, 64]).draw(generator, 0, "a", 1)
