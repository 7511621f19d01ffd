"""The command in a process of its own, which fails if it imports anything that takes long."""

import subprocess
import sys

from places import ROOT

CODE = """
import sys
sys.argv = ["multimodal-pulse", *sys.argv[1:]]
from multimodal_pulse.interface.cli import main
try:
    main()
finally:
    heavy = {"torch", "pytorch_lightning", "wandb", "numpy"} & set(sys.modules)
    assert not heavy, heavy
"""


def lightly(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", CODE, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8")
