"""Fetching one large file over HTTP: whole or not at all, going on where an earlier attempt broke off.

What has arrived stays in `<name>.part`, and in `<name>.part.json` which version of the file it belongs to. The server
is asked for the rest of that version only (RFC 9110: Range and If-Range), so that two versions are never joined.
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

_BYTES_AT_ONCE = 2**14  # waited for without a look at the clock
_WEB_PAGE = "a web page (a quota, a login)"
_OVERLOADED = (408, 429, 500, 502, 503, 504)


@dataclass(frozen=True)
class Patience:
    """How long a download waits.

    Attributes:
        connect: seconds until a connection stands.
        read: seconds without a byte.
        waits: seconds before each further attempt, once the server has answered at all.
        total: seconds altogether; a server that says nothing may take `read` more.
    """

    connect: float = 10.0
    read: float = 30.0
    waits: tuple[float, ...] = (1.0, 3.0, 10.0)
    total: float = math.inf


PATIENCE = Patience()


class DownloadError(Exception):
    """Why a file could not be fetched, in words that follow its address."""


class _BrokenOffError(Exception):
    """An attempt failed in a way that the next one may not."""


def download(
    address: str,
    path: Path,
    *,
    beginning: bytes = b"",
    sha256: str = "",
    announce: Callable[[], None] = lambda: None,
    patience: Patience = PATIENCE,
) -> None:
    """Fetches `address` to `path`, in a folder that is made if need be, with a progress bar on stderr.

    Nothing is done where there is a file. Of several processes that want the same one fetches it, and the others wait.

    Args:
        beginning: what every file of this kind begins with; anything else is not kept.
        sha256: hex digits that the sha256 of the file begins with; another file is not kept.
        announce: called once, when the server begins to send.

    Raises:
        DownloadError: the server cannot be reached, refuses, breaks off time and again, takes too long, or sends
            something else.
        OSError: what arrives cannot be written.
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
    """How many bytes of an unfinished download to `path` have arrived."""
    return _Part(path).size


def megabytes(size: int) -> str:
    """A number of bytes in words."""
    return f"{size / 1e6:.1f} MB"


class _Part:
    """What has arrived of a file so far."""

    def __init__(self, path: Path) -> None:
        self.path = path.with_name(f"{path.name}.part")
        self._about = path.with_name(f"{path.name}.part.json")

    @property
    def size(self) -> int:
        """In bytes."""
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def complete(self) -> bool:
        """Whether an earlier process was stopped between the last byte and the rename."""
        return self.size > 0 and self.size == self._read().get("size")

    @property
    def version(self) -> str | None:
        """What the server called the version that this is a part of; None where that cannot be known."""
        return self._read().get("version")

    def rest(self) -> dict[str, str]:
        """The headers that ask for the rest; none where everything is needed."""
        size, version = self.size, self.version
        return {"Range": f"bytes={size}-", "If-Range": version} if size and version else {}

    def begin(self, version: str | None, size: int | None) -> None:
        """Starts anew with another version, of `size` bytes where that is known."""
        self.clear()
        self.path.touch()
        write_atomic(self._about, json.dumps({"version": version, "size": size}))

    def clear(self) -> None:
        """Forgets everything. The description goes first: without it the bytes are never used."""
        self._about.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)

    def _read(self) -> dict[str, Any]:
        try:
            about = json.loads(self._about.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        return about if isinstance(about, dict) else {}


class _Clock:
    """Counts the seconds of a download."""

    def __init__(self, patience: Patience) -> None:
        self.patience = patience
        self._end = time.monotonic() + patience.total

    @property
    def left(self) -> float:
        """Seconds."""
        return self._end - time.monotonic()

    @property
    def limits(self) -> tuple[float, float]:
        """Seconds for connecting and for reading."""
        left = max(self.left, 1e-3)
        return min(self.patience.connect, left), min(self.patience.read, left)

    def check(self, part: _Part) -> None:
        """Raises DownloadError where none is left."""
        if self.left <= 0:
            raise DownloadError(f"takes longer than {self.patience.total:g} s{_kept(part)}")


@contextmanager
def _alone(path: Path, clock: _Clock) -> Iterator[None]:
    """Holds other processes back from fetching the same file; the system frees the lock if this one is killed."""
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
    """Fetches what is missing, in as many attempts as the patience has."""
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
            if not answered:  # nor would it soon: no network, no such server
                raise DownloadError(f"cannot be reached ({reason})") from error
        if wait >= clock.left:
            raise DownloadError(f"could not be fetched in {attempt} attempts ({reason}{_kept(part)})")
        time.sleep(wait)


def _opened(response: requests.Response, part: _Part) -> int | None:
    """Makes the part ready for what the server is going to send; returns the size of the whole file, if known."""
    if response.status_code == 206:
        return _continued(response, part)
    if response.status_code == 200:
        return _begun(response, part)
    if response.status_code == 416:  # there is no such rest: what is here belongs to something else
        part.clear()
        raise _BrokenOffError("the server has less than what was fetched before")
    if response.status_code in _OVERLOADED:
        raise _BrokenOffError(_status(response))
    raise DownloadError(f"is refused: {_status(response)}")


def _receive(response: requests.Response, part: _Part, total: int | None, beginning: bytes, clock: _Clock) -> None:
    """Appends what the server sends."""
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
    """Starts with the whole file, which the server sends; returns its size where that is known."""
    if response.headers.get("Content-Type", "").startswith("text/html"):
        raise DownloadError(f"gives {_WEB_PAGE} in place of the file")
    length = response.headers.get("Content-Length", "")
    total = int(length) if length.isdecimal() else None
    # Chunks have an end of their own; without either, a file that is cut off would pass for a whole one.
    if total is None and response.headers.get("Transfer-Encoding") != "chunked":
        raise DownloadError("comes without its length, so that nobody could tell when it is complete")
    part.begin(_version(response), total)
    return total


def _continued(response: requests.Response, part: _Part) -> int:
    """Makes sure that the server sends the rest of the same version; returns the size of the whole file."""
    place = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
    if place is None or int(place[1]) != part.size or _version(response) not in (part.version, None):
        part.clear()
        raise _BrokenOffError("the server sends another part than the one that is missing")
    return int(place[2])


def _version(response: requests.Response) -> str | None:
    """What names the file's version for If-Range: a strong ETag, else the time of its last change."""
    etag = response.headers.get("ETag", "")
    return etag if etag.startswith('"') else response.headers.get("Last-Modified")


def _kept(part: _Part) -> str:
    """What is gained although the file is not complete, in words that follow the reason."""
    return f"; the same command goes on after {megabytes(part.size)}" if part.rest() else ""


def _what_it_is(chunk: bytes) -> str:
    """In words, by its beginning."""
    return _WEB_PAGE if chunk.lstrip().startswith(b"<") else "something else"


def _status(response: requests.Response) -> str:
    return f"the server answers {response.status_code} {response.reason or ''}".rstrip()


def _innermost(error: BaseException) -> str:
    """What the operating system said, without the layers around it."""
    while inner := error.__cause__ or error.__context__:
        error = inner
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
