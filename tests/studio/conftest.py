"""A studio that really runs, in a process of its own."""

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from places import ROOT


@dataclass(frozen=True)
class Running:
    """A running studio.

    Attributes:
        address: of its page.
        outputs: its folder of runs.
        pid: the number of its process.
        folder: its current folder, from which the addresses of runs count.
    """

    address: str
    outputs: Path
    pid: int
    folder: Path


@pytest.fixture(scope="package")
def studio(tmp_path_factory) -> Iterator[Running]:
    pytest.importorskip("fastapi", reason="the extra `studio` is not installed")
    pytest.importorskip("uvicorn", reason="the extra `studio` is not installed")
    folder = tmp_path_factory.mktemp("studio")
    command = [sys.executable, str(ROOT / "run.py"), "studio", "--no-browser", "--outputs", "outputs"]
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    said = re.fullmatch(r"studio: (http://127\.0\.0\.1:\d+/)   \(Ctrl-C ends it\)\n", process.stderr.readline())
    assert said, "it does not say where it is"
    with (folder / "stderr").open("w") as rest:
        drain = subprocess.Popen(["cat"], stdin=process.stderr, stdout=rest)  # else a full pipe would stop it
    try:
        yield Running(said[1], folder / "outputs", process.pid, folder)
    finally:
        process.terminate()
        assert process.wait(timeout=30) in (0, -15, 143)
        drain.wait(timeout=10)
