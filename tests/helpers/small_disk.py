"""A disk of a given size, on which a command of the program runs until it is full."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from places import ROOT

IN_A_NAMESPACE = ["unshare", "--user", "--mount", "--map-root-user", "sh", "-c"]
SCRIPT = """
mount -t tmpfs -o size="$1" tmpfs "$2" || exit 99
disk="$2" kept="$3"; shift 3
"$@"; status=$?
cp -r "$disk/." "$kept"; exit $status
"""


def on_a_small_disk(size: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs `python run.py <arguments>` while `folder` is a disk of its own; its files are in `folder` afterwards.

    Args:
        size: the size of the disk, such as "300k".
        folder: an absolute path; made if missing.
        arguments: the arguments of the command.
    """
    if shutil.which("unshare") is None:
        pytest.skip("unshare is not here: a disk of its own cannot be made")
    disk, kept = folder.with_name(f"{folder.name}-disk"), folder
    disk.mkdir(exist_ok=True)
    kept.mkdir(exist_ok=True)
    inside = [argument.replace(str(folder), str(disk)) for argument in arguments]
    command: Sequence[str] = [*IN_A_NAMESPACE, SCRIPT, "sh", size, str(disk), str(kept), sys.executable, "run.py"]
    done = subprocess.run([*command, *inside], cwd=ROOT, capture_output=True, text=True)
    if done.returncode == 99 or "unshare" in done.stderr:
        pytest.skip(f"a disk of its own cannot be made here: {done.stderr}")
    return done
