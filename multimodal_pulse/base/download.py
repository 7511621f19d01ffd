"""Resumable downloads of one large file over HTTP: the file is whole or absent.

The bytes received so far are in `<name>.part`, and `<name>.part.json` says which version of the file they belong to.
The server is asked only for the rest of that version (RFC 9110: Range and If-Range), so two versions are never mixed.
"""

import json
import math
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import requests
from filelock import FileLock, Timeout

from multimodal_pulse.base.files import file_sha256, move_into_place, write_atomic
from multimodal_pulse.base.progress_bar import progress_bar

_BYTES_AT_ONCE = 2**14  # read between two looks at the clock
_WEB_PAGE = "a web page (a quota, a login)"
_OVERLOADED = (408, 429, 500, 502, 503, 504)


@dataclass(frozen=True)
class Patience:
    """The time limits of a download.

    Attributes:
        connect: the most seconds until a connection is made.
        read: the most seconds without a byte.
        waits: the seconds before each further attempt; without any answer of the server there is only one attempt.
        total: the most seconds of the whole download; a silent server may take `read` seconds more.
    """

    connect: float = 10.0
    read: float = 30.0
    waits: tuple[float, ...] = (1.0, 3.0, 10.0)
    total: float = math.inf


PATIENCE = Patience()


class DownloadError(Exception):
    """A file could not be fetched; the message is a clause that follows its address."""


class _BrokenOffError(Exception):
    """An attempt failed, but the next one may succeed."""


def download(
    address: str,
    path: Path,
    *,
    beginning: bytes = b"",
    sha256: str = "",
    announce: Callable[[], None] = lambda: None,
    patience: Patience = PATIENCE,
) -> None:
    """Fetches `address` to `path`, with a progress bar on stderr; makes the folder if necessary.

    If `path` exists, nothing is done. If several processes want the same file, one fetches it and the others wait.

    Args:
        address: the URL.
        path: the place of the file.
        beginning: the first bytes of every file of this kind; a file with others is discarded.
        sha256: the first hex digits of the file's sha256; a file with others is discarded.
        announce: called once, when the server begins to send.
        patience: the time limits.

    Raises:
        DownloadError: the server cannot be reached, refuses, breaks off repeatedly, takes too long, or sends another
            file.
        OSError: the file cannot be written.
    """
    clock = _Clock(patience)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _alone(path, clock):
        if path.exists():
            return
        part = _Part(path)
        if not part.complete:
            _complete(part, address, beginning, cache(announce), clock)
        if sha256 and not file_sha256(part.path).startswith(sha256):
            part.clear()
            raise DownloadError("gives another file than the one that was asked for: its sha256 differs")
        move_into_place(part.path, path)
        part.clear()


def partial_size(path: Path) -> int:
    """Returns the bytes that an unfinished download to `path` has received."""
    return _Part(path).size


def megabytes(size: int) -> str:
    """Formats a number of bytes, such as "4.8 MB"."""
    return f"{size / 1e6:.1f} MB"


