"""The library of fused.cpp: compiled on first use, and kept in the cache folder for later runs.

The source has no header of PyTorch, so that compiling takes seconds, and needs neither `torch.utils.cpp_extension` nor
ninja. It is linked without an OpenMP library of its own: the threads are those of the one that PyTorch has loaded.
"""

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import torch

from multimodal_pulse.base.files import PARTIAL, cache_folder, move_into_place

SOURCE = Path(__file__).with_name("fused.cpp")
COMPILE = ["-O3", "-march=native", "-std=c++17", "-fPIC", "-fopenmp", "-fno-math-errno", "-fno-trapping-math", "-c"]
COMPILER_VARIABLE = "CXX"


class BuildError(Exception):
    """The library cannot be built or loaded; the message says why, in the compiler's last words if it has any."""


@cache
def library() -> ctypes.CDLL:
    """Returns the library, compiled unless the cache has it for this source, compiler, PyTorch and processor.

    Raises:
        BuildError: there is no compiler, it fails, or the cache cannot be written.
    """
    compiler = _compiler()
    try:
        path = cache_folder() / f"operators-{_key(compiler)}.so"
        if not path.exists():
            print("note: building the fused operators (once)", file=sys.stderr, flush=True)
            _build(compiler, path)
        return ctypes.CDLL(str(path))
    except subprocess.CalledProcessError as error:
        raise BuildError(_last_words(error, compiler)) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildError(" ".join(str(error).split())) from error


def _compiler() -> str:
    """Returns the path of the C++ compiler: `CXX`, else the system's."""
    named = os.environ.get(COMPILER_VARIABLE)
    for name in [named] if named else ["c++", "g++"]:
        if found := shutil.which(name):
            return found
    raise BuildError(f"there is no C++ compiler {named}" if named else "there is no C++ compiler")


def _key(compiler: str) -> str:
    """Returns what a library was made from, as a hex digest."""
    version = subprocess.run([compiler, "--version"], capture_output=True, check=True, timeout=60).stdout
    parts = [SOURCE.read_bytes(), version, *map(str.encode, [*COMPILE, torch.__version__, _processor()])]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def _processor() -> str:
    """Returns the processor's name and instruction sets: a home folder may be shared by machines of several kinds."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    return "\n".join(sorted({line for line in lines if line.startswith(("model name", "flags", "Features", "CPU"))}))


def _build(compiler: str, path: Path) -> None:
    """Compiles the library to `path`, which is whole or absent at any time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=PARTIAL) as folder:
        compiled, linked = Path(folder) / "fused.o", Path(folder) / path.name
        for command in (
            [compiler, *COMPILE, str(SOURCE), "-o", str(compiled)],
            [compiler, "-shared", str(compiled), "-o", str(linked)],
        ):
            subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
        move_into_place(linked, path)


def _last_words(error: subprocess.CalledProcessError, compiler: str) -> str:
    """Returns the compiler's first error, else the last line it wrote, else its status."""
    words = error.stderr.decode(errors="replace") if isinstance(error.stderr, bytes) else error.stderr or ""
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    said = next((line for line in lines if "error" in line), lines[-1] if lines else f"status {error.returncode}")
    return f"{Path(compiler).name} says: {said}"
