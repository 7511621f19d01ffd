"""Real LPIPS backbones in a folder of their own, once per session."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from places import SHARED

LPIPS_FILES = SHARED / "lpips"


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
