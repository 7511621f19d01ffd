import errno
import subprocess
import sys
from pathlib import Path

import pytest
from places import ROOT

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.base.files import (
    PARTIAL,
    atomic_file,
    atomic_folder,
    only_writer,
    remove_partial,
    short,
    write_atomic,
)

# Dies by SIGKILL, as nothing can catch, at the n-th call that reaches the disk; ends well when there are fewer.
KILLED_WRITER = """
import os, signal, sys
from pathlib import Path
from multimodal_pulse.files import atomic_folder, write_atomic
fatal, folder = int(sys.argv[1]), Path(sys.argv[2])
calls = 0

def deadly(function):
    def call(*arguments, **keywords):
        global calls
        calls += 1
        if calls == fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **keywords)
    return call

for name in ("fsync", "replace", "rename", "mkdir", "open"):
    setattr(os, name, deadly(getattr(os, name)))
with atomic_folder(folder) as partial:
    for number in range(3):
        write_atomic(partial / f"{number}.txt", "x" * 1000)
"""


def test_a_folder_is_whole_or_absent_wherever_the_process_is_killed(tmp_path: Path):
    outcomes = []
    for fatal in range(1, 100):
        folder = tmp_path / f"folder_{fatal}"
        command = [sys.executable, "-c", KILLED_WRITER, str(fatal), str(folder)]
        outcomes.append(subprocess.run(command, cwd=ROOT, capture_output=True).returncode)
        if folder.exists():
            assert sorted(path.name for path in folder.iterdir()) == ["0.txt", "1.txt", "2.txt"]
            assert all(path.read_text() == "x" * 1000 for path in folder.iterdir())
        else:
            assert outcomes[-1] == -9
        if outcomes[-1] == 0:
            break
    assert outcomes[-1] == 0 and len(outcomes) > 15
    assert set(outcomes[:-1]) == {-9}
    assert any(path.name.startswith(PARTIAL) for path in tmp_path.iterdir())
    remove_partial(tmp_path)
    assert not list(tmp_path.rglob(f"{PARTIAL}*"))


def test_what_a_killed_writer_left_does_not_enter_the_next_folder(tmp_path: Path):
    leftover = tmp_path / f"{PARTIAL}face"
    leftover.mkdir()
    (leftover / "old.txt").write_text("old")
    with atomic_folder(tmp_path / "face") as partial:
        (partial / "new.txt").write_text("new")
    assert [path.name for path in (tmp_path / "face").iterdir()] == ["new.txt"]
    assert [path.name for path in tmp_path.iterdir()] == ["face"]


def test_an_error_leaves_no_folder(tmp_path: Path):
    with pytest.raises(KeyboardInterrupt), atomic_folder(tmp_path / "face") as partial:
        (partial / "a.txt").write_text("a")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_exists_is_not_touched(tmp_path: Path):
    (tmp_path / "face").mkdir()
    (tmp_path / "face" / "kept.txt").write_text("kept")
    with pytest.raises(FileExistsError), atomic_folder(tmp_path / "face"):
        pass
    assert (tmp_path / "face" / "kept.txt").read_text() == "kept"


def test_an_error_leaves_the_old_file(tmp_path: Path):
    path = tmp_path / "a.json"
    write_atomic(path, "old")
    with pytest.raises(RuntimeError), atomic_file(path) as partial:
        partial.write_text("half of the n")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_text_is_utf_8_and_bytes_are_bytes(tmp_path: Path):
    write_atomic(tmp_path / "text", "Zürich")
    write_atomic(tmp_path / "bytes", b"\x00\xff")
    assert (tmp_path / "text").read_bytes() == "Zürich".encode()
    assert (tmp_path / "bytes").read_bytes() == b"\x00\xff"


def test_a_path_is_short_below_the_working_directory_alone(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert short(tmp_path / "here" / "outputs" / "run") == Path("outputs/run")
    assert short(Path("outputs/run")) == Path("outputs/run")
    for path in (tmp_path / "here", tmp_path / "hereafter"):
        assert short(path) == path


def test_a_folder_has_one_writer_at_a_time(tmp_path: Path):
    folder = tmp_path / "runs" / "mine"
    with only_writer(folder):
        assert list(folder.iterdir()) == []
        with pytest.raises(UserError, match="another process is at work in .*mine"), only_writer(folder):
            pass
    with only_writer(folder):
        pass


def test_a_killed_writer_holds_nothing(tmp_path: Path):
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from multimodal_pulse.base.files import only_writer\n"
        "with only_writer(Path(sys.argv[1])):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT).returncode == -9
    with only_writer(tmp_path):
        pass


def test_a_file_system_without_locks_is_written_to(tmp_path: Path, monkeypatch):
    def refuse(*arguments):
        raise OSError(errno.EBADF, "no locks on folders here")

    monkeypatch.setattr("fcntl.flock", refuse)
    with only_writer(tmp_path), only_writer(tmp_path):
        pass
