"""What is installed: a wheel and an sdist carry every option file, and a checkout finds its own."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from places import CONF, ROOT

OPTION_FILES = sorted(path.relative_to(CONF).as_posix() for path in CONF.rglob("*.yaml"))


@pytest.fixture(scope="module")
def distributions(tmp_path_factory) -> tuple[Path, Path]:
    """The wheel and the sdist of this checkout, built without a network from a copy of it."""
    folder = tmp_path_factory.mktemp("distributions")
    source = folder / "source"
    source.mkdir()
    for name in ("multimodal_pulse", "conf", "pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    code = (
        f"from setuptools.build_meta import *; print(build_wheel({str(folder)!r})); print(build_sdist({str(folder)!r}))"
    )
    subprocess.run([sys.executable, "-c", code], cwd=source, check=True, capture_output=True)
    return next(folder.glob("*.whl")), next(folder.glob("*.tar.gz"))


def test_a_wheel_carries_every_option_file_and_the_prior(distributions):
    names = set(zipfile.ZipFile(distributions[0]).namelist())
    assert {f"multimodal_pulse/conf/{name}" for name in OPTION_FILES} <= names
    assert "multimodal_pulse/domains/faces/aligner.safetensors" in names
    assert "multimodal_pulse/domains/portraits/prior.safetensors" in names and "multimodal_pulse/py.typed" in names
    assert "multimodal_pulse/generator/ops/fused.cpp" in names
    assert not [name for name in names if name.startswith(("tests", "experiments", "conf/"))]


def test_an_sdist_carries_every_option_file(distributions):
    with tarfile.open(distributions[1]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {f"conf/{name}" for name in OPTION_FILES} <= names


def test_an_unpacked_wheel_composes_a_run_away_from_the_checkout(distributions, tmp_path):
    zipfile.ZipFile(distributions[0]).extractall(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "multimodal_pulse", "--cfg", "job"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0 and "method: explore" in done.stdout, done.stderr


def test_a_checkout_that_is_not_installed_composes_a_run_from_anywhere(tmp_path):
    done = subprocess.run(
        [sys.executable, ROOT / "run.py", "--cfg", "job"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0 and "method: explore" in done.stdout, done.stderr
