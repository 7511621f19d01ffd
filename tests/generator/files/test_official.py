"""Official pickles: what the independent writer of `official_files` put in is what comes out."""

import numpy as np
import pytest
import torch
from official_files import (
    EasyDict,
    checkpoint,
    dumps,
    in_the_manner_of_ada,
    module,
    network_arguments,
    network_tensors,
    official,
)

from multimodal_pulse.generator import CheckpointError, load_generator


def load(path, content: bytes):
    path = path / "network.pkl"
    path.write_bytes(content)
    return load_generator(path)


def assert_holds(generator, tensors) -> None:
    expected = {name: tensor for name, tensor in tensors.items() if not name.endswith("resample_filter")}
    found = generator.network.state_dict()
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor), name


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"z_dim": 64, "w_dim": 96, "mapping_kwargs": EasyDict(num_layers=1)},
        {"mapping_kwargs": {}},  # eight layers
        {"img_resolution": 256, "channel_base": 2048, "channel_max": 24},
        {"channel_base": 520, "channel_max": 100},  # 100, 65, 32: not powers of two, and one rounded down
        {"conv_clamp": None, "num_fp16_res": 0},
        {"conv_clamp": 0.5},
        {
            "architecture": "skip",
            "resample_filter": [1, 3, 3, 1],
            "use_noise": True,
            "activation": "lrelu",
            "mapping_kwargs": EasyDict(
                num_layers=2,
                embed_features=None,
                layer_features=None,
                activation="lrelu",
                lr_multiplier=0.01,
                w_avg_beta=0.995,
            ),
        },  # what the official conversion of TensorFlow checkpoints writes
    ],
)
@pytest.mark.parametrize("manner", [dict, in_the_manner_of_ada])
def test_a_network_of_any_size_loads_as_it_was_written(changes, manner, tmp_path):
    arguments = network_arguments(**changes)
    tensors = network_tensors(arguments)
    generator = load(tmp_path, dumps(checkpoint(manner(arguments), tensors)))
    assert_holds(generator, tensors)
    assert generator.z_dim == arguments["z_dim"] and generator.w_dim == arguments["w_dim"]
    assert generator.resolution == arguments["img_resolution"]
    assert generator.architecture.mapping_layers == arguments["mapping_kwargs"].get("num_layers", 8)
    assert generator.architecture.conv_clamp == arguments["conv_clamp"]
    images = generator.synthesis(generator.mapping(torch.randn(1, generator.z_dim), truncation=0.5))
    assert images.shape == (1, 3, generator.resolution, generator.resolution) and images.isfinite().all()


@pytest.mark.parametrize(("manner", "conv_clamp"), [(dict, 256), (in_the_manner_of_ada, None)])
def test_defaults_of_the_official_constructors(manner, conv_clamp, tmp_path):
    arguments = network_arguments(channel_base=32768, channel_max=512)
    tensors = network_tensors(arguments)
    for name in ("channel_base", "channel_max", "conv_clamp", "num_fp16_res"):
        del arguments[name]
    generator = load(tmp_path, dumps(checkpoint(manner(arguments), tensors)))
    assert_holds(generator, tensors)
    assert generator.architecture.conv_clamp == conv_clamp


def test_layers_that_are_clamped_differently_are_refused(tmp_path):
    arguments = network_arguments()
    written = checkpoint(arguments, network_tensors(arguments))
    below = written["G_ema"]
    for name in ("synthesis", "b8", "torgb"):
        below = below.reduced[1][0]["state"]["_modules"][name]
    below.reduced[1][0]["state"]["conv_clamp"] = None
    with pytest.raises(CheckpointError, match="different conv_clamp: (256 and None|None and 256)"):
        load(tmp_path, dumps(written))


def test_arguments_may_be_numbers_of_numpy(tmp_path):
    arguments = network_arguments()
    tensors = network_tensors(arguments)
    arguments |= {
        "z_dim": np.int64(8),
        "c_dim": np.uint8(0),
        "channel_max": np.int16(16),
        "conv_clamp": np.float32(0.5),
        "use_noise": np.bool_(True),
        "mapping_kwargs": EasyDict(num_layers=np.int32(2), lr_multiplier=np.float64(0.01)),
    }
    generator = load(tmp_path, dumps(checkpoint(arguments, tensors)))
    assert_holds(generator, tensors)
    assert generator.architecture.conv_clamp == 0.5


def test_a_mean_of_w_that_was_not_tracked_is_estimated(tmp_path):
    arguments = network_arguments(mapping_kwargs=EasyDict(num_layers=2, w_avg_beta=None))
    tensors = network_tensors(arguments)
    del tensors["mapping.w_avg"]
    content = dumps(checkpoint(arguments, tensors))
    generator = load(tmp_path, content)
    mean, w = generator.mapping(torch.zeros(1, 8), truncation=0)[0, 0], generator.mapping(torch.randn(100_000, 8))[:, 0]
    assert ((mean - w.mean(dim=0)).abs() < 5 * w.std(dim=0) / 4096**0.5).all()
    assert torch.equal(load(tmp_path, content).network.mapping.w_avg, mean)


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_every_protocol_of_pickle_that_holds_bytes(protocol, tmp_path):
    content = official(protocol)
    assert content[:2] == bytes([0x80, protocol])
    assert load(tmp_path, content).resolution == 16


