"""What `generator=file` and `generator=ffhq256` and its siblings name: weights from a file, held to their sha256."""

import re
from contextlib import suppress
from pathlib import Path

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.base.files import file_sha256
from multimodal_pulse.generator.files.checkpoint import CheckpointError, load_generator
from multimodal_pulse.generator.files.weights import NETWORKS, check_record, present, record, remedy
from multimodal_pulse.generator.frozen import Generator


def load_file(path: str | Path, sha256: str | None = None, domain: str | None = None) -> Generator:
    """The generator in a file of any kind that `load_generator` reads.

    Args:
        sha256: the one that the file must have; None: any.
        domain: what its pictures show, such as "photographs/faces"; None: nobody knows.

    Raises:
        CheckpointError: it cannot be used.
        UserError: it has another sha256.
    """
    pinned = _pinned(sha256)
    generator = load_generator(path, domain=domain)
    _check_pin(path, generator.sha256, pinned)
    return generator


def load_official(name: str, sha256: str | None = None) -> Generator:
    """An official network, fetched on first use.

    Args:
        name: in `multimodal_pulse.generator.files.weights.NETWORKS`.
        sha256: the one that the file must have; None: the one that was recorded when it was fetched.

    Raises:
        CheckpointError: the file is not usable, or holds a network of another resolution.
        UserError: there is no such network, it cannot be fetched, or it has another sha256.
    """
    pinned = _pinned(sha256)
    path = present(name)
    try:
        generator = load_generator(path, domain="photographs/faces")  # which computes the sha256 while it reads
    except CheckpointError as error:
        with suppress(OSError):  # it cannot even be read
            check_record(path, file_sha256(path))  # that the file has changed says more than what is wrong with it
        raise CheckpointError(f"{error}; {remedy(path)}") from error
    check_record(path, generator.sha256)
    _check_pin(path, generator.sha256, pinned)
    if generator.resolution != (side := NETWORKS[name].resolution):
        raise CheckpointError(
            f"'{path}' makes pictures of {generator.resolution} x {generator.resolution} pixels, {name} those of"
            f" {side} x {side}; {remedy(path)}, or use it by generator=file generator.path=..."
        )
    record(path, generator.sha256)
    return generator


def _pinned(sha256: str | None) -> str | None:
    """In lower case.

    Raises:
        UserError: it is no sha256.
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
