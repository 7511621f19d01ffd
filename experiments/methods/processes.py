"""Runs of the program in processes of their own, whose processor time and memory are measured."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from multimodal_pulse.base.files import CACHE_VARIABLE

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Cost:
    """What a process took.

    Attributes:
        seconds: processor time, user and system, on one thread. It does not count waiting for other programs.
        megabytes: the largest resident memory.
    """

    seconds: float
    megabytes: float


def run(run_dir: Path, overrides: Sequence[str], cache: Path | None = None) -> Cost:
    """Runs the program on one thread.

    Args:
        run_dir: the run directory.
        overrides: of `run.py`.
        cache: the folder for statistics and banks; None: the usual one.

    Raises:
        CalledProcessError: it failed.
    """
    command = [sys.executable, "run.py", *overrides, f"hydra.run.dir={run_dir}"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"} | ({CACHE_VARIABLE: str(cache)} if cache else {})
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Cost(seconds=used.ru_utime + used.ru_stime, megabytes=used.ru_maxrss / 1024)
