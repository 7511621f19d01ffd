"""What a visitor takes home of a run: a zip file of everything that it used and made, and the command for it."""

import os
import shlex
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from multimodal_pulse.configuration.overrides import literal

AGAIN = "again"
"""The run directory of the repetition."""
README = """\
Made by the studio of multimodal-pulse.

run/          the run directory: config.yaml, metrics.json, and a folder of each reference with its samples
              (sr_*.png), their low-resolution versions, mean and spread, record.json and latents.safetensors
command.sh    repeats the run in this folder, into {again}/; with as many threads on the same machine, it makes the
              same pixels
{files}
The samples are plausible pictures, not recovered ones: they are no evidence about anybody.
"""


def command(overrides: Sequence[str], files: Mapping[str, Path], run_dir: str, program: Sequence[str]) -> str:
    """Returns the command of a run.

    Args:
        overrides: of the run.
        files: the files that they name, by the names that the command has for them.
        run_dir: the run directory of the command.
        program: the words that it begins with.
    """
    renamed = {literal(str(path)): literal(name) for name, path in files.items()}
    words = []
    for override in overrides:
        key, _, value = override.partition("=")
        words.append(f"{key}={renamed.get(value, value)}")
    return shlex.join([*program, *words, f"hydra.run.dir={literal(run_dir)}"])


def write(
    file: IO[bytes], run_dir: Path, overrides: Sequence[str], files: Mapping[str, Path], stopped: bool = False
) -> None:
    """Writes the bundle.

    Args:
        file: where to.
        run_dir: the run directory.
        overrides: of the run, without the run directory.
        files: the files that they name, by their names in the bundle.
        stopped: whether the search was stopped early, so that the command does more than was done.
    """
    repeat = command(overrides, files, AGAIN, ["multimodal-pulse"])
    remark = "# The search was stopped early: this does all of its passes.\n" if stopped else ""
    named = "".join(f"{name.ljust(14)}what was searched, or scribbled\n" for name in files)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:  # pictures are compressed already
        archive.writestr("README.txt", README.format(again=AGAIN, files=named))
        archive.writestr("command.sh", f"#!/bin/sh\n{remark}{repeat}\n")
        for name, path in {**files, "run": run_dir}.items():
            _add(archive, path, name)


def _add(archive: zipfile.ZipFile, path: Path, name: str) -> None:
    """Adds a file, or a folder with all that is in it."""
    if path.is_file():
        archive.write(path, name)
    for folder, _, names in sorted(os.walk(path)):
        for inner in sorted(names):
            file = Path(folder) / inner
            archive.write(file, Path(name) / file.relative_to(path))
