"""The library of fused.cpp: compiled on first use, and kept in the cache folder for later runs.

The source has no header of PyTorch, so that compiling takes seconds, and needs neither `torch.utils.cpp_extension` nor
ninja. It is linked without an OpenMP library of its own: the threads are those of the one that PyTorch has loaded.
"""

import ctypes
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
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
    """Returns the library, compiled unless the cache has one that loads for this source, PyTorch and processor.

    Raises:
        BuildError: it has to be compiled, and there is no compiler, it fails, or the cache cannot be written.
    """
    try:
        path = cache_folder() / f"operators-{_key()}.so"
        with suppress(OSError):  # absent, damaged, or linked with a newer C library than this machine has
            return ctypes.CDLL(str(path))
        _build(path)
        return ctypes.CDLL(str(path))
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildError(" ".join(str(error).split())) from error


def _compiler() -> list[str]:
    """Returns the C++ compiler, its path and what follows it: the words of `CXX`, else the system's."""
    named = os.environ.get(COMPILER_VARIABLE, "")
    try:
        commands = [words] if (words := shlex.split(named)) else [["c++"], ["g++"]]
    except ValueError as error:
        raise BuildError(f"{COMPILER_VARIABLE}={named} is no command: {error}") from error
    for name, *rest in commands:
        if found := shutil.which(name):
            return [found, *rest]
    raise BuildError(f"there is no C++ compiler {named}" if words else "there is no C++ compiler")


def _key() -> str:
    """Returns what a library is made from, as a hex digest.

    The compiler is not part of it, so that a machine without one uses what another, or an earlier time, has built.
    """
    parts = [SOURCE.read_bytes(), *map(str.encode, [*COMPILE, torch.__version__, _processor()])]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def _processor() -> str:
    """Returns the processor's name and instruction sets: a home folder may be shared by machines of several kinds."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    return "\n".join(sorted({line for line in lines if line.startswith(("model name", "flags", "Features", "CPU"))}))


def _build(path: Path) -> None:
    """Compiles the library to `path`, which is whole or as it was before at any time."""
    compiler = _compiler()
    print("note: building the fused operators (once)", file=sys.stderr, flush=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=PARTIAL) as folder:
        compiled, linked = Path(folder) / "fused.o", Path(folder) / path.name
        for command in (
            [*compiler, *COMPILE, str(SOURCE), "-o", str(compiled)],
            [*compiler, "-shared", str(compiled), "-o", str(linked)],
        ):
            done = subprocess.run(command, capture_output=True, timeout=300)
            if done.returncode:
                name = " ".join([Path(compiler[0]).name, *compiler[1:]])
                raise BuildError(f"{name} says: {_last_words(done)}")
        move_into_place(linked, path)


def _last_words(done: "subprocess.CompletedProcess[bytes]") -> str:
    """Returns a compiler's first error, else the last line it wrote, else its status."""
    lines = [line.strip() for line in done.stderr.decode(errors="replace").splitlines() if line.strip()]
    return next((line for line in lines if "error" in line), lines[-1] if lines else f"status {done.returncode}")
