"""The loaders of `generator=file`, `generator=ffhq256` and the like: weights from a file with a checked sha256."""

import re
from contextlib import suppress
from pathlib import Path

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.base.files import file_sha256
from multimodal_pulse.generator.files.checkpoint import CheckpointError, load_generator
from multimodal_pulse.generator.files.weights import NETWORKS, check_sha256, present, remedy, store_sha256
from multimodal_pulse.generator.frozen import Generator


def load_file(path: str | Path, sha256: str | None = None, domain: str | None = None) -> Generator:
    """Loads the generator in a file of any kind that `load_generator` reads.

    Args:
        path: the file.
        sha256: the sha256 that the file must have; None: any.
        domain: the content of its pictures, such as "photographs/faces"; None: unknown.

    Raises:
        CheckpointError: the file cannot be used.
        UserError: the file has another sha256.
    """
    pinned = _pinned(sha256)
    generator = load_generator(path, domain=domain)
    _check_pin(path, generator.sha256, pinned)
    return generator


def load_official(name: str, sha256: str | None = None) -> Generator:
    """Loads an official network, which is fetched on first use.

    Args:
        name: a name in `multimodal_pulse.generator.files.weights.NETWORKS`.
        sha256: the sha256 that the file must have; None: the one recorded when the file was fetched.

    Raises:
        CheckpointError: the file cannot be used, or has a network of another resolution.
        UserError: the name is unknown, or the network cannot be fetched or has another sha256.
    """
    pinned = _pinned(sha256)
    path = present(name)
    try:
        generator = load_generator(path, domain="photographs/faces")  # it also computes the sha256
    except CheckpointError as error:
        with suppress(OSError):  # the file cannot be read at all
            check_sha256(path, file_sha256(path))  # a changed file is the better explanation
        raise CheckpointError(f"{error}; {remedy(path)}") from error
    check_sha256(path, generator.sha256)
    _check_pin(path, generator.sha256, pinned)
    if generator.resolution != (side := NETWORKS[name].resolution):
        raise CheckpointError(
            f"'{path}' makes pictures of {generator.resolution} x {generator.resolution} pixels, {name} those of"
            f" {side} x {side}; {remedy(path)}, or use it by generator=file generator.path=..."
        )
    store_sha256(path, generator.sha256)
    return generator


def _pinned(sha256: str | None) -> str | None:
    """Returns the sha256 in lower case.

    Raises:
        UserError: it is not a sha256.
    """
    if sha256 is None or re.fullmatch("[0-9a-f]{64}", sha256.lower()):
        return sha256 and sha256.lower()
    raise UserError(f"generator.sha256={sha256} is no sha256, which has 64 hexadecimal digits.")


def _check_pin(path: str | Path, sha256: str, pinned: str | None) -> None:
    if pinned not in (None, sha256):
        raise UserError(
            f"generator.sha256={pinned}, but {path} has the sha256 {sha256}: give the file that was pinned, or the"
            " sha256 of this one."
        )
