"""Files and folders that are either whole or absent, even if the process is killed while writing; the cache folder.

Everything is written next to its final place (on the same file system, so that the rename is atomic), flushed to the
disk and then renamed. The names of unfinished files and folders begin with `PARTIAL`.
"""

import errno
import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

from multimodal_pulse.base.errors import FullDiskError, UserError

PARTIAL = ".partial-"
"""Prefix of unfinished files and folders; readers must ignore them."""

CACHE_VARIABLE = "MULTIMODAL_PULSE_CACHE"


def cache_folder() -> Path:
    """Returns the folder of statistics and weights: `MULTIMODAL_PULSE_CACHE`, else the platform's cache folder."""
    return expanded(os.environ.get(CACHE_VARIABLE) or platformdirs.user_cache_dir("multimodal-pulse"))


def _flush(path: Path) -> None:
    """Waits until the file or folder at `path` is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def move_into_place(partial: Path, path: Path) -> None:
    """Flushes the finished file `partial` to the disk and renames it to `path`, in the same folder."""
    _flush(partial)
    os.replace(partial, path)
    _flush(path.parent)


def free_bytes(path: Path) -> int:
    """Returns the bytes that are left on the disk of a file or folder, which need not exist yet."""
    there = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    return shutil.disk_usage(there).free


def refuse_unwritable(path: Path) -> None:
    """
    Raises:
        UserError: nothing can be made in the folder `path`, or in the nearest one above it that exists.
    """
    there = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
        why = "cannot be written to" if there.is_dir() else "is a file"
        raise UserError(f"the run directory {short(path)} cannot be made, since {there} {why}: choose another one.")


def in_bytes(number: float) -> str:
    """Formats a number of bytes, such as "48 kB", "4.8 MB" or "1.2 GB"."""
    if number < 1e6:
        return f"{number / 1e3:.0f} kB"
    return f"{number / 1e9:.1f} GB" if number >= 1e9 else f"{number / 1e6:.1f} MB"


@contextmanager
def full_disk_named(path: Path, partial: Path) -> Iterator[None]:
    """Makes an error that says that the disk is full say also where, what is needed and what to do.

    Args:
        path: what is being written.
        partial: where it is being written, a file or a folder; the block removes it in case of an error, or appends to
            it.

    Raises:
        FullDiskError: the disk is full, or the user's share of it.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT) or isinstance(error, FullDiskError):
            raise
        written = sum(file.stat().st_size for file in (partial, *partial.rglob("*")) if file.is_file())
        sentence = (
            f"{short(path)} cannot be written: it needs more than {in_bytes(written)}, and its disk has"
            f" {in_bytes(free_bytes(path))} left. Make room there; the same command in the same place does the rest."
        )
        raise FullDiskError(error, str(path), sentence) from error


@contextmanager
def atomic_file(path: str | Path) -> Iterator[Path]:
    """Yields a temporary path next to `path`, with the same suffix; at the end that file replaces `path`.

    If the block raises, the temporary file is removed and `path` is unchanged. The temporary name contains the process
    id, so two processes may write the same file: the last one wins, and each version is whole.

    Raises:
        FullDiskError: the disk is full.
    """
    path = Path(path)
    partial = path.with_name(f"{PARTIAL}{os.getpid()}-{path.name}")
    try:
        with full_disk_named(path, partial):
            yield partial
            move_into_place(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def write_atomic(path: str | Path, content: str | bytes) -> None:
    """Writes `content` (text as UTF-8) to `path`, whole or not at all.

    Raises:
        FullDiskError: the disk is full.
    """
    with atomic_file(path) as partial:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)


def expanded(path: str | Path) -> Path:
    """Returns the path with the home folder in place of `~`, which stays if it names an unknown user."""
    return Path(os.path.expanduser(path))


def short(path: Path) -> Path:
    """Returns the path relative to the working directory if it lies below it, else the path itself."""
    here = Path.cwd()
    return path.relative_to(here) if here in path.parents else path


def file_sha256(path: Path) -> str:
    """Returns the sha256 of a file, as hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def atomic_folder(folder: str | Path) -> Iterator[Path]:
    """Yields an empty temporary folder next to `folder`; at the end it is renamed to `folder`.

    If the block raises, the temporary folder is removed. Leftovers of an earlier, killed attempt are removed first, so
    a folder may have only one writer at a time.

    Raises:
        FileExistsError: `folder` exists; it is unchanged.
        FullDiskError: the disk is full.
    """
    folder = Path(folder)
    if folder.exists():
        raise FileExistsError(f"{folder} exists already.")
    partial = folder.with_name(f"{PARTIAL}{folder.name}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        with full_disk_named(folder, partial):
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
    """Removes the leftovers of killed writers directly in `folder`. No other process may be writing to it."""
    for path in Path(folder).glob(f"{PARTIAL}*"):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Makes `folder` if it is missing and locks it against other processes of this program within the block.

    The system frees the lock when the process ends, even by a kill. On a file system without locks (on some clusters)
    nothing is locked.

    Raises:
        UserError: another process holds the lock.
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
            pass  # a file system without locks
        yield
    finally:
        os.close(descriptor)
