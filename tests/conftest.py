import errno
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import tiny_run
import torch
from places import SHARED

from multimodal_pulse.generator import save_generator, untrained
from multimodal_pulse.references.pixels import save_png

LPIPS_FILES = SHARED / "lpips"


def pytest_addoption(parser):
    parser.addoption(
        "--regenerate", action="store_true", help="write the golden traces again, from what the code does now"
    )


@pytest.fixture(scope="session", autouse=True)
def one_thread_and_one_cache(tmp_path_factory) -> Iterator[None]:
    """The statistics of W are computed once for all tests, and one thread is faster for networks as small as these.

    The folder of pytest-xdist's workers is shared by all of them.
    """
    base = tmp_path_factory.getbasetemp()
    cache = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "multimodal-pulse-cache"
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MULTIMODAL_PULSE_CACHE", str(cache))
        patch.setenv("OMP_NUM_THREADS", "1")  # of the processes that tests start
        yield


@pytest.fixture
def command(capsys) -> Callable[..., tuple[int, str, str]]:
    """Runs the command with a tiny generator in this process: (exit status, stdout, stderr)."""

    def run(*arguments: str, base: Sequence[str] = tiny_run.OVERRIDES) -> tuple[int, str, str]:
        flags = [argument for argument in arguments if argument.startswith("-")]
        status = tiny_run.run(*flags, *base, *(argument for argument in arguments if argument not in flags))
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def photos(tmp_path) -> Path:
    """A folder of two originals of 32 x 32 pixels."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, seed in (("ada", 0), ("grace", 1)):
        save_png(torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(seed)), folder / f"{name}.png")
    return folder


@pytest.fixture
def own(tmp_path) -> Path:
    """A generator in our own format."""
    path = tmp_path / "own.safetensors"
    save_generator(untrained(16, z_dim=8, w_dim=8, channel_base=128, channel_max=8).network, path)
    return path


@pytest.fixture
def closed(tmp_path, monkeypatch) -> Path:
    """A folder that may not be entered, not even by root."""
    really = os.stat

    def guarded(path, *arguments, **keywords):
        if str(path).startswith(f"{tmp_path / 'closed'}{os.sep}"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return really(path, *arguments, **keywords)

    (tmp_path / "closed").mkdir()
    monkeypatch.setattr(os, "stat", guarded)
    return tmp_path / "closed"


@pytest.fixture(scope="session")
def torch_home() -> Iterator[Path]:
    """A TORCH_HOME that holds the AlexNet and SqueezeNet backbones; not among pytest's kept folders, for its 240 MB."""
    if not (LPIPS_FILES / "hub_cache.py").is_file():
        pytest.skip(f"the real LPIPS backbones are not at {LPIPS_FILES}")
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
        command = [sys.executable, str(LPIPS_FILES / "hub_cache.py"), folder]
        subprocess.run(command, check=True, env=environment, capture_output=True)
        yield Path(folder)
