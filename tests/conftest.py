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
