"""Downloads from a server on this machine: whole or not at all, whatever the server does."""

import hashlib
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from file_server import FileServer, serve, wait_until
from places import ROOT

from multimodal_pulse.base.download import DownloadError, Patience, download, partial_size

PICKLE = b"\x80"
OLD, NEW = (PICKLE + bytes([k]) * 999_999 for k in (1, 2))
ONCE = Patience(waits=())
AGAIN = Patience(waits=(0, 0))
SHORT = Patience(read=1.5, waits=(0,))


@pytest.fixture(autouse=True)
def _without_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def server():
    with serve(FileServer(OLD)) as running:
        yield running


@pytest.fixture
def target(tmp_path) -> Path:
    return tmp_path / "network.pkl"


def fetch(server: FileServer, target: Path, patience: Patience = AGAIN) -> None:
    begins = partial(print, "begins")
    download(f"{server.address}/network.pkl", target, beginning=PICKLE, announce=begins, patience=patience)


def refusal(server: FileServer, target: Path, patience: Patience = AGAIN) -> str:
    """What is said when no file comes out of it."""
    with pytest.raises(DownloadError) as refused:
        fetch(server, target, patience)
    assert not target.exists()
    assert "\n" not in str(refused.value)
    return str(refused.value)


def break_off(server: FileServer, target: Path, after: int = 300_000) -> int:
    """Leaves the first part of a download; returns its size."""
    server.break_after = [after]
    refusal(server, target, ONCE)
    return partial_size(target)


def files_of(target: Path) -> list[str]:
    """What there is; the file of the lock may stay or not."""
    return sorted(path.name for path in target.parent.iterdir() if path.suffix != ".lock")


DOWNLOAD = """
import sys
from pathlib import Path
from multimodal_pulse.base.download import download
download(sys.argv[1], Path(sys.argv[2]))
"""


@contextmanager
def another_process(server: FileServer, target: Path, until: Callable[[], bool]) -> Iterator[None]:
    """A process that downloads: it has come so far when the block begins, and dies by SIGKILL when it ends."""
    command = [sys.executable, "-c", DOWNLOAD, f"{server.address}/network.pkl", str(target)]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        wait_until(until, process)
        yield
    finally:
        process.kill()
        process.wait()


def test_a_fresh_download(server, target, capsys):
    fetch(server, target)
    assert target.read_bytes() == OLD
    assert files_of(target) == ["network.pkl"]
    assert server.ranges_asked() == [None]
    printed, said = capsys.readouterr()
    assert printed == "begins\n"
    assert "network.pkl" in said and "100%" in said and "1.00M/1.00M" in said


def test_what_breaks_off_goes_on_where_it_stopped(server, target, capsys):
    server.break_after = [300_000, 400_000]
    fetch(server, target)
    assert capsys.readouterr().out == "begins\n"
    assert target.read_bytes() == OLD
    first, second, third = server.ranges_asked()
    assert first is None
    places = [int(asked.removeprefix("bytes=").removesuffix("-")) for asked in (second, third)]
    assert 0 < places[0] <= 300_000 < places[1] <= 700_000
    assert [headers["If-Range"] for headers in server.requests] == [None, '"1"', '"1"']
    assert files_of(target) == ["network.pkl"]


def test_a_later_call_goes_on_too(server, target):
    server.break_after = [300_000]
    said = refusal(server, target, ONCE)
    assert "1 attempts" in said and "the same command goes on after 0.3 MB" in said
    here = partial_size(target)
    assert 0 < here <= 300_000
    before = server.sent
    fetch(server, target)
    assert target.read_bytes() == OLD
    assert server.ranges_asked() == [None, f"bytes={here}-"]
    assert server.sent - before == len(OLD) - here


@pytest.mark.parametrize(("knob", "value", "requests"), [("ranges", False, 1), ("shift", 7, 2), ("shift", -7, 2)])
def test_a_server_that_gives_no_parts_or_wrong_ones_begins_again(server, target, knob, value, requests):
    break_off(server, target)
    setattr(server, knob, value)
    fetch(server, target)
    assert target.read_bytes() == OLD
    assert len(server.requests) == 1 + requests


