"""The command in a process of its own, which fails if it imports anything that takes long."""

import subprocess
import sys

from places import ROOT

CODE = """
import sys
heavy = set(sys.argv.pop(1).split())
from multimodal_pulse.interface.cli import main
try:
    main()
finally:
    assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""


def lightly(
    *arguments: object, without: str = "torch numpy pytorch_lightning wandb"
) -> subprocess.CompletedProcess[str]:
    """Runs the command; `without` names the modules that it must not import."""
    command = [sys.executable, "-c", CODE, without, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8")
