"""Tensors in PyTorch's files: their descriptions in pickles, and the two containers of `torch.save`.

Only the needed parts of a file are read: a tensor is only described (the place and order of its numbers) until
`StoredTensor.read` copies it. Every description is checked against the bytes in the file.
"""

import io
import math
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from multimodal_pulse.generator.files.restricted_pickle import (
    Allowance,
    Name,
    RefusedError,
    empty_dict,
    ignored,
    printable,
    read_pickle,
)

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_PROTOCOL = 1001
MAX_DIMENSIONS = 8
MAX_DIRECTORY = 4 * 2**20
"""The most bytes of a zip archive's directory; it usually has about a hundred per tensor."""


@dataclass
class Storage:
    """A row of numbers in a file; `data` is filled in later if the container stores it outside the pickle."""

    dtype: torch.dtype
    numel: int
    data: memoryview | None = None

    def fill(self, data: memoryview) -> None:
        if len(data) != self.numel * self.dtype.itemsize:
            raise RefusedError(f"a tensor's storage has {len(data)} bytes, not the {self.numel} numbers it declares")
        self.data = data


@dataclass(frozen=True)
class StoredTensor:
    """A tensor in a file that has not been read yet.

    Attributes:
        storage: the storage with its numbers.
        offset: the index of its first number in the storage.
        shape: the size of each dimension.
        stride: the step in the storage from one index to the next, for each dimension.
        scale: the factor that reading applies.
    """

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    scale: float = 1.0

    @property
    def numel(self) -> int:
        return math.prod(self.shape)

    @property
    def span(self) -> int:
        """The count of numbers in the storage from the first to the last."""
        return 1 + sum((size - 1) * step for size, step in zip(self.shape, self.stride, strict=True))

    def read(self) -> Tensor:
        """Returns a float32 copy.

        Raises:
            RefusedError: the numbers are not contiguous, so that the copy could be larger than the file, or are not
                floating-point numbers.
        """
        if not self.storage.dtype.is_floating_point:
            raise RefusedError(f"a tensor of shape {self.shape} holds numbers of the kind {self.storage.dtype}")
        if self.span != self.numel or self.storage.data is None:
            raise RefusedError(f"a tensor of shape {self.shape} has its numbers in unusable places")
        size = self.storage.dtype.itemsize
        content = self.storage.data[self.offset * size : (self.offset + self.numel) * size]
        numbers = torch.frombuffer(bytearray(content), dtype=self.storage.dtype)
        tensor = numbers.as_strided(self.shape, self.stride).to(torch.float32).contiguous()
        return tensor if self.scale == 1.0 else tensor * self.scale

    def squeezed(self, dim: int) -> "StoredTensor":
        """Returns the tensor without dimension `dim` if that has size 1, else unchanged."""
        if not -len(self.shape) <= dim < len(self.shape) or self.shape[dim] != 1:
            return self
        keep = [index for index in range(len(self.shape)) if index != dim % len(self.shape)]
        return replace(
            self, shape=tuple(self.shape[index] for index in keep), stride=tuple(self.stride[index] for index in keep)
        )

    def scaled(self, scale: float) -> "StoredTensor":
        return replace(self, scale=self.scale * scale)

    def equals(self, expected: Tensor) -> bool:
        """Returns whether this equals `expected`, up to rounding; if the shapes differ, nothing is read."""
        return self.shape == expected.shape and torch.allclose(self.read(), expected)


# --- names that a pickle of tensors may use


def _rebuild_tensor(arguments: tuple) -> StoredTensor:
    match arguments:
        case (Storage() as storage, int() as offset, tuple() as shape, tuple() as stride, *_):
            pass
        case _:
            raise RefusedError("a tensor is built from other arguments than tensors have")
    if len(shape) != len(stride) or len(shape) > MAX_DIMENSIONS:
        raise RefusedError("a tensor has unusable dimensions")
    if not all(isinstance(number, int) and 0 <= number < 2**63 for number in (offset, *shape, *stride)):
        raise RefusedError("a tensor has unusable dimensions")
    tensor = StoredTensor(storage, offset, shape, stride)
    if tensor.numel > 0 and offset + tensor.span > storage.numel:
        raise RefusedError(f"a tensor of shape {shape} does not fit into its storage of {storage.numel} numbers")
    return tensor


def _rebuild_parameter(arguments: tuple) -> StoredTensor:
    match arguments:
        case (StoredTensor() as tensor, *_):
            return tensor
    raise RefusedError("a parameter is built from something else than a tensor")


TENSOR_NAMES: Mapping[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): empty_dict,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
    ("torch", "FloatStorage"): torch.float32,
    ("torch", "DoubleStorage"): torch.float64,
    ("torch", "HalfStorage"): torch.float16,
    ("torch", "BFloat16Storage"): torch.bfloat16,
    ("torch", "LongStorage"): torch.int64,
    ("torch", "IntStorage"): torch.int32,
    ("torch", "ShortStorage"): torch.int16,
    ("torch", "CharStorage"): torch.int8,
    ("torch", "ByteStorage"): torch.uint8,
    ("torch", "BoolStorage"): torch.bool,
}

STATE_NAMES: Mapping[tuple[str, str], Any] = {**TENSOR_NAMES, ("argparse", "Namespace"): ignored}
"""The names for a training state, which may also contain the arguments of its command line."""


def _identified_storage(identifier: Any) -> tuple[str, Storage]:
    """Returns key and storage of a persistent identifier as written by `torch.save`."""
    match identifier:
        case ("storage", Name(meaning=torch.dtype() as dtype), str() as key, str(), int() as numel, *view):
            if 0 <= numel < 2**63 and view in ([], [None]):
                return key, Storage(dtype, numel)
    raise RefusedError("its pickle refers to a storage in a way that PyTorch does not")


