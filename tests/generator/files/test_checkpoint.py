"""Generator files: what is written is read back to the last bit, and what is broken is refused by name."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from multimodal_pulse.generator import CheckpointError, load_generator, save_generator, untrained
from multimodal_pulse.generator.files.checkpoint import FORMAT


@pytest.fixture
def small():
    return untrained(resolution=16, z_dim=8, w_dim=8, mapping_layers=2, channel_base=128, channel_max=8)


@pytest.fixture
def saved(small, tmp_path):
    save_generator(small.network, tmp_path / "small.safetensors")
    return tmp_path / "small.safetensors"


def header_of(path) -> dict[str, str]:
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        return file.metadata()


def test_round_trip_is_exact(small, saved):
    loaded = load_generator(saved)
    z = torch.randn(2, 8)
    assert loaded.architecture == small.architecture
    assert torch.equal(loaded.synthesis(loaded.mapping(z)), small.synthesis(small.mapping(z)))
    assert sorted(path.name for path in saved.parent.iterdir()) == ["small.safetensors"]


def test_half_precision_file_loads_as_float32(small, tmp_path):
    save_generator(small.network, tmp_path / "half.safetensors", dtype=torch.float16)
    assert all(p.dtype == torch.float32 for p in load_generator(tmp_path / "half.safetensors").parameters())


def test_weights_stay_when_the_file_is_overwritten(saved):
    loaded = load_generator(saved)
    before = {name: tensor.clone() for name, tensor in loaded.network.state_dict().items()}
    with saved.open("r+b") as file:
        file.write(bytes(saved.stat().st_size))
    assert all(torch.equal(tensor, before[name]) for name, tensor in loaded.network.state_dict().items())


@pytest.mark.parametrize("size", [0x3C20, 0x3C20 + 0x10000])  # the first two bytes read " <", as of a web page
def test_a_header_of_any_length(size, saved, small):
    content = saved.read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    saved.write_bytes(size.to_bytes(8, "little") + content[8:end].ljust(size) + content[end:])
    assert load_generator(saved).architecture == small.architecture


def test_missing_file(tmp_path):
    with pytest.raises(CheckpointError, match=r"nowhere\.safetensors' does not exist"):
        load_generator(tmp_path / "nowhere.safetensors")


def test_truncated_file(saved):
    saved.write_bytes(saved.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="not a readable safetensors file$"):
        load_generator(saved)


def test_other_safetensors_file(tmp_path):
    save_file({"x": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match="not a generator"):
        load_generator(tmp_path / "other.safetensors")


@pytest.mark.parametrize(
    ("architecture", "reason"),
    [
        ("", "architecture in its header is damaged"),
        ("[" * 100_000, "architecture in its header is damaged"),
        ("[]", "has no resolution"),
        ('{"z_dim": 4}', "has no resolution"),
        ('{"resolution": 17}', "power of two from 16 to 1024, not 17"),
        ('{"resolution": 16.0}', "resolution must be a whole number"),
        ('{"resolution": "16"}', "resolution must be a whole number"),
        ('{"resolution": 16, "depth": 3}', "unknown depth"),
        ('{"resolution": 16, "img_channels": 1}', "1 channels, not the 3 of RGB"),
        ('{"resolution": 16, "w_dim": 1000000000000}', "w_dim must be from 1 to 65536"),
        ('{"resolution": 16, "mapping_layers": 1000000000}', "mapping_layers must be from 1 to 64"),
        ('{"resolution": 16, "channel_base": 8}', "leaves no channel"),
        ('{"resolution": 16, "conv_clamp": NaN}', "conv_clamp must be a positive number"),
        ('{"resolution": 16, "conv_clamp": [1]}', "conv_clamp must be a positive number"),
        ('{"resolution": 1024}', "lacks the tensor"),
    ],
)
def test_unusable_header(architecture, reason, saved):
    for header in ({FORMAT: architecture}, {"format": FORMAT, "architecture": architecture}):
        save_file(load_file(saved), saved, metadata=header)
        with pytest.raises(CheckpointError, match=reason):
            load_generator(saved)


def test_the_header_with_two_keys_of_the_shipped_prior_is_read(saved, small):
    (architecture,) = header_of(saved).values()
    save_file(load_file(saved), saved, metadata={"format": FORMAT, "architecture": architecture})
    assert load_generator(saved).architecture == small.architecture


def rewrite(path, change):
    header, tensors = header_of(path), load_file(path)
    change(tensors)
    save_file(tensors, path, metadata=header)


def test_tensors_that_contradict_the_header(saved):
    rewrite(saved, lambda tensors: tensors.update({"mapping.w_avg": torch.zeros(9)}))
    with pytest.raises(CheckpointError, match=r"mapping\.w_avg is \(9,\), its architecture needs \(8,\)"):
        load_generator(saved)


@pytest.mark.parametrize("dtype", [torch.complex64, torch.int64, torch.bool])
def test_numbers_of_another_kind(dtype, saved):
    rewrite(saved, lambda tensors: tensors.update({"mapping.w_avg": torch.zeros(8, dtype=dtype)}))
    with pytest.raises(CheckpointError, match=r"mapping\.w_avg holds numbers of the kind"):
        load_generator(saved)


def test_missing_and_extra_tensors(saved):
    rewrite(saved, lambda tensors: tensors.pop("mapping.w_avg"))
    with pytest.raises(CheckpointError, match=r"lacks the tensor mapping\.w_avg"):
        load_generator(saved)
    rewrite(saved, lambda tensors: tensors.update({"mapping.w_avg": torch.zeros(8), "extra": torch.zeros(1)}))
    with pytest.raises(CheckpointError, match="no place for: extra"):
        load_generator(saved)


def test_values_that_are_not_finite(saved):
    rewrite(saved, lambda tensors: tensors["mapping.w_avg"].fill_(float("nan")))
    with pytest.raises(CheckpointError, match=r"mapping\.w_avg has values that are not finite"):
        load_generator(saved)
