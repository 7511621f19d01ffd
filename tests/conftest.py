import errno
import os
from pathlib import Path

import pytest

from multimodal_pulse.generator import save_generator, untrained


def pytest_addoption(parser):
    parser.addoption("--regenerate", action="store_true", help="write tests/golden anew from what the code does now")


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
