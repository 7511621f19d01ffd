"""The official StyleGAN2 networks: their addresses, and the folder where they are kept.

This module does not import PyTorch, so that `multimodal-pulse weights` answers at once.
"""

import difflib
import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from multimodal_pulse.base.download import PATIENCE, DownloadError, Patience, download, megabytes, partial_size
from multimodal_pulse.base.errors import UserError
from multimodal_pulse.base.files import CACHE_VARIABLE, cache_folder, write_atomic

SOURCE = "https://api.ngc.nvidia.com/v2/models/nvidia/research/stylegan2/versions/1/files"
"""The address in the README of NVlabs/stylegan3."""

MIRROR_VARIABLE = "MULTIMODAL_PULSE_MIRROR"
LICENCE = (
    "these weights are NVIDIA's, under its Source Code License: for non-commercial use"
    " (https://github.com/NVlabs/stylegan3/blob/main/LICENSE.txt)"
)

_PICKLE = b"\x80"  # the opcode of the protocol, with which every pickle since 2003 begins


@dataclass(frozen=True)
class Network:
    """An official network.

    Attributes:
        name: our name of the network.
        file: NVIDIA's name of the file.
        what: the content of its pictures, in a few words.
        conditional: whether its pictures depend on a class that must be given.
    """

    name: str
    file: str
    what: str
    conditional: bool = False

    @property
    def address(self) -> str:
        """The URL of the file, on NVIDIA's server or on the server that `MULTIMODAL_PULSE_MIRROR` names."""
        return f"{(os.environ.get(MIRROR_VARIABLE) or SOURCE).rstrip('/')}/{self.file}"

    @property
    def resolution(self) -> int:
        """The side of its pictures, in pixels, from the file's name."""
        return int(self.file.removesuffix(".pkl").rpartition("x")[2])

    @property
    def path(self) -> Path:
        """The path of the file in the cache."""
        return weights_folder() / self.file

    @property
    def state(self) -> str:
        """How much of the file has been fetched, in words."""
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
"""The networks of the StyleGAN2 list in the README of NVlabs/stylegan3, by name."""


def weights_folder() -> Path:
    """Returns the folder of the networks."""
    return cache_folder() / "weights"


def present(name: str, patience: Patience = PATIENCE) -> Path:
    """Returns a network's file, fetched if it is missing.

    The file is not checked; after reading it, call `check_sha256` and `store_sha256`.

    Raises:
        UserError: the network is unknown, not supported or cannot be fetched, or the cache cannot be written.
    """
    network = _known(name)
    try:
        if not network.path.exists():
            _fetch(network, patience)
    except DownloadError as error:
        raise UserError(
            f"{network.address} {error}: fetch it by another way and put it at {network.path}; generator=faces"
            " (photographs) and generator=portraits (drawn ones) work now, without it."
        ) from error
    except OSError as error:
        raise UserError(
            f"{weights_folder()} cannot be written ({error}): let {CACHE_VARIABLE} name another folder."
        ) from error
    return network.path


def check_sha256(path: Path, sha256: str) -> None:
    """Compares a file's sha256 with the one in `<file>.sha256`, if that exists.

    Raises:
        UserError: they differ.
    """
    recorded = _stored_sha256(path)
    if recorded not in (None, sha256):
        raise UserError(
            f"{path} has the sha256 {sha256}, but {recorded} was recorded when it came: it is damaged or another file;"
            f" {remedy(path)}."
        )


def remedy(path: Path) -> str:
    """Says what to do about an unusable file: delete it, and its recorded sha256, which would refuse another file."""
    both = f"it and {_sha256_file(path).name}" if _stored_sha256(path) else "it"
    return f"delete {both} to fetch it again"


def store_sha256(path: Path, sha256: str) -> None:
    """Writes a file's sha256 to `<file>.sha256`, in the format of `sha256sum -c`, unless that exists.

    Call it only after the file has been read successfully: the sha256 of a bad file would refuse the right one.
    """
    if _stored_sha256(path) is None:
        with suppress(OSError):  # the cache may be read-only
            write_atomic(_sha256_file(path), f"{sha256}  {path.name}\n")


def _known(name: str) -> Network:
    """Returns the network called `name`.

    Raises:
        UserError: the name is unknown, or the network is not supported.
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


def _fetch(network: Network, patience: Patience) -> None:
    if not network.address.startswith(("http://", "https://")):
        raise UserError(
            f"{MIRROR_VARIABLE}={os.environ[MIRROR_VARIABLE]} is no address: it must begin with http:// or https://."
        )
    said = f"note: fetching {network.address} to {network.path}; {LICENCE}"

    def announce() -> None:
        print(said, file=sys.stderr)

    download(network.address, network.path, beginning=_PICKLE, announce=announce, patience=patience)


def _sha256_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _stored_sha256(path: Path) -> str | None:
    """Returns the first word of `<file>.sha256`; None if there is none."""
    try:
        words = _sha256_file(path).read_text(encoding="utf-8", errors="replace").split()
    except OSError:
        return None
    return words[0].lower() if words else None
