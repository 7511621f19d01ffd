"""What the program does with its process: threads that wait asleep, the exit status, and an end without tidying up."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROGRAM = """
import atexit, os, sys
from multimodal_pulse import __main__
from multimodal_pulse.interface import cli

class Large:
    def __del__(self):
        print("freed")

large = Large()

def work():
    atexit.register(print, "closed")
    print("done")
    {end}

cli.main = work
__main__.main()
"""


def ended(end, **options):
    """The process of a program whose work ends so."""
    code = PROGRAM.format(end=end)
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, text=True, stderr=subprocess.PIPE, **options)


@pytest.mark.parametrize(
    ("end", "status"), [("pass", 0), ("sys.exit(3)", 3), ("raise KeyboardInterrupt", 130)], ids=str
)
def test_the_status_is_kept_others_close_and_nothing_is_freed(end, status):
    done = ended(end, stdout=subprocess.PIPE)
    assert (done.returncode, done.stdout) == (status, "done\nclosed\n")


def test_an_error_of_the_program_ends_as_python_ends_it():
    done = ended("raise ValueError('wrong')", stdout=subprocess.PIPE)
    assert (done.returncode, done.stdout) == (1, "done\nclosed\nfreed\n")
    assert done.stderr.endswith("ValueError: wrong\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a full device")
def test_output_that_cannot_be_written_is_no_success():
    buffered = os.environ | {"PYTHONUNBUFFERED": ""}
    with open("/dev/full", "w") as full:
        assert ended("pass", stdout=full, env=buffered).returncode == 120


@pytest.mark.parametrize(("given", "used"), [({}, "passive"), ({"OMP_WAIT_POLICY": "active"}, "active")])
def test_threads_wait_asleep_unless_the_user_wants_otherwise(given, used):
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"} | given
    done = ended("print(os.environ['OMP_WAIT_POLICY'])", stdout=subprocess.PIPE, env=environment)
    assert done.stdout.splitlines()[1] == used