def test_arguments_without_names(tmp_path):
    arguments = network_arguments()
    tensors = network_tensors(arguments)
    written = checkpoint(arguments, tensors)
    positional = tuple(arguments.pop(name) for name in ("z_dim", "c_dim", "w_dim", "img_resolution", "img_channels"))
    written["G_ema"] = module("Generator", arguments, tensors)
    written["G_ema"].reduced[1][0]["state"]["_init_args"] = positional
    assert_holds(load(tmp_path, dumps(written)), tensors)


def test_half_precision_and_other_orders_of_dimensions(tmp_path):
    arguments = network_arguments()
    tensors = network_tensors(arguments)
    written = {
        name: tensor.to(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor.half()
        for name, tensor in tensors.items()
    }
    written["mapping.fc1.weight"] = written["mapping.fc1.weight"].T.contiguous().T
    generator = load(tmp_path, dumps(checkpoint(arguments, written)))
    assert_holds(generator, {name: tensor.float() for name, tensor in written.items()})


def test_another_learning_rate_multiplier_gives_the_same_mapping(tmp_path):
    arguments = network_arguments(mapping_kwargs=EasyDict(num_layers=2, lr_multiplier=0.1))
    tensors = network_tensors(arguments)
    generator = load(tmp_path, dumps(checkpoint(arguments, tensors)))
    z = torch.randn(4, 8)
    x = z / z.square().mean(dim=1, keepdim=True).sqrt()
    for index, features in enumerate((8, 12)):
        weight = tensors[f"mapping.fc{index}.weight"] * 0.1 / features**0.5
        x = torch.nn.functional.leaky_relu(x @ weight.T + tensors[f"mapping.fc{index}.bias"] * 0.1, 0.2) * 2**0.5
    assert (generator.mapping(z)[:, 0] - x).abs().max() < 1e-5 * x.abs().max()


def test_the_other_networks_of_a_checkpoint_may_be_anything_made_of_tensors(tmp_path):
    arguments = network_arguments()
    discriminator = module("Discriminator", {"c_dim": 0}, {"b16.fromrgb.weight": torch.zeros(4, 3, 1, 1)})
    others = {"G": module("Generator", arguments, network_tensors(arguments, seed=1)), "D": discriminator}
    tensors = network_tensors(arguments)
    assert_holds(load(tmp_path, dumps(checkpoint(arguments, tensors, **others))), tensors)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"c_dim": 10}, r"conditional network \(c_dim 10\)"),
        ({"architecture": "resnet"}, "StyleGAN2 variant with architecture=resnet"),
        ({"architecture": "orig"}, "StyleGAN2 variant with architecture=orig"),
        ({"use_noise": False}, "StyleGAN2 variant with use_noise=False"),
        ({"resample_filter": [1, 2, 1]}, "StyleGAN2 variant with resample_filter=a list"),
        ({"activation": "relu"}, "StyleGAN2 variant with activation=relu"),
        ({"kernel_size": 5}, "StyleGAN2 variant with kernel_size=5"),
        ({"magnitude": 1}, "StyleGAN2 variant with an argument magnitude"),
        ({"img_channels": 1}, "1 channels, not the 3 of RGB"),
        ({"img_resolution": 8}, "power of two from 16 to 1024, not 8"),
        ({"mapping_kwargs": EasyDict(activation="relu")}, "StyleGAN2 variant with activation=relu"),
        ({"mapping_kwargs": EasyDict(layer_features=7)}, "layer_features=7 instead of w_dim"),
        ({"mapping_kwargs": EasyDict(lr_multiplier=float("inf"))}, "unusable lr_multiplier=inf"),
        ({"conv_clamp": -1}, "conv_clamp must be a positive number"),
        ({"conv_clamp": "256"}, "conv_clamp must be a positive number"),
    ],
)
def test_a_variant_is_refused_by_name(changes, reason, tmp_path):
    with pytest.raises(CheckpointError, match=reason):
        load(tmp_path, official(**changes))


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_a_stylegan3_network_is_refused_by_name(protocol, tmp_path):
    arguments = network_arguments(magnitude_ema_beta=0.998)
    tensors = {
        "mapping.fc0.weight": torch.zeros(12, 8),
        "synthesis.input.weight": torch.zeros(16, 16),
        "synthesis.input.freqs": torch.zeros(16, 2),
        "synthesis.L0_36_16.weight": torch.zeros(16, 16, 3, 3),
    }
    network = module("Generator", arguments, tensors)
    layers = network.reduced[1][0]["state"]["_modules"]["synthesis"].reduced[1][0]["state"]["_modules"]
    layers["L0_36_16"].reduced[1][0]["state"]["in_size"] = torch.tensor([36, 36]).numpy()  # arrays come with it
    with pytest.raises(CheckpointError, match="it is a StyleGAN3 network"):
        load(tmp_path, dumps({"G_ema": network}, protocol))
