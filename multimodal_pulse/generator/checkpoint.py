"""Generator files: `safetensors` with the architecture in the header. Nothing in such a file can run."""

import dataclasses
import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from multimodal_pulse.errors import UserError
from multimodal_pulse.files import atomic_file, file_sha256
from multimodal_pulse.generator.frozen import Generator
from multimodal_pulse.generator.stylegan2 import Architecture, StyleGAN2

FORMAT = "multimodal-pulse stylegan2"


class CheckpointError(UserError):
    """A generator file that cannot be used; the message names the file and what is wrong with it."""


def save_generator(network: StyleGAN2, path: str | Path, dtype: torch.dtype = torch.float32) -> None:
    """Write the weights and the architecture to `path`, whole or not at all.

    Args:
        dtype: stored precision; loading always gives float32.
    """
    tensors = {name: tensor.detach().cpu().to(dtype).contiguous() for name, tensor in network.state_dict().items()}
    header = {"format": FORMAT, "architecture": json.dumps(network.architecture.as_dict())}
    with atomic_file(path) as partial:
        save_file(tensors, partial, metadata=header)


def load_generator(path: str | Path, device: str | torch.device = "cpu") -> Generator:
    """Read a generator from a `.safetensors` file.

    Raises:
        CheckpointError: the file is missing, damaged, of another kind, or its tensors contradict its header.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise CheckpointError(f"generator file '{path}' does not exist")
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            if header.get("format") != FORMAT:
                raise CheckpointError(f"'{path}' is a safetensors file, but not a generator of this program")
            architecture = _architecture(header.get("architecture", ""), path)
            with torch.device("meta"):
                network = StyleGAN2(architecture)
            expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
            found = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
            _check_shapes(expected, found, path)
            tensors = {name: file.get_tensor(name).float() for name in expected}
    except SafetensorError as error:
        raise CheckpointError(f"'{path}' is not a readable safetensors file") from error
    except OSError as error:
        raise CheckpointError(f"'{path}' cannot be read: {error}") from error
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise CheckpointError(f"'{path}': tensor {name} has values that are not finite")
    network.load_state_dict(tensors, assign=True)
    return Generator(network, sha256=file_sha256(path)).to(device)


def untrained(
    resolution: int = 128,
    seed: int = 0,
    z_dim: int = 128,
    w_dim: int = 128,
    mapping_layers: int = 4,
    channel_base: int = 2048,
    channel_max: int = 128,
) -> Generator:
    """A generator with random weights, as a baseline and for tests: the same `seed` always gives the same one.

    Noise strengths are 0.1, so that noise maps show.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = StyleGAN2(Architecture(resolution, z_dim, w_dim, mapping_layers, channel_base, channel_max))
    for layer in network.synthesis.layers:
        torch.nn.init.constant_(layer.noise_strength, 0.1)
    return Generator(network)


def _architecture(text: str, path: Path) -> Architecture:
    fields = {field.name for field in dataclasses.fields(Architecture)}
    try:
        arguments = json.loads(text)
        if set(arguments) - fields:
            raise ValueError(f"unknown {', '.join(sorted(set(arguments) - fields))}")
        if arguments.get("img_channels", 3) != 3:
            raise ValueError(f"its images have {arguments['img_channels']} channels, not the 3 of RGB")
        return Architecture(**arguments)
    except (ValueError, TypeError, AttributeError) as error:
        raise CheckpointError(f"'{path}': the architecture in its header is not usable: {error}") from error


def _check_shapes(expected: dict[str, tuple], found: dict[str, tuple], path: Path) -> None:
    if missing := sorted(expected.keys() - found.keys()):
        raise CheckpointError(f"'{path}' lacks the tensor {missing[0]} ({len(missing)} missing in all)")
    if extra := sorted(found.keys() - expected.keys()):
        raise CheckpointError(f"'{path}' has a tensor that its architecture has no place for: {extra[0]}")
    for name, shape in expected.items():
        if found[name] != shape:
            raise CheckpointError(f"'{path}': tensor {name} is {found[name]}, its architecture needs {shape}")
