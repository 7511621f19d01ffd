"""The library of the fused operators: built once, whole or absent, and refused in one line."""

import ctypes
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from multimodal_pulse.generator.ops import build
from multimodal_pulse.generator.ops.build import BuildError, library

needs_compiler = pytest.mark.skipif(
    not (os.environ.get("CXX") or shutil.which("c++") or shutil.which("g++")), reason="there is no C++ compiler here"
)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    """An empty cache folder, and no library loaded."""
    monkeypatch.setenv("MULTIMODAL_PULSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(build, "library", library.__wrapped__)
    return tmp_path / "cache"


def fake_compiler(tmp_path: Path, body: str) -> str:
    path = tmp_path / "fake-c++"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


@needs_compiler
def test_it_is_built_once_and_said_once(cache, capsys):
    assert isinstance(build.library(), ctypes.CDLL)
    assert capsys.readouterr().err == "note: building the fused operators (once)\n"
    [made] = cache.iterdir()
    before = made.stat()
    build.library()
    assert capsys.readouterr().err == "" and [made] == list(cache.iterdir()) and made.stat() == before


@needs_compiler
def test_another_source_or_pytorch_has_a_library_of_its_own(cache, tmp_path, monkeypatch):
    build.library()
    monkeypatch.setattr(build.torch, "__version__", "0.0")
    build.library()
    source = tmp_path / "fused.cpp"
    source.write_text(build.SOURCE.read_text() + "// changed\n")
    monkeypatch.setattr(build, "SOURCE", source)
    build.library()
    assert len(list(cache.iterdir())) == 3


@needs_compiler
def test_a_machine_without_a_compiler_uses_what_the_cache_has(monkeypatch, capsys):
    build.library()
    capsys.readouterr()
    monkeypatch.setenv("CXX", "no-c++")
    assert build.library().halve and capsys.readouterr().err == ""


@needs_compiler
def test_a_library_that_does_not_load_is_built_again_and_stays_without_a_compiler(cache, capsys, monkeypatch):
    made = cache / f"operators-{build._key()}.so"
    cache.mkdir()
    made.write_bytes(b"nonsense")
    with monkeypatch.context() as without:
        without.setenv("CXX", "no-c++")
        with pytest.raises(BuildError, match="no-c"):
            build.library()
    assert made.read_bytes() == b"nonsense"
    assert build.library().halve
    assert capsys.readouterr().err == "note: building the fused operators (once)\n"
    assert list(cache.iterdir()) == [made] and made.read_bytes() != b"nonsense"


@needs_compiler
def test_a_compiler_may_be_several_words(monkeypatch):
    monkeypatch.setenv("CXX", f"env 'LABEL=two words' {os.environ.get('CXX') or shutil.which('c++') or 'g++'}")
    assert build.library().halve


@needs_compiler
def test_processes_that_build_at_once_do_no_harm(cache):
    program = "from multimodal_pulse.generator.ops.build import library; library().halve; print('ready')"
    processes = [subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert [process.communicate()[0] for process in processes] == ["ready\n"] * 3
    assert [path.suffix for path in cache.iterdir()] == [".so"]


@needs_compiler
def test_it_has_no_openmp_of_its_own(cache):
    build.library()
    [made] = cache.iterdir()
    if not shutil.which("readelf"):
        pytest.skip("there is no readelf here")
    needed = subprocess.run(["readelf", "-d", made], capture_output=True, text=True, check=True).stdout
    assert "libc" in needed and "omp" not in needed


def test_a_failing_compiler_is_quoted(cache, tmp_path, monkeypatch):
    body = 'echo "fused.cpp:3: error: no such luck" >&2\necho "1 error" >&2\nexit 1'
    monkeypatch.setenv("CXX", fake_compiler(tmp_path, body))
    with pytest.raises(BuildError, match=r"^fake-c\+\+ says: fused.cpp:3: error: no such luck$"):
        build.library()
    assert list(cache.iterdir()) == []


def test_a_compiler_of_several_words_is_quoted_in_whatever_it_writes(tmp_path, monkeypatch):
    """A message in Latin-1, as older systems' are."""
    monkeypatch.setenv("CXX", fake_compiler(tmp_path, "printf 'error: caf\\351\\n' >&2\nexit 1") + " -v")
    with pytest.raises(BuildError, match="^fake-c\\+\\+ -v says: error: caf\ufffd$"):
        build.library()
    monkeypatch.setenv("CXX", "g++ 'open")
    with pytest.raises(BuildError, match="^CXX=g\\+\\+ 'open is no command: "):
        build.library()


def test_a_compiler_that_says_nothing_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("CXX", fake_compiler(tmp_path, "exit 3"))
    with pytest.raises(BuildError, match=r"^fake-c\+\+ says: status 3$"):
        build.library()


def test_a_library_that_cannot_be_loaded_is_a_failure(tmp_path, monkeypatch):
    body = 'while [ $# -gt 0 ]; do [ "$1" = -o ] && echo nonsense > "$2"; shift; done'
    monkeypatch.setenv("CXX", fake_compiler(tmp_path, body))
    with pytest.raises(BuildError, match="operators-"):
        build.library()


def test_a_machine_without_a_compiler_is_told_so(monkeypatch, tmp_path):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BuildError, match="there is no C\\+\\+ compiler$"):
        build.library()
    monkeypatch.setenv("CXX", "my-c++")
    with pytest.raises(BuildError, match="there is no C\\+\\+ compiler my-c\\+\\+"):
        build.library()


def test_a_cache_that_cannot_be_written_is_a_failure(cache, tmp_path, monkeypatch):
    cache.write_text("a file where the folder should be")
    monkeypatch.setenv("CXX", fake_compiler(tmp_path, "exit 0"))
    with pytest.raises(BuildError, match="cache"):
        build.library()