class _Part:
    """The part of a file that has been received."""

    def __init__(self, path: Path) -> None:
        self.path = path.with_name(f"{path.name}.part")
        self._about = path.with_name(f"{path.name}.part.json")

    @property
    def size(self) -> int:
        """The number of bytes received."""
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def complete(self) -> bool:
        """Whether all bytes are there: an earlier process was stopped just before the rename."""
        return self.size > 0 and self.size == self._read().get("size")

    @property
    def version(self) -> str | None:
        """The server's name for the version of the file; None if unknown."""
        return self._read().get("version")

    def rest(self) -> dict[str, str]:
        """Returns the HTTP headers that request the rest; none to request the whole file."""
        size, version = self.size, self.version
        return {"Range": f"bytes={size}-", "If-Range": version} if size and version else {}

    def begin(self, version: str | None, size: int | None) -> None:
        """Starts again with another version, of `size` bytes if that is known."""
        self.clear()
        self.path.touch()
        write_atomic(self._about, json.dumps({"version": version, "size": size}))

    def clear(self) -> None:
        """Removes both files. The description goes first: without it the bytes are never used."""
        self._about.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)

    def _read(self) -> dict[str, Any]:
        try:
            about = json.loads(self._about.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        return about if isinstance(about, dict) else {}


class _Clock:
    """Measures the time of a download against its limits."""

    def __init__(self, patience: Patience) -> None:
        self.patience = patience
        self._end = time.monotonic() + patience.total

    @property
    def left(self) -> float:
        """The remaining seconds."""
        return self._end - time.monotonic()

    @property
    def limits(self) -> tuple[float, float]:
        """The time-outs of the next request, in seconds: for connecting and for reading."""
        left = max(self.left, 1e-3)
        return min(self.patience.connect, left), min(self.patience.read, left)

    def check(self, part: _Part) -> None:
        """Raises DownloadError if no time remains."""
        if self.left <= 0:
            raise DownloadError(f"takes longer than {self.patience.total:g} s{_kept(part)}")


@contextmanager
def _alone(path: Path, clock: _Clock) -> Iterator[None]:
    """Locks the file against other processes; the system frees the lock even if this process is killed."""
    lock = FileLock(path.with_name(f"{path.name}.lock"))
    try:
        lock.acquire(blocking=False)
    except Timeout:
        print(f"note: another process is fetching {path.name}; waiting for it", file=sys.stderr)
        try:
            lock.acquire(timeout=-1 if clock.left == math.inf else max(clock.left, 0))
        except Timeout:
            raise DownloadError(f"is still being fetched by another process after {clock.patience.total:g} s") from None
    try:
        yield
    finally:
        lock.release()


def _complete(part: _Part, address: str, beginning: bytes, announce: Callable[[], None], clock: _Clock) -> None:
    """Fetches the missing bytes, in as many attempts as the patience allows."""
    answered = False
    for attempt, wait in enumerate((*clock.patience.waits, math.inf), 1):
        clock.check(part)
        try:
            headers = {"Accept-Encoding": "identity"} | part.rest()
            with requests.get(address, headers=headers, stream=True, timeout=clock.limits) as response:
                answered = True
                total = _opened(response, part)
                announce()
                _receive(response, part, total, beginning, clock)
            return
        except _BrokenOffError as error:
            reason = str(error)
        except requests.RequestException as error:
            reason = _innermost(error)
            if not answered:  # no network or no such server: another attempt would not help
                raise DownloadError(f"cannot be reached ({reason})") from error
        if wait >= clock.left:
            raise DownloadError(f"could not be fetched in {attempt} attempts ({reason}{_kept(part)})")
        time.sleep(wait)


def _opened(response: requests.Response, part: _Part) -> int | None:
    """Prepares the part for the server's response; returns the size of the whole file, if known."""
    if response.status_code == 206:
        return _continued(response, part)
    if response.status_code == 200:
        return _begun(response, part)
    if response.status_code == 416:  # no such range: the received bytes belong to another file
        part.clear()
        raise _BrokenOffError("the server has less than what was fetched before")
    if response.status_code in _OVERLOADED:
        raise _BrokenOffError(_status(response))
    raise DownloadError(f"is refused: {_status(response)}")


def _receive(response: requests.Response, part: _Part, total: int | None, beginning: bytes, clock: _Clock) -> None:
    """Appends the bytes that the server sends."""
    name = part.path.name.removesuffix(".part")
    bar = progress_bar(desc=name, total=total, initial=part.size, unit="B", unit_scale=True)
    with bar, part.path.open("ab") as file:
        for chunk in response.iter_content(_BYTES_AT_ONCE):
            if file.tell() == 0 and not chunk.startswith(beginning):
                part.clear()
                raise DownloadError(f"gives {_what_it_is(chunk)} in place of the file")
            file.write(chunk)
            bar.update(len(chunk))
            clock.check(part)
    if total is not None and part.size != total:
        raise _BrokenOffError(f"{part.size} bytes came in place of {total}")


def _begun(response: requests.Response, part: _Part) -> int | None:
    """Prepares for the whole file; returns its size, if known."""
    if response.headers.get("Content-Type", "").startswith("text/html"):
        raise DownloadError(f"gives {_WEB_PAGE} in place of the file")
    length = response.headers.get("Content-Length", "")
    total = int(length) if length.isdecimal() else None
    # A chunked response marks its own end; without a length or chunks, a truncated file would look complete.
    if total is None and response.headers.get("Transfer-Encoding") != "chunked":
        raise DownloadError("comes without its length, so that nobody could tell when it is complete")
    part.begin(_version(response), total)
    return total


def _continued(response: requests.Response, part: _Part) -> int:
    """Checks that the server sends the rest of the same version; returns the size of the whole file."""
    place = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
    if place is None or int(place[1]) != part.size or _version(response) not in (part.version, None):
        part.clear()
        raise _BrokenOffError("the server sends another part than the one that is missing")
    return int(place[2])


def _version(response: requests.Response) -> str | None:
    """Returns the file's version for If-Range: a strong ETag, else the time of its last change."""
    etag = response.headers.get("ETag", "")
    return etag if etag.startswith('"') else response.headers.get("Last-Modified")


def _kept(part: _Part) -> str:
    """Says, as the end of a message, from where the next attempt resumes."""
    return f"; the same command goes on after {megabytes(part.size)}" if part.rest() else ""


def _what_it_is(chunk: bytes) -> str:
    """Describes an unexpected file by its first bytes."""
    return _WEB_PAGE if chunk.lstrip().startswith(b"<") else "something else"


def _status(response: requests.Response) -> str:
    return f"the server answers {response.status_code} {response.reason or ''}".rstrip()


def _innermost(error: BaseException) -> str:
    """Returns the operating system's message, without the layers around it."""
    while inner := error.__cause__ or error.__context__:
        error = inner
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
