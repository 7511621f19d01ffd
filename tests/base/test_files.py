import errno
import os
import signal
from pathlib import Path

import pytest
from killing import DISK_CALLS, killed_at

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


def test_a_folder_is_whole_or_absent_wherever_the_process_is_killed(tmp_path: Path):
    def write(folder: Path) -> None:
        with atomic_folder(folder) as partial:
            for number in range(3):
                write_atomic(partial / f"{number}.txt", "x" * 1000)

    calls = (*DISK_CALLS, "open")
    assert killed_at(0, lambda: write(tmp_path / "survivor"), tmp_path / "count", calls) == 0
    total = int((tmp_path / "count").read_text())
    assert total > 15
    for fatal in range(1, total + 1):
        folder = tmp_path / f"folder_{fatal}"
        assert killed_at(fatal, lambda folder=folder: write(folder), calls=calls) == signal.SIGKILL
        if folder.exists():
            assert sorted(path.name for path in folder.iterdir()) == ["0.txt", "1.txt", "2.txt"]
            assert all(path.read_text() == "x" * 1000 for path in folder.iterdir())
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
    def die_as_the_writer() -> None:
        with only_writer(tmp_path):
            os.kill(os.getpid(), signal.SIGKILL)

    assert killed_at(0, die_as_the_writer) == signal.SIGKILL
    with only_writer(tmp_path):
        pass


def test_a_file_system_without_locks_is_written_to(tmp_path: Path, monkeypatch):
    def refuse(*arguments):
        raise OSError(errno.EBADF, "no locks on folders here")

    monkeypatch.setattr("fcntl.flock", refuse)
    with only_writer(tmp_path), only_writer(tmp_path):
        pass
