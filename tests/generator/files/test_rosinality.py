"""State dicts in rosinality's format: the same network as the official file that they were rebuilt from."""

import argparse

import numpy as np
import pytest
import torch
from reference_files import FOLDER, needs_reference
from rosinality_files import kernel, modulated_convolution, state_dict

from multimodal_pulse.generator import CheckpointError, Generator, load_generator, untrained

TOLERANCE = 1e-4  # of the largest absolute value


def rebuilt(generator: Generator) -> dict[str, torch.Tensor]:
    a = generator.architecture
    return state_dict(generator.network.state_dict(), a.mapping_layers, a.resolution)


def latent_avg(generator: Generator) -> torch.Tensor:
    return generator.network.mapping.w_avg


@pytest.fixture
def small() -> Generator:
    return untrained(32, z_dim=8, w_dim=8, mapping_layers=2, channel_base=256, channel_max=16)


def write(path, content, zipped: bool = True):
    path = path / "network.pt"
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    return path


@needs_reference
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before PyTorch 1.6"])
@pytest.mark.parametrize("name", ["random32", "random64"])
def test_rebuilt_from_a_reference_it_reproduces_all_its_arrays(name, zipped, tmp_path):
    official = load_generator(FOLDER / f"{name}.pkl")
    content = {"g_ema": rebuilt(official), "latent_avg": latent_avg(official)}
    generator = load_generator(write(tmp_path, content, zipped))
    arrays = {name: torch.from_numpy(array) for name, array in np.load(FOLDER / f"{name}.npz").items()}
    w_plus = arrays["wplus"].requires_grad_()
    maps = [
        arrays[f"noise_{layer:02d}_{r}"].reshape(-1, 1, r, r) for layer, r in enumerate(generator.noise_resolutions)
    ]
    silence = [torch.zeros_like(noise_map) for noise_map in generator.constant_noise()]
    image = generator.synthesis(w_plus) * 2 - 1
    results = {
        "ws": generator.mapping(arrays["z"]),
        "ws_trunc07": generator.mapping(arrays["z"], truncation=0.7),
        "img_const": image,
        "img_none": generator.synthesis(w_plus, silence) * 2 - 1,
        "img_from_z_const": generator.synthesis(arrays["ws"]) * 2 - 1,
        "img_custom_noise": generator.synthesis(w_plus, maps) * 2 - 1,
        "grad_mean_square_const": torch.autograd.grad(image.square().mean(), w_plus, retain_graph=True)[0],
    }
    for array, result in results.items():
        assert (result - arrays[array]).abs().max() <= TOLERANCE * arrays[array].abs().max(), array


def test_the_configuration_is_inferred(small, tmp_path):
    generator = load_generator(write(tmp_path, {"g_ema": rebuilt(small), "latent_avg": latent_avg(small)}))
    assert generator.architecture == small.architecture


def test_a_mean_of_w_as_the_formats_own_code_computes_it(small, tmp_path):
    mean = torch.randn(1, 8)
    generator = load_generator(write(tmp_path, {"g_ema": rebuilt(small), "latent_avg": mean}))
    assert torch.equal(generator.network.mapping.w_avg, mean[0])


def test_layers_whose_weights_are_tiny_are_damped_as_in_that_code(small, tmp_path):
    state = rebuilt(small)
    state["convs.1.conv.weight"] *= 1e-5  # the demodulation's epsilon counts now
    generator = load_generator(write(tmp_path, {"g_ema": state, "latent_avg": latent_avg(small)}))
    x, w, noise = torch.randn(16, 8, 8), torch.randn(8), torch.zeros(8, 8)
    expected = modulated_convolution(x, state, "convs.1", w, noise)
    result = generator.network.synthesis.blocks[1].conv1(x[None], w[None], noise[None, None])[0]
    torch.testing.assert_close(result, expected, rtol=1e-4, atol=1e-6)
    undamped = small.network.synthesis.blocks[1].conv1(x[None], w[None], noise[None, None])[0]
    assert (undamped - expected).abs().max() > 0.1 * expected.abs().max()


def test_a_training_state_loads(small, tmp_path):
    moments = {"step": torch.tensor(3.0), "exp_avg": torch.zeros(8, 8), "exp_avg_sq": torch.zeros(8, 8)}
    settings = {"lr": 0.002, "betas": (0.0, 0.99), "weight_decay": 0, "amsgrad": False, "foreach": None, "params": [0]}
    content = {
        "g": rebuilt(untrained(32, seed=1)),
        "d": torch.nn.Linear(2, 2).state_dict(),  # an OrderedDict with an attribute
        "g_ema": rebuilt(small),
        "g_optim": {"state": {0: moments}, "param_groups": [settings]},
        "args": argparse.Namespace(size=32, channel_multiplier=2, path="faces"),
        "ada_aug_p": torch.zeros(1),
    }
    generator = load_generator(write(tmp_path, content))
    assert torch.equal(generator.constant_noise()[3], small.constant_noise()[3])


def test_a_mean_of_w_that_is_missing_is_estimated_and_always_the_same(small, tmp_path):
    path = write(tmp_path, {"g_ema": rebuilt(small)})
    mean = load_generator(path).network.mapping.w_avg
    assert torch.equal(mean, load_generator(path).network.mapping.w_avg)
    w = small.mapping(torch.randn(100_000, 8))[:, 0]
    standard_error = w.std(dim=0) / 4096**0.5
    assert ((mean - w.mean(dim=0)).abs() < 5 * standard_error).all()