def test_without_a_name_for_the_version_nothing_is_joined(server, target):
    server.etag = None
    break_off(server, target)
    fetch(server, target)
    assert target.read_bytes() == OLD
    assert server.ranges_asked() == [None, None]


@pytest.mark.parametrize("weak", [None, 'W/"1"'])
def test_a_date_names_the_version_where_no_strong_etag_does(server, target, weak):
    server.etag, server.last_modified = weak, "Tue, 12 Oct 2021 07:00:00 GMT"
    break_off(server, target)
    fetch(server, target)
    assert target.read_bytes() == OLD
    assert server.requests[1]["If-Range"] == server.last_modified


@pytest.mark.parametrize("if_range", [True, False])
def test_two_versions_are_never_joined(server, target, if_range):
    break_off(server, target)
    server.content, server.etag, server.if_range = NEW, '"2"', if_range
    fetch(server, target)
    assert target.read_bytes() == NEW
    assert len(server.requests) == (2 if if_range else 3)


def test_a_file_that_has_become_shorter(server, target):
    break_off(server, target)
    server.content, server.etag, server.if_range = NEW[:1000], '"2"', False
    fetch(server, target)
    assert target.read_bytes() == NEW[:1000]


def test_a_process_killed_before_the_rename_needs_nothing_more(server, target):
    break_off(server, target)
    target.with_name("network.pkl.part").write_bytes(OLD)
    fetch(server, target)
    assert target.read_bytes() == OLD
    assert len(server.requests) == 1


@pytest.mark.parametrize("about", ["", "[]", "{", "{}"])
def test_a_part_that_nothing_is_known_about_is_not_used(server, target, about):
    target.with_name("network.pkl.part").write_bytes(NEW[:5000])
    target.with_name("network.pkl.part.json").write_text(about)
    fetch(server, target)
    assert target.read_bytes() == OLD
    assert server.ranges_asked() == [None]


def test_the_part_is_asked_for_behind_a_redirect(server, target):
    server.redirect = True
    here = break_off(server, target)
    fetch(server, target)
    assert target.read_bytes() == OLD
    assert server.ranges_asked() == [None, f"bytes={here}-"]


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_refusal_is_not_tried_again(server, target, status):
    server.statuses = [status] * 9
    assert f"is refused: the server answers {status}" in refusal(server, target)
    assert len(server.requests) == 1
    assert files_of(target) == []


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_overloaded_server_is_tried_again(server, target, status):
    server.statuses = [status] * 9
    said = refusal(server, target)
    assert f"could not be fetched in 3 attempts (the server answers {status}" in said
    assert len(server.requests) == 3
    server.statuses = [status]
    fetch(server, target)
    assert target.read_bytes() == OLD


def test_the_waits_are_kept(server, target):
    server.statuses = [503, 503]
    begun = time.monotonic()
    fetch(server, target, Patience(waits=(0.1, 0.2)))
    assert time.monotonic() - begun >= 0.3


def test_a_server_that_stalls_is_left_and_asked_for_the_rest(server, target):
    server.stall, server.break_after = True, [300_000]
    fetch(server, target, SHORT)
    assert target.read_bytes() == OLD
    assert len(server.requests) == 2


def test_a_server_that_stalls_for_good(server, target):
    server.stall, server.break_after = True, [300_000, 0]
    begun = time.monotonic()
    assert "timed out" in refusal(server, target, SHORT)
    assert time.monotonic() - begun < 9
    assert 0 < partial_size(target) <= 300_000


def test_a_server_that_is_not_there_is_not_tried_again(target, capsys):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # and does not listen
        nowhere = FileServer(OLD, address=f"http://127.0.0.1:{unused.getsockname()[1]}")
        begun = time.monotonic()
        assert refusal(nowhere, target, Patience()) == "cannot be reached (Connection refused)"
    assert capsys.readouterr() == ("", "")
    assert time.monotonic() - begun < 5  # as long as the waits would take


