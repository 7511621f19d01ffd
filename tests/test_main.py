"""What the program does with its process: threads that wait asleep, the exit status, and an end without tidying up."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
INSTALLED = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
PROGRAM = """
import atexit, os, runpy, sys
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
atexit.register(print, "of another")
{start}
"""
COMMANDS = {
    "console script": "__main__.{}()".format(INSTALLED["multimodal-pulse"].partition(":")[2]),
    "python -m": "runpy.run_module('multimodal_pulse', run_name='__main__')",
    "run.py": "runpy.run_path('run.py', run_name='__main__')",
}


def ended(end, start=COMMANDS["console script"], **options):
    """The process of a program that starts so, and whose work ends so."""
    code = PROGRAM.format(end=end, start=start)
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, text=True, stderr=subprocess.PIPE, **options)


@pytest.mark.parametrize(
    ("end", "status"), [("pass", 0), ("sys.exit(3)", 3), ("raise KeyboardInterrupt", 130)], ids=str
)
@pytest.mark.parametrize("command", COMMANDS)
def test_the_status_is_kept_the_run_s_own_close_and_nothing_is_freed(end, status, command):
    done = ended(end, COMMANDS[command], stdout=subprocess.PIPE)
    assert (done.returncode, done.stdout) == (status, "done\nclosed\n")


def test_a_program_that_calls_main_ends_as_it_likes():
    done = ended("pass", "__main__.main(); sys.exit(4)", stdout=subprocess.PIPE)
    assert (done.returncode, done.stdout) == (4, "done\nclosed\nof another\nfreed\n")


def test_a_program_that_calls_main_may_catch_its_end():
    start = "try: __main__.main()\nexcept SystemExit as end: print(end.code); sys.exit(5)"
    done = ended("sys.exit(3)", start, stdout=subprocess.PIPE)
    assert (done.returncode, done.stdout) == (5, "done\n3\nclosed\nof another\nfreed\n")


def test_an_error_of_the_program_ends_as_python_ends_it():
    done = ended("raise ValueError('wrong')", stdout=subprocess.PIPE)
    assert (done.returncode, done.stdout) == (1, "done\nclosed\nof another\nfreed\n")
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
