"""The cache of official networks, filled from a server on this machine."""

import hashlib
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from file_server import FileServer, serve, wait_until
from places import ROOT

from multimodal_pulse.base.download import Patience
from multimodal_pulse.base.errors import UserError
from multimodal_pulse.base.files import file_sha256
from multimodal_pulse.generator.files.weights import NETWORKS, SOURCE, check_sha256, present, store_sha256

CONTENT = b"\x80" + bytes(999_999)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
AT_ONCE = Patience(waits=(0,))
FFHQ256 = NETWORKS["ffhq256"]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    """Where the networks are kept; no test may reach another cache, nor NVIDIA's server."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("MULTIMODAL_PULSE_MIRROR", "http://127.0.0.1:9")
    monkeypatch.setenv("MULTIMODAL_PULSE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "weights"


@pytest.fixture
def server(monkeypatch):
    with serve(FileServer(CONTENT)) as running:
        monkeypatch.setenv("MULTIMODAL_PULSE_MIRROR", f"{running.address}/files/")
        yield running


def fetch(name: str, patience: Patience) -> tuple[Path, str]:
    """What a reader of the network does, whatever is in the file: its path and sha256."""
    path = present(name, patience)
    sha256 = file_sha256(path)
    check_sha256(path, sha256)
    store_sha256(path, sha256)
    return path, sha256


def refusal(name: str = "ffhq256") -> str:
    with pytest.raises(UserError) as refused:
        fetch(name, AT_ONCE)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_the_addresses_are_the_official_ones(monkeypatch):
    monkeypatch.delenv("MULTIMODAL_PULSE_MIRROR")
    assert FFHQ256.address == (
        "https://api.ngc.nvidia.com/v2/models/nvidia/research/stylegan2/versions/1/files/stylegan2-ffhq-256x256.pkl"
    )
    for name, network in NETWORKS.items():
        domain, side = re.fullmatch(r"stylegan2-(\w+)-(\d+)x\2\.pkl", network.file).groups()
        assert name.replace("-", "") == domain + side
        assert network.address == f"{SOURCE}/{network.file}"
        assert network.resolution == int(side)


def test_fetched_once_recorded_and_checked(server, cache, capsys):
    path, sha256 = fetch("ffhq256", AT_ONCE)
    assert path == cache / "stylegan2-ffhq-256x256.pkl"
    assert path.read_bytes() == CONTENT
    assert sha256 == SHA256
    assert path.with_name(f"{path.name}.sha256").read_text() == f"{SHA256}  {path.name}\n"
    said = capsys.readouterr().err
    assert said.count("non-commercial") == 1
    assert said.startswith(f"note: fetching {server.address}/files/stylegan2-ffhq-256x256.pkl to {path}; ")

    assert fetch("ffhq256", AT_ONCE) == (path, SHA256)
    assert len(server.requests) == 1
    assert capsys.readouterr().err == ""


def test_the_record_is_one_that_sha256sum_reads(server, cache):
    path, _ = fetch("ffhq256", AT_ONCE)
    command = ["sha256sum", "--check", f"{path.name}.sha256"]
    assert subprocess.run(command, cwd=cache, capture_output=True).returncode == 0


def test_a_file_that_has_changed_is_refused(server, cache):
    path, _ = fetch("ffhq256", AT_ONCE)
    changed = CONTENT[:-1] + b"\x01"
    path.write_bytes(changed)
    said = refusal()
    assert str(path) in said and SHA256 in said and hashlib.sha256(changed).hexdigest() in said
    assert "delete it and stylegan2-ffhq-256x256.pkl.sha256 to fetch it again" in said
    path.unlink()  # the file alone: what is fetched is compared with what came the first time
    server.content = changed
    assert "was recorded when it came" in refusal()
    path.with_name(f"{path.name}.sha256").unlink()
    assert fetch("ffhq256", AT_ONCE)[1] == hashlib.sha256(changed).hexdigest()


def test_a_record_in_capitals_is_the_same(server):
    path, _ = fetch("ffhq256", AT_ONCE)
    path.with_name(f"{path.name}.sha256").write_text(f"{SHA256.upper()}  {path.name}\n")
    assert fetch("ffhq256", AT_ONCE)[1] == SHA256


def test_a_file_put_there_by_hand_is_recorded(cache):
    cache.mkdir(parents=True)
    FFHQ256.path.write_bytes(CONTENT)
    assert fetch("ffhq256", AT_ONCE)[1] == SHA256
    FFHQ256.path.write_bytes(CONTENT[:-1])
    assert SHA256 in refusal()


def test_what_nobody_has_read_has_no_record(server, cache):
    assert present("ffhq256", AT_ONCE).read_bytes() == CONTENT
    assert not list(cache.glob("*.sha256"))


def test_a_mirror_that_is_no_address_is_named(monkeypatch):
    monkeypatch.setenv("MULTIMODAL_PULSE_MIRROR", "nonsense")
    assert refusal() == "MULTIMODAL_PULSE_MIRROR=nonsense is no address: it must begin with http:// or https://."


def test_without_a_network_one_line_says_what_to_do(monkeypatch, capsys):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("MULTIMODAL_PULSE_MIRROR", f"http://127.0.0.1:{unused.getsockname()[1]}")
        said = refusal()
    assert said == (
        f"{FFHQ256.address} cannot be reached (Connection refused): fetch it by another way and put it at"
        f" {FFHQ256.path}; generator=faces (photographs) and generator=portraits (drawn ones) work now, without it."
    )
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("does", "words"),
    [
        ({"statuses": [404]}, "is refused: the server answers 404"),
        ({"statuses": [500, 500]}, "could not be fetched in 2 attempts (the server answers 500"),
        ({"content": b"<html>quota</html>"}, "gives a web page"),
        ({"length": 1_000_001}, "could not be fetched"),
    ],
)
def test_what_a_server_does_wrong_is_said_with_the_remedy(server, cache, does, words):
    for name, value in does.items():
        setattr(server, name, value)
    said = refusal()
    assert said.startswith(f"{FFHQ256.address} {words}")
    assert f"put it at {FFHQ256.path}; generator=faces (photographs)" in said
    assert not FFHQ256.path.exists()


def test_a_download_that_broke_off_is_shown_and_continued(server):
    assert FFHQ256.state == "absent"
    server.break_after = [300_000] * 2
    assert "the same command goes on after" in refusal()
    assert re.fullmatch(r"0\.[1-9] MB so far", FFHQ256.state)
    assert fetch("ffhq256", AT_ONCE)[1] == SHA256
    assert FFHQ256.state == "1.0 MB"
    assert server.ranges_asked()[0] is None and None not in server.ranges_asked()[1:]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ffhq265", "did you mean ffhq256?"),
        ("mountains", "there are ffhq256, ffhq512"),
        ("cifar10-32", "conditional ones are not supported"),
    ],
)
def test_networks_that_cannot_be_had(server, name, words):
    said = refusal(name)
    assert said.startswith(name) and words in said
    assert server.requests == []


def test_a_cache_that_cannot_be_written(server, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MULTIMODAL_PULSE_CACHE", str(tmp_path / "file"))
    assert "cannot be written" in (said := refusal()) and "MULTIMODAL_PULSE_CACHE" in said


FETCH = "from multimodal_pulse.generator.files.weights import present; print(present('ffhq256'))"


def test_two_processes_fetch_it_once(server):
    server.stall, server.break_after = True, [2**18]  # the first one waits here, until the second one has come
    first = start()
    wait_until(lambda: server.sent > 0, first)
    second = start()
    assert second.stderr is not None
    assert "another process is fetching" in second.stderr.readline()
    server.stopped.set()
    for process in (first, second):
        said, _ = process.communicate(timeout=30)
        assert said.split() == [str(FFHQ256.path)]
    assert FFHQ256.path.read_bytes() == CONTENT
    assert server.sent == len(CONTENT)
    assert len(server.requests) == 2  # the second one for the rest, by the first process


def start() -> subprocess.Popen[str]:
    command = [sys.executable, "-c", FETCH]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_it_is_read_without_pytorch():
    code = "import sys; import multimodal_pulse.generator.files.weights; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