def test_a_server_that_takes_the_connection_and_says_nothing(target):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = FileServer(OLD, address=f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert "cannot be reached (timed out)" in refusal(server, target, SHORT)


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/octet-stream"])
def test_a_web_page_is_no_file(server, target, kind):
    server.content, server.content_type = b"\n<!DOCTYPE html><title>Quota exceeded</title>", kind
    assert refusal(server, target) == "gives a web page (a quota, a login) in place of the file"
    assert files_of(target) == []
    server.content, server.content_type = OLD, "application/octet-stream"
    fetch(server, target)
    assert target.read_bytes() == OLD


def test_something_else_is_no_file(server, target):
    server.content = b'{"error": "moved"}'
    assert refusal(server, target) == "gives something else in place of the file"


@pytest.mark.parametrize("length", [1_000_001, 2_000_000])
def test_a_length_that_never_comes(server, target, length):
    server.length = length
    assert "could not be fetched in 3 attempts" in refusal(server, target)


@pytest.mark.parametrize("length", [None, "many"])
def test_a_length_is_needed_and_is_a_number(server, target, length):
    server.length = length
    assert "without its length" in refusal(server, target)


def test_chunks_have_an_end_of_their_own(server, target):
    server.chunked = True
    server.break_after = [300_000]
    refusal(server, target, ONCE)
    fetch(server, target)
    assert target.read_bytes() == OLD


def test_a_file_that_is_there_is_not_fetched(server, target):
    target.write_bytes(NEW)
    fetch(server, target)
    assert target.read_bytes() == NEW and server.requests == []


def test_a_file_with_another_sha256_is_not_kept(server, target):
    address = f"{server.address}/network.pkl"
    with pytest.raises(DownloadError, match="its sha256 differs"):
        download(address, target, sha256=hashlib.sha256(NEW).hexdigest()[:8])
    assert files_of(target) == []
    download(address, target, sha256=hashlib.sha256(OLD).hexdigest()[:8])
    assert target.read_bytes() == OLD


def test_a_download_that_takes_too_long_stops_and_goes_on_another_time(server, target):
    server.pause = 0.1  # after each of eight pieces
    begun = time.monotonic()
    assert "takes longer than 0.3 s; the same command goes on after 0." in refusal(server, target, Patience(total=0.3))
    assert time.monotonic() - begun < 5
    here = partial_size(target)
    assert 0 < here < len(OLD)
    server.pause = 0
    fetch(server, target)
    assert target.read_bytes() == OLD
    assert server.ranges_asked() == [None, f"bytes={here}-"]


def test_no_wait_for_another_attempt_outlives_the_patience(server, target):
    server.statuses = [503] * 9
    begun = time.monotonic()
    assert "could not be fetched in 1 attempts" in refusal(server, target, Patience(waits=(60.0,), total=30.0))
    assert time.monotonic() - begun < 30


def test_the_wait_for_another_process_has_an_end(server, target):
    server.stall, server.break_after = True, [300_000]
    with another_process(server, target, lambda: server.sent > 0):
        said = refusal(server, target, Patience(total=0.2))
        assert said == "is still being fetched by another process after 0.2 s"


def test_a_disk_that_cannot_be_written_is_the_systems_error(server, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="exists|Not a directory"):
        fetch(server, tmp_path / "file" / "network.pkl")
    assert server.requests == []


def test_the_folder_is_made(server, tmp_path):
    fetch(server, tmp_path / "new" / "folder" / "network.pkl")
    assert files_of(tmp_path / "new" / "folder" / "network.pkl") == ["network.pkl"]


def test_a_kill_leaves_no_file_and_a_part_that_the_next_download_completes(server, target):
    server.stall, server.break_after = True, [500_000]
    with another_process(server, target, lambda: partial_size(target) >= 250_000):
        pass
    assert files_of(target) == ["network.pkl.part", "network.pkl.part.json"]
    assert json.loads(target.with_name("network.pkl.part.json").read_text()) == {"version": '"1"', "size": len(OLD)}
    here = partial_size(target)
    fetch(server, target)
    assert target.read_bytes() == OLD
    assert server.ranges_asked() == [None, f"bytes={here}-"]
