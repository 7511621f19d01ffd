"""A web server on this machine that gives one file, well or badly."""

import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class FileServer:
    """What the server does; tests change it between requests.

    Attributes:
        content: the file.
        etag: names its version; None: not sent.
        last_modified: the same, as a date.
        ranges: whether parts are given.
        if_range: whether a part is given of the asked version only.
        shift: added to where the asked part begins.
        statuses: of the next answers, before the ordinary ones.
        break_after: bytes after which the next answers break off.
        stall: instead of breaking off, nothing comes any more.
        pause: seconds after each eighth of the answer.
        content_type, chunked, length: of the answer; `length` may be wrong, or None for none.
        redirect: whether the file lies behind a redirect.
        requests: the headers of all requests so far, the first one of each redirect left out.
        sent: bytes of the file that were sent.
    """

    content: bytes
    etag: str | None = '"1"'
    last_modified: str | None = None
    ranges: bool = True
    if_range: bool = True
    shift: int = 0
    statuses: list[int] = field(default_factory=list)
    break_after: list[int] = field(default_factory=list)
    stall: bool = False
    pause: float = 0.0
    content_type: str = "application/octet-stream"
    chunked: bool = False
    length: int | str | None = -1
    redirect: bool = False
    requests: list[Message] = field(default_factory=list)
    sent: int = 0
    address: str = ""
    stopped: threading.Event = field(default_factory=threading.Event)

    def ranges_asked(self) -> list[str | None]:
        """The Range header of each request."""
        return [headers["Range"] for headers in self.requests]


@contextmanager
def serve(server: FileServer) -> Iterator[FileServer]:
    """Runs the server at `server.address`, on a port of its own."""

    class Handler(_Handler):
        does = server

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        listening.daemon_threads = True
        listening.block_on_close = False
        server.address = f"http://127.0.0.1:{listening.server_port}"
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.stopped.set()
            listening.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    does: FileServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        does = self.does
        self.close_connection = True
        if does.redirect and "signed" not in self.path:
            self.send_response(302)
            self.send_header("Location", f"{self.path}?signed")
            self.send_header("Content-Length", "0")
            self.send_header("Connection", "close")
            self.end_headers()
            return
        does.requests.append(self.headers)
        if does.statuses and (status := does.statuses.pop(0)) != 200:
            self.send_error(status)
            return
        start = self._start()
        start += does.shift if start else 0
        if start >= len(does.content):
            self.send_error(416)
            return
        with suppress(ConnectionError):  # some tests hang up
            self._answer(start)

    def _start(self) -> int:
        does = self.does
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
        if not asked or not does.ranges:
            return 0
        if does.if_range and self.headers["If-Range"] not in (None, does.etag, does.last_modified):
            return 0
        return int(asked[1])

    def _answer(self, start: int) -> None:
        does = self.does
        body = does.content[start:]
        self.send_response(206 if start else 200)
        if start:
            whole = len(does.content)
            self.send_header("Content-Range", f"bytes {start}-{whole - 1}/{whole}")
        for name, value in (("ETag", does.etag), ("Last-Modified", does.last_modified)):
            if value:
                self.send_header(name, value)
        self.send_header("Content-Type", does.content_type)
        if does.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif does.length is not None:
            self.send_header("Content-Length", str(len(body) if does.length == -1 else does.length))
        self.end_headers()
        breaking = does.break_after.pop(0) if does.break_after else None
        body = body[:breaking]
        size = len(body) // 8 if does.pause else len(body)
        for start in range(0, len(body), size or 1):
            self._send(body[start : start + size])
            does.stopped.wait(does.pause)
        if breaking is None and does.chunked:
            self.wfile.write(b"0\r\n\r\n")
        if breaking is not None and does.stall:
            does.stopped.wait(10)

    def _send(self, data: bytes) -> None:
        self.does.sent += len(data)
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data) if self.does.chunked else data)
        self.wfile.flush()

    def log_message(self, *arguments: object) -> None:
        pass


def wait_until(holds: Callable[[], bool], process: subprocess.Popen) -> None:
    """Returns when it holds; a process that ends before then, or takes a minute, fails the test."""
    deadline = time.monotonic() + 60
    while not holds():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