# --- the container of PyTorch before 1.6; a storage inside another pickle still has this form


def is_legacy(data: memoryview) -> bool:
    """Returns whether `data` begins with the pickled magic number of the older container."""
    return bytes(data[:2]) == b"\x80\x02" and bytes(data[2:14]) == b"\x8a\x0a" + LEGACY_MAGIC.to_bytes(10, "little")


def read_legacy(data: memoryview, allowance: Allowance) -> Any:
    """Returns the value in the older container: a few pickles, then the storages one after the other.

    Raises:
        RefusedError: it is damaged, or contains more than tensors and plain data.
    """
    storages: dict[str, Storage] = {}

    def persistent(identifier: Any) -> Storage:
        key, storage = _identified_storage(identifier)
        return storages.setdefault(key, storage)

    magic, position = read_pickle(data, 0, {}, allowance)
    protocol, position = read_pickle(data, position, {}, allowance)
    system, position = read_pickle(data, position, {}, allowance)
    if magic != LEGACY_MAGIC or protocol != LEGACY_PROTOCOL:
        raise RefusedError("a part of it is not what PyTorch writes")
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise RefusedError("its numbers have the byte order of another kind of machine")
    value, position = read_pickle(data, position, STATE_NAMES, allowance, persistent)
    keys, position = read_pickle(data, position, {}, allowance)
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys) or set(keys) != storages.keys():
        raise RefusedError("the storages of its tensors are not those that its list names")
    for key in keys:
        storage, start = storages[key], position + 8
        if int.from_bytes(data[position:start], "little") != storage.numel:
            raise RefusedError("it is incomplete, or a storage is longer or shorter than it declares")
        position = start + storage.numel * storage.dtype.itemsize
        storage.fill(data[start:position])
    if position != len(data):
        raise RefusedError(f"{len(data) - position} bytes follow its last storage, as in no file of PyTorch's")
    return value


def storage_from_bytes(allowance: Allowance) -> Callable[[tuple], Storage]:
    """Makes a builder for a storage that is nested in another pickle as a string of bytes."""

    def build(arguments: tuple) -> Storage:
        match arguments:
            case (memoryview() as data,) if is_legacy(data):
                storage = read_legacy(data, allowance)
                if isinstance(storage, Storage):
                    return storage
        raise RefusedError("a tensor's storage holds something else than a storage")

    return build


# --- the container of PyTorch since 1.6: an uncompressed zip archive


class _ShortReads(io.FileIO):
    """A file for `zipfile` that refuses to read an endless directory into memory."""

    def read(self, size: int | None = -1) -> bytes:
        if size is not None and size > MAX_DIRECTORY:
            raise zipfile.BadZipFile("the directory is too long")
        return super().read(size)


def read_zip(descriptor: int, data: memoryview, allowance: Allowance) -> Any:
    """Returns the value in the newer container.

    Args:
        descriptor: the descriptor of the open file.
        data: all bytes of the same file.
        allowance: the remaining cost allowed.

    Raises:
        RefusedError: it is damaged, or contains more than tensors and plain data.
    """
    records = _zip_records(descriptor, data)
    pickles = [name for name in records if name.endswith("/data.pkl") and name.count("/") == 1]
    if len(pickles) != 1:
        raise RefusedError("it is a zip archive, but not one that PyTorch wrote")
    folder = pickles[0].removesuffix("data.pkl")
    if records.get(f"{folder}byteorder", b"little") != b"little":
        raise RefusedError("its numbers have the byte order of another kind of machine")
    storages: dict[str, Storage] = {}

    def persistent(identifier: Any) -> Storage:
        key, storage = _identified_storage(identifier)
        if key not in storages:
            if f"{folder}data/{key}" not in records:
                raise RefusedError(f"its archive lacks the storage {printable(key)}")
            storage.fill(records[f"{folder}data/{key}"])
            storages[key] = storage
        return storages[key]

    value, _ = read_pickle(records[pickles[0]], 0, STATE_NAMES, allowance, persistent)
    return value


def _zip_records(descriptor: int, data: memoryview) -> dict[str, memoryview]:
    """Returns the content of each file in the archive."""
    try:
        with _ShortReads(descriptor, closefd=False) as file, zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            if sum(entry.compress_size for entry in entries) > len(data):  # each entry is read once for its checksum
                raise RefusedError("it is a zip archive whose entries overlap")
            return {entry.filename: _zip_record(entry, data) for entry in entries}
    except (zipfile.BadZipFile, NotImplementedError, struct.error, OSError, EOFError, ValueError) as error:
        if isinstance(error, RefusedError):
            raise
        raise RefusedError("it is an incomplete or damaged zip archive") from error


def _zip_record(entry: zipfile.ZipInfo, data: memoryview) -> memoryview:
    if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1 or entry.compress_size != entry.file_size:
        raise RefusedError("it is a compressed or encrypted zip archive, as PyTorch does not write them")
    signature, name_length, extra_length = struct.unpack("<4s22xHH", data[entry.header_offset :][:30])
    start = entry.header_offset + 30 + name_length + extra_length
    if signature != b"PK\x03\x04" or start + entry.file_size > len(data):
        raise struct.error
    record = data[start : start + entry.file_size]
    if zlib.crc32(record) != entry.CRC:
        raise RefusedError(f"it is damaged: {printable(entry.filename)} in its zip archive has another checksum")
    return record
