"""The official StyleGAN2 networks: where they come from, and where they are kept.

Nothing heavy is imported here, so that `multimodal-pulse weights` answers at once.
"""

import difflib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout

from multimodal_pulse.download import PATIENCE, DownloadError, Patience, download, megabytes, partial_size
from multimodal_pulse.errors import UserError
from multimodal_pulse.files import CACHE_VARIABLE, cache_folder, file_sha256, write_atomic

SOURCE = "https://api.ngc.nvidia.com/v2/models/nvidia/research/stylegan2/versions/1/files"
"""As the README of NVlabs/stylegan3 gives it."""

MIRROR_VARIABLE = "MULTIMODAL_PULSE_MIRROR"
LICENCE = (
    "these weights are NVIDIA's, under its Source Code License: for non-commercial use"
    " (https://github.com/NVlabs/stylegan3/blob/main/LICENSE.txt)"
)

_PICKLE = b"\x80"  # the opcode that names the protocol, from which every pickle since 2003 starts


@dataclass(frozen=True)
class Network:
    """An official network.

    Attributes:
        name: ours.
        file: NVIDIA's name of the file.
        what: what it makes, in a few words.
        conditional: whether its pictures depend on a class that must be given.
    """

    name: str
    file: str
    what: str
    conditional: bool = False

    @property
    def address(self) -> str:
        """Where it is fetched from: NVIDIA's server, or the folder that `MULTIMODAL_PULSE_MIRROR` names."""
        return f"{(os.environ.get(MIRROR_VARIABLE) or SOURCE).rstrip('/')}/{self.file}"

    @property
    def path(self) -> Path:
        """Where it is kept."""
        return weights_folder() / self.file

    @property
    def state(self) -> str:
        """How much of it is there, in words."""
        if self.path.exists():
            return megabytes(self.path.stat().st_size)
        begun = partial_size(self.path)
        return f"{megabytes(begun)} so far" if begun else "absent"


NETWORKS = {
    network.name: network
    for network in (
        Network("ffhq256", "stylegan2-ffhq-256x256.pkl", "faces; the report's network"),
        Network("ffhq512", "stylegan2-ffhq-512x512.pkl", "faces"),
        Network("ffhq1024", "stylegan2-ffhq-1024x1024.pkl", "faces"),
        Network("ffhqu256", "stylegan2-ffhqu-256x256.pkl", "faces, not aligned"),
        Network("ffhqu1024", "stylegan2-ffhqu-1024x1024.pkl", "faces, not aligned"),
        Network("celebahq256", "stylegan2-celebahq-256x256.pkl", "faces of celebrities"),
        Network("metfaces1024", "stylegan2-metfaces-1024x1024.pkl", "faces in works of art"),
        Network("metfacesu1024", "stylegan2-metfacesu-1024x1024.pkl", "faces in works of art, not aligned"),
        Network("afhqcat512", "stylegan2-afhqcat-512x512.pkl", "faces of cats"),
        Network("afhqdog512", "stylegan2-afhqdog-512x512.pkl", "faces of dogs"),
        Network("afhqwild512", "stylegan2-afhqwild-512x512.pkl", "faces of wild animals"),
        Network("afhqv2-512", "stylegan2-afhqv2-512x512.pkl", "faces of animals, all three"),
        Network("lsundog256", "stylegan2-lsundog-256x256.pkl", "dogs"),
        Network("brecahad512", "stylegan2-brecahad-512x512.pkl", "tissue under the microscope"),
        Network("cifar10-32", "stylegan2-cifar10-32x32.pkl", "CIFAR-10; conditional, not supported", conditional=True),
    )
}
"""By name, those of the StyleGAN2 list in the README of NVlabs/stylegan3."""


class Fetched(NamedTuple):
    """A network's file in the cache, and its sha256."""

    path: Path
    sha256: str


def weights_folder() -> Path:
    """Where the networks are kept."""
    return cache_folder() / "weights"


def fetch(name: str, patience: Patience = PATIENCE) -> Fetched:
    """A network's file, fetched if it is not there, and compared with what was recorded when it was.

    Raises:
        UserError: see `present` and `check_record`.
    """
    path = present(name, patience)
    fetched = Fetched(path, file_sha256(path))
    check_record(*fetched)
    record(*fetched)
    return fetched


def present(name: str, patience: Patience = PATIENCE) -> Path:
    """A network's file, fetched if it is not there, and not checked: for a reader that computes the sha256 itself.

    Raises:
        UserError: there is no such network, it is not supported, it cannot be fetched, or the cache cannot be written.
    """
    network = _known(name)
    try:
        if not network.path.exists():
            network.path.parent.mkdir(parents=True, exist_ok=True)
            with _alone(network.path):
                if not network.path.exists():  # nor has another process fetched it meanwhile
                    _fetch(network, patience)
    except DownloadError as error:
        raise UserError(
            f"{network.address} {error}: fetch it by another way and put it at {network.path}; generator=portraits"
            " works now, without it."
        ) from error
    except OSError as error:
        raise UserError(
            f"{weights_folder()} cannot be written ({error}): let {CACHE_VARIABLE} name another folder."
        ) from error
    return network.path


def check_record(path: Path, sha256: str) -> None:
    """Compares a file's sha256 with the one in `<file>.sha256`, if that is there.

    Raises:
        UserError: it is another one.
    """
    recorded = _recorded(path)
    if recorded not in (None, sha256):
        raise UserError(
            f"{path} has the sha256 {sha256}, but {recorded} was recorded when it came: it is damaged or another file;"
            f" delete it and {_record_of(path).name} to fetch it again."
        )


def record(path: Path, sha256: str) -> None:
    """Writes a file's sha256 to `<file>.sha256`, as `sha256sum -c` reads it, unless one is there."""
    if _recorded(path) is None:
        with suppress(OSError):  # a cache that somebody else filled, and that may only be read
            write_atomic(_record_of(path), f"{sha256}  {path.name}\n")


def _known(name: str) -> Network:
    """
    Raises:
        UserError: there is no such network, or it is not supported.
    """
    network = NETWORKS.get(name)
    if network is None:
        near = difflib.get_close_matches(name, NETWORKS, n=1)
        remedy = f"did you mean {near[0]}?" if near else f"there are {', '.join(NETWORKS)}."
        raise UserError(f"{name} is no official network that is known here: {remedy}")
    if network.conditional:
        raise UserError(
            f"{name} is a conditional network (its pictures depend on a class that must be given): conditional ones are"
            " not supported; `multimodal-pulse weights` lists the others."
        )
    return network


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Holds other processes back from fetching the same file; the system frees the lock if this one is killed."""
    lock = FileLock(path.with_name(f"{path.name}.lock"))
    try:
        lock.acquire(blocking=False)
    except Timeout:
        _say(f"another process is fetching {path.name}; waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _fetch(network: Network, patience: Patience) -> None:
    _record_of(network.path).unlink(missing_ok=True)  # of a file that was deleted
    said = f"fetching {network.address} to {network.path}; {LICENCE}"
    download(network.address, network.path, _PICKLE, announce=lambda: _say(said), patience=patience)
    record(network.path, file_sha256(network.path))


def _record_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _recorded(path: Path) -> str | None:
    """The first word of `<file>.sha256`; None where there is none."""
    try:
        words = _record_of(path).read_text(encoding="utf-8", errors="replace").split()
    except OSError:
        return None
    return words[0] if words else None


def _say(sentence: str) -> None:
    print(f"note: {sentence}", file=sys.stderr)
