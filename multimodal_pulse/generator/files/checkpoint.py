"""Generator files: reads our `safetensors`, official pickles and rosinality's files; writes `safetensors`.

Reading a file of any kind gives an architecture and tensors that are still in the file. Their shapes are compared
before any tensor is copied.
"""

import dataclasses
import hashlib
import json
import logging
import math
import mmap
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.base.files import expanded, write_atomic
from multimodal_pulse.generator.files.official import read_official
from multimodal_pulse.generator.files.restricted_pickle import Allowance, RefusedError, printable
from multimodal_pulse.generator.files.rosinality import NoiseFromSeed, read_rosinality
from multimodal_pulse.generator.files.torch_files import is_legacy, read_legacy, read_zip
from multimodal_pulse.generator.frozen import Generator
from multimodal_pulse.generator.stylegan2 import Architecture, StyleGAN2

log = logging.getLogger(__name__)

FORMAT = "multimodal-pulse stylegan2"
OWN_DTYPES = ("F64", "F32", "F16", "BF16")  # the names in safetensors

MAX_FILE = 8 * 2**30
"""The most bytes of a file; a training state of twice the official width, with optimisers, has about 4 GiB."""

MAX_HEADER = 2**20
"""The most bytes of a safetensors header; the largest network's has about 20 kB."""

NO_WEIGHTS = {
    b"<": "it is a web page, as a server sends it in place of a file (a quota, a login): download it again",
    b"version https://git-lfs": "it is a Git LFS pointer in place of a file: fetch the file with `git lfs pull`",
    b"(dp": "it is a pickle of protocol 0, in which no such checkpoint is written",
}
"""The first bytes of files that hold no weights, and the message for each."""


class CheckpointError(UserError):
    """A generator file cannot be used; the message names the file and the reason."""


class TensorInFile(Protocol):
    """A tensor that has not been read yet."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def read(self) -> Tensor:
        """Returns a float32 copy."""
        ...


def save_generator(network: StyleGAN2, path: str | Path, dtype: torch.dtype = torch.float32) -> None:
    """Writes the weights and the architecture to `path`, atomically; the same network always gives the same bytes.

    Args:
        network: the network.
        path: the file.
        dtype: the stored precision; loading always gives float32.

    Raises:
        OSError: `path` cannot be written.
    """
    tensors = {name: tensor.detach().cpu().to(dtype).contiguous() for name, tensor in network.state_dict().items()}
    header = {FORMAT: json.dumps(network.architecture.as_dict())}  # one key: the order of several is not fixed
    write_atomic(path, save(tensors, metadata=header))


def load_generator(path: str | Path, device: str | torch.device = "cpu", domain: str | None = None) -> Generator:
    """Reads a generator: an official `.pkl`, rosinality's `.pt`, or our own `.safetensors`.

    The content decides the kind, not the file's name. The file is treated as data: nothing in it is imported, called or
    compiled, and the sizes it declares are compared with its contents before memory is allocated.

    Args:
        path: the file.
        device: the device of the generator.
        domain: the content of its pictures, see `Generator`; files do not contain it.

    Raises:
        CheckpointError: the file is missing, damaged, of another kind, or contains something that is refused; its
            network is not supported, or does not match its tensors.
    """
    path = expanded(path)
    try:
        if not path.is_file():
            raise CheckpointError(f"generator file '{path}' {'is not a file' if path.exists() else 'does not exist'}")
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            if size == 0:
                raise RefusedError("it is empty")
            if size > MAX_FILE:
                raise RefusedError(f"it has {size} bytes, far more than any such network")
            content = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)
            architecture, tensors = _read(path, file.fileno(), memoryview(content))
            network = _network(architecture, tensors, size)
            if any(isinstance(tensor, NoiseFromSeed) for tensor in tensors.values()):
                log.warning("'%s' has no noise maps: they are drawn from a fixed seed, always the same.", path)
            file.seek(0)
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except RefusedError as error:
        raise CheckpointError(f"'{path}' cannot be used: {error}") from error
    except ValueError as error:  # from Architecture, for unusable sizes, which may be numbers of any length
        raise CheckpointError(f"'{path}' cannot be used: {printable(str(error))}") from error
    except OSError as error:
        raise CheckpointError(f"'{path}' cannot be read: {error.strerror or error}") from error
    return Generator(network, sha256, domain).to(device)


def untrained(
    resolution: int = 128,
    seed: int = 0,
    z_dim: int = 128,
    w_dim: int = 128,
    mapping_layers: int = 4,
    channel_base: int = 2048,
    channel_max: int = 128,
) -> Generator:
    """Makes a generator with random weights, as a baseline and for tests; the same `seed` gives the same weights.

    Noise strengths are 0.1, so that noise maps have an effect.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = StyleGAN2(Architecture(resolution, z_dim, w_dim, mapping_layers, channel_base, channel_max))
    for layer in network.synthesis.layers:
        torch.nn.init.constant_(layer.noise_strength, 0.1)
    return Generator(network)


