"""Fetching one large file over HTTP: whole or not at all, going on where an earlier attempt broke off.

What has arrived stays in `<name>.part`, and in `<name>.part.json` which version of the file it belongs to. The server
is asked for the rest of that version only (RFC 9110: Range and If-Range), so that two versions are never joined.
"""

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from multimodal_pulse.bars import progress_bar
from multimodal_pulse.files import move_into_place, write_atomic

_BYTES_AT_ONCE = 2**17
_WEB_PAGE = "a web page (a quota, a login)"
_OVERLOADED = (408, 429, 500, 502, 503, 504)


@dataclass(frozen=True)
class Patience:
    """How long a download waits.

    Attributes:
        connect: seconds until a connection stands.
        read: seconds without a byte.
        waits: seconds before each further attempt, once the server has answered at all.
    """

    connect: float = 10.0
    read: float = 30.0
    waits: tuple[float, ...] = (1.0, 3.0, 10.0)


PATIENCE = Patience()


class DownloadError(Exception):
    """Why a file could not be fetched, in words that follow its address."""


class _BrokenOffError(Exception):
    """An attempt failed in a way that the next one may not."""


def download(
    address: str, path: Path, beginning: bytes, announce: Callable[[], None], patience: Patience = PATIENCE
) -> None:
    """Fetches `address` to `path`, with a progress bar on stderr. One process at a time.

    Args:
        beginning: what every file of this kind begins with; anything else is not kept.
        announce: called once, when the server begins to send.

    Raises:
        DownloadError: the server cannot be reached, refuses, breaks off time and again, or sends something else.
        OSError: what arrives cannot be written.
    """
    part = _Part(path)
    answered = announced = False
    for wait in (*patience.waits, None):
        try:
            if not part.complete:
                headers = {"Accept-Encoding": "identity"} | part.rest()
                limits = (patience.connect, patience.read)
                with requests.get(address, headers=headers, stream=True, timeout=limits) as response:
                    answered = True
                    total = _opened(response, part)
                    if not announced:
                        announce()
                        announced = True
                    _receive(response, part, total, beginning)
            move_into_place(part.path, path)
            part.clear()
            return
        except _BrokenOffError as error:
            reason = str(error)
        except requests.RequestException as error:
            reason = _innermost(error)
            if not answered:  # nor would it soon: no network, no such server
                raise DownloadError(f"cannot be reached ({reason})") from error
        if wait is None:
            kept = f"; the same command goes on after {megabytes(part.size)}" if part.rest() else ""
            raise DownloadError(f"could not be fetched in {len(patience.waits) + 1} attempts ({reason}{kept})")
        time.sleep(wait)


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


def _receive(response: requests.Response, part: _Part, total: int | None, beginning: bytes) -> None:
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
    if total is not None and part.size != total:
        raise _BrokenOffError(f"{part.size} bytes came in place of {total}")


def _begun(response: requests.Response, part: _Part) -> int | None:
    """Starts with the whole file, which the server sends; returns its size where that is known."""
    if response.headers.get("Content-Type", "").startswith("text/html"):
        raise DownloadError(f"gives {_WEB_PAGE} in place of the file")
    length = response.headers.get("Content-Length")
    # Chunks have an end of their own; without either, a file that is cut off would pass for a whole one.
    if length is None and response.headers.get("Transfer-Encoding") != "chunked":
        raise DownloadError("comes without its length, so that nobody could tell when it is complete")
    total = None if length is None else int(length)
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
