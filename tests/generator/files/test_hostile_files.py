"""Every file of `hostile_files` is refused in one line, runs nothing, and takes little memory and time."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hostile_files import CANARY, MEMORY, hostile_files
from official_files import checkpoint, dumps, module, network_arguments, network_tensors
from places import ROOT

from multimodal_pulse.generator import CheckpointError, load_generator

HOSTILE = list(hostile_files())


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Where the files are loaded."""
    return tmp_path_factory.mktemp("hostile")


@pytest.fixture(scope="module")
def report(folder) -> dict:
    """What loading did, in a process of its own under a limit on memory."""
    result = subprocess.run(
        [sys.executable, ROOT / "tests" / "helpers" / "hostile_files.py", folder],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.parametrize("index", range(len(HOSTILE)), ids=[name for name, _, _ in HOSTILE])
def test_it_is_refused_in_one_line(index, report):
    outcome = report["files"][index]["outcome"]
    assert outcome.startswith("CheckpointError: '") and HOSTILE[index][2] in outcome
    assert "\n" not in outcome and len(outcome) < 400


def test_nothing_was_executed(report, folder):
    assert [entry["events"] for entry in report["files"]] == [[]] * len(HOSTILE)
    assert not (folder / CANARY).exists()


def test_memory_and_time_are_bounded(report):
    assert sum(entry["growth"] for entry in report["files"]) < MEMORY
    assert max(entry["seconds"] for entry in report["files"]) < 10  # of this processor, for half a million instructions


def test_loading_imports_no_compiler(report):
    """PyTorch's takes many seconds to import, and arithmetic on the device "meta" would do so."""
    assert not report["compiler"]


def test_the_canary_would_sing(tmp_path, monkeypatch):
    """The files are as dangerous as they look: an ordinary unpickler runs them."""
    import pickle

    monkeypatch.chdir(tmp_path)
    pickle.loads(HOSTILE[0][1])
    assert Path(CANARY).exists()


def test_altered_source_code_is_still_only_text(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = network_arguments()
    tensors = network_tensors(arguments)
    source = f"open('{CANARY}', 'w')\nclass Generator:\n    def __init__(self): open('{CANARY}', 'w')\n"
    altered = checkpoint(arguments, tensors) | {"G_ema": module("Generator", arguments, tensors, source)}
    Path("altered.pkl").write_bytes(dumps(altered))
    Path("original.pkl").write_bytes(dumps(checkpoint(arguments, tensors)))
    generators = [load_generator("altered.pkl"), load_generator("original.pkl")]
    states = [generator.network.state_dict() for generator in generators]
    assert all(states[0][name].equal(states[1][name]) for name in states[1])
    assert not Path(CANARY).exists()


def test_paths_that_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for path in (tmp_path, tmp_path / "fifo", Path("/dev/zero")):
        with pytest.raises(CheckpointError, match="is not a file"):
            load_generator(path)
    for path in (tmp_path / "dangling", tmp_path / "loop", tmp_path / "nothing", "nul\0byte", "~nobody-here/file"):
        with pytest.raises(CheckpointError, match="does not exist"):
            load_generator(path)
    with pytest.raises(CheckpointError, match="cannot be read: File name too long$"):
        load_generator("x" * 300)


def test_a_link_to_a_file_is_followed(tmp_path):
    arguments = network_arguments()
    (tmp_path / "file.pkl").write_bytes(dumps(checkpoint(arguments, network_tensors(arguments))))
    (tmp_path / "link").symlink_to(tmp_path / "file.pkl")
    assert load_generator(tmp_path / "link").resolution == 16


def test_a_file_that_is_mostly_holes_costs_nothing(tmp_path):
    """GiBs of text that take no place on the disk; TiBs would take hours to be read for their sha256."""
    path = tmp_path / "holes.pkl"
    for size, reason in ((2**32, "bytes of text"), (2**42, "bytes, far more than any such network")):
        with path.open("wb") as file:
            file.write(b"\x80\x04\x8d" + size.to_bytes(8, "little"))
            file.truncate(size + 100)
        with pytest.raises(CheckpointError, match=reason):
            load_generator(path)
