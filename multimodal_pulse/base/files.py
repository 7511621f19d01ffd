"""Files and folders that are either whole or absent, whatever kills the process while they are written; the cache.

Everything is written beside its final place (the same file system, so that a rename is one step), flushed to the disk
and only then renamed. What a kill leaves behind carries `PARTIAL` at the front of its name.
"""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

from multimodal_pulse.base.errors import UserError

PARTIAL = ".partial-"
"""Prefix of everything that is not finished; no reader may look inside."""

CACHE_VARIABLE = "MULTIMODAL_PULSE_CACHE"


def cache_folder() -> Path:
    """Where statistics and weights are kept: the environment's `MULTIMODAL_PULSE_CACHE`, else the platform's place."""
    return Path(os.environ.get(CACHE_VARIABLE) or platformdirs.user_cache_dir("multimodal-pulse")).expanduser()


def _flush(path: Path) -> None:
    """Waits until the file or folder at `path` is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def move_into_place(partial: Path, path: Path) -> None:
    """Gives the finished file `partial` the name `path`, in the same folder, once it is on the disk."""
    _flush(partial)
    os.replace(partial, path)
    _flush(path.parent)


@contextmanager
def atomic_file(path: str | Path) -> Iterator[Path]:
    """Yields a temporary path beside `path`, with the same suffix; what is written there replaces `path` at the end.

    When the block raises, the temporary file is removed and `path` stays as it was. The name holds the process id, so
    that two processes may write the same file: the last one wins, and both versions were whole.
    """
    path = Path(path)
    partial = path.with_name(f"{PARTIAL}{os.getpid()}-{path.name}")
    try:
        yield partial
        move_into_place(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def write_atomic(path: str | Path, content: str | bytes) -> None:
    """Writes `content` (text as UTF-8) to `path`, whole or not at all."""
    with atomic_file(path) as partial:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)


def short(path: Path) -> Path:
    """The path as a person at the terminal may type it: relative to the working directory where it lies below it."""
    here = Path.cwd()
    return path.relative_to(here) if here in path.parents else path


def file_sha256(path: Path) -> str:
    """The sha256 of a file's bytes, as hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def atomic_folder(folder: str | Path) -> Iterator[Path]:
    """Yields an empty folder beside `folder` that takes its name, with all that was put into it, at the end.

    When the block raises, the temporary folder is removed. What an earlier, killed attempt left is removed first: a
    folder has one writer at a time.

    Raises:
        FileExistsError: `folder` exists; it is not touched.
    """
    folder = Path(folder)
    if folder.exists():
        raise FileExistsError(f"{folder} exists already.")
    partial = folder.with_name(f"{PARTIAL}{folder.name}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        for path in sorted(partial.rglob("*"), reverse=True):
            _flush(path)
        _flush(partial)
        os.rename(partial, folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    _flush(folder.parent)


def remove_partial(folder: str | Path) -> None:
    """Removes what killed writers left directly in `folder`. Only for a folder that no other process writes to."""
    for path in Path(folder).glob(f"{PARTIAL}*"):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Makes `folder` if it is missing and keeps this program's other processes from writing to it within the block.

    The system lifts the lock when the process ends, however it ends. A file system that has no locks (on some
    clusters) is written to all the same.

    Raises:
        UserError: another process has it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(
                f"another process is at work in {short(folder)}: wait for it or end it, and start again."
            ) from error
        except OSError:
            pass  # no locks here
        yield
    finally:
        os.close(descriptor)