def without_noise(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor for name, tensor in state.items() if not name.startswith("noises.")}


def test_a_file_without_noise_maps_as_the_author_published_them_gets_the_same_ones_always(small, tmp_path, caplog):
    path = write(tmp_path, {"g_ema": without_noise(rebuilt(small)), "latent_avg": latent_avg(small)})
    generator = load_generator(path)
    [said] = [record.getMessage() for record in caplog.records]
    assert said == f"'{path}' has no noise maps: they are drawn from a fixed seed, always the same."
    maps = generator.constant_noise()
    assert [noise_map.shape[-1] for noise_map in maps] == small.noise_resolutions
    assert all(map(torch.equal, maps, load_generator(path).constant_noise()))
    numbers = torch.cat([noise_map.flatten() for noise_map in maps])
    assert abs(numbers.mean()) < 0.1 and abs(numbers.std() - 1) < 0.1
    assert not torch.equal(maps[-1], maps[-2])
    silence = [torch.zeros_like(noise_map) for noise_map in maps]
    w_plus = torch.randn(1, small.num_ws, small.w_dim)
    torch.testing.assert_close(generator.synthesis(w_plus, silence), small.synthesis(w_plus, silence))


def test_a_network_of_few_channels_has_room_for_its_noise_maps(tmp_path):
    slim = untrained(512, z_dim=1, w_dim=1, mapping_layers=1, channel_base=512, channel_max=1)
    path = write(tmp_path, {"g_ema": without_noise(rebuilt(slim)), "latent_avg": latent_avg(slim)})
    assert path.stat().st_size < sum(side**2 for side in slim.noise_resolutions)
    assert load_generator(path).resolution == 512


@pytest.mark.parametrize("prefix", ["module.", "module.module."])
def test_the_prefix_of_data_parallel_is_taken_off(prefix, small, tmp_path):
    state = {prefix + name: tensor for name, tensor in rebuilt(small).items()}
    generator = load_generator(write(tmp_path, {"g_ema": state, "latent_avg": latent_avg(small)}))
    assert generator.architecture == small.architecture
    assert all(map(torch.equal, generator.constant_noise(), small.constant_noise()))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda state: state.pop("noises.noise_3"), r"lacks the tensor noises\.noise_3"),
        (lambda state: state.update({"module.extra": torch.zeros(1)}), r"no place for: module\.extra"),
        (lambda state: state.pop("convs.2.noise.weight"), r"lacks the tensor convs\.2\.noise\.weight"),
        (lambda state: state.pop("convs.2.conv.weight"), r"lacks the tensor convs\.2\.conv\.weight"),
        (lambda state: state.pop("to_rgbs.2.bias"), "no place for: "),
        (lambda state: state.pop("input.input"), r"lacks the tensor input\.input"),
        (lambda state: state.pop("style.1.weight"), r"lacks the tensor style\.1\.weight"),
        (lambda state: state.update({"iwt.ll": torch.zeros(2, 2)}), r"no place for: iwt\.ll"),
        (lambda state: state.update({"convs.0.conv.blur.kernel": kernel() / 4}), "is not the filter"),
        (lambda state: state.update({"to_rgbs.0.upsample.kernel": torch.ones(2, 2)}), "is not the filter"),
        (lambda state: state.update({"conv1.activate.bias": torch.zeros(3)}), r"conv1\.bias is \(3,\)"),
        (lambda state: state.update({"input.input": torch.zeros(16)}), "too few dimensions"),
        (lambda state: state.update({"noises.noise_0": torch.full([1, 1, 4, 4], torch.inf)}), "not finite"),
        (lambda state: state.update({"step": 3}), "entry step, which is not a tensor"),
        (lambda state: state.clear(), r"lacks the tensor input\.input"),
    ],
)
def test_a_state_that_is_no_such_network_is_refused(change, reason, small, tmp_path):
    state = rebuilt(small)
    change(state)
    with pytest.raises(CheckpointError, match=reason):
        load_generator(write(tmp_path, {"g_ema": state}))


def test_a_zip_archive_with_a_wrong_checksum_is_refused(small, tmp_path):
    path = write(tmp_path, {"g_ema": rebuilt(small)})
    numbers = small.constant_noise()[3].numpy().tobytes()
    content = path.read_bytes()
    assert content.count(numbers) == 1
    path.write_bytes(content.replace(numbers, bytes([numbers[0] ^ 1]) + numbers[1:]))
    with pytest.raises(CheckpointError, match=r"is damaged: \S+/data/\d+ in its zip archive has another checksum$"):
        load_generator(path)


def test_bytes_behind_an_older_file_are_refused(small, tmp_path):
    path = write(tmp_path, {"g_ema": rebuilt(small)}, zipped=False)
    path.write_bytes(path.read_bytes() + b"more")
    with pytest.raises(CheckpointError, match="4 bytes follow its last storage"):
        load_generator(path)


@pytest.mark.parametrize("content", [{"generator": {}}, {"g_ema": torch.zeros(3)}, [1, 2], torch.zeros(3)])
def test_another_file_of_pytorch_is_refused(content, tmp_path):
    with pytest.raises(CheckpointError, match="no StyleGAN2 state dict g_ema"):
        load_generator(write(tmp_path, content))