def _read(path: Path, descriptor: int, content: memoryview) -> tuple[Architecture, Mapping[str, TensorInFile]]:
    """Returns architecture and tensors of a file; its first bytes show the kind."""
    beginning, allowance = bytes(content[:64]), Allowance()
    if beginning[6:9] == b"\0\0{":  # safetensors: the length of the header comes first and may look like any text
        return _read_own(path, header_size=int.from_bytes(beginning[:8], "little"))
    for sign, what in NO_WEIGHTS.items():
        if beginning.lstrip().startswith(sign):
            raise RefusedError(what)
    if beginning.startswith(b"PK\x03\x04"):
        return read_rosinality(read_zip(descriptor, content, allowance))
    if is_legacy(content):
        return read_rosinality(read_legacy(content, allowance))
    return read_official(content, allowance)


# --- our own format


@dataclass(frozen=True)
class _OwnTensor:
    file: Any
    name: str

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.file.get_slice(self.name).get_shape())

    def read(self) -> Tensor:
        """Returns a float32 copy; safetensors itself gives a view, which would change with the file."""
        dtype = self.file.get_slice(self.name).get_dtype()
        if dtype not in OWN_DTYPES:
            raise RefusedError(f"its tensor {self.name} holds numbers of the kind {printable(dtype)}")
        return self.file.get_tensor(self.name).to(torch.float32, copy=True)


def _read_own(path: Path, header_size: int) -> tuple[Architecture, dict[str, _OwnTensor]]:
    if header_size > MAX_HEADER:
        raise RefusedError("its safetensors header is longer than that of any such network")
    try:
        file = safe_open(path, framework="pt")
        header = file.metadata() or {}
        names = list(file.keys())
    except SafetensorError as error:
        raise RefusedError("it is not a readable safetensors file") from error
    if header.get("format") == FORMAT:  # the form in which the shipped prior was written
        header[FORMAT] = header.get("architecture", "")
    if FORMAT not in header:
        raise RefusedError("it is a safetensors file, but not a generator of this program")
    return _own_architecture(header[FORMAT]), {name: _OwnTensor(file, name) for name in names}


def _own_architecture(text: str) -> Architecture:
    try:
        arguments = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RefusedError("the architecture in its header is damaged") from error
    if not isinstance(arguments, dict) or "resolution" not in arguments:
        raise RefusedError("the architecture in its header has no resolution")
    if unknown := sorted(arguments.keys() - {field.name for field in dataclasses.fields(Architecture)}):
        raise RefusedError(f"the architecture in its header has the unknown {printable(unknown[0])}")
    return Architecture(**arguments)


# --- from architecture and tensors to the network


def _network(architecture: Architecture, tensors: Mapping[str, TensorInFile], available: int) -> StyleGAN2:
    """Builds the network with its weights.

    Args:
        architecture: the architecture that the file declares.
        tensors: the tensors in the file.
        available: the bytes of the file; each number needs at least one.
    """
    if architecture.img_channels != 3:
        raise RefusedError(f"its images have {architecture.img_channels} channels, not the 3 of RGB")
    with torch.device("meta"):
        network = StyleGAN2(architecture)
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    _check_shapes(expected, {name: tensor.shape for name, tensor in tensors.items()})
    stored = (shape for name, shape in expected.items() if not isinstance(tensors[name], NoiseFromSeed))
    if sum(map(math.prod, stored)) > available:
        raise RefusedError("its tensors have more numbers than fit into it")
    network.load_state_dict({name: _finite(name, tensors[name].read()) for name in expected}, assign=True)
    return network


def _check_shapes(expected: dict[str, tuple[int, ...]], found: dict[str, tuple[int, ...]]) -> None:
    if missing := sorted(expected.keys() - found.keys()):
        raise RefusedError(f"it lacks the tensor {missing[0]} ({len(missing)} missing in all)")
    if extra := sorted(found.keys() - expected.keys()):
        raise RefusedError(f"it has a tensor that its architecture has no place for: {printable(extra[0])}")
    for name, shape in expected.items():
        if found[name] != shape:
            raise RefusedError(f"its tensor {name} is {found[name]}, its architecture needs {shape}")


def _finite(name: str, tensor: Tensor) -> Tensor:
    if not torch.isfinite(tensor).all():
        raise RefusedError(f"its tensor {name} has values that are not finite")
    return tensor
