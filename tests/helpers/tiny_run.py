"""Whole runs small enough for tests: a random generator of 32 x 32 pixels, LR pictures of 8 x 8, three steps."""

import csv
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from multimodal_pulse.interface.cli import main


def overrides(settings: Mapping[str, Any]) -> list[str]:
    """The settings as the words of a command line."""
    return [f"{key}={'null' if value is None else value}" for key, value in settings.items()]


GENERATOR: dict[str, Any] = {
    "generator": "untrained",
    "generator.resolution": 32,
    "generator.z_dim": 4,
    "generator.w_dim": 4,
    "generator.mapping_layers": 1,
    "generator.channel_max": 8,
}
TINY = GENERATOR | {
    "degradation.factor": 4,
    "steps": 3,
    "metrics.lpips_net": None,
    "tracking": "none",
    "trainer.precision": "32-true",  # on every machine
}
"""Without LPIPS and without tracking, as keyword arguments of `upsample`."""
OVERRIDES = overrides(TINY)
"""The same for the command line."""


def run(*arguments: object) -> int:
    """Runs the command in this process and returns its exit status."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["multimodal-pulse", *map(str, arguments)])
        try:
            main()
        except SystemExit as stopped:
            return int(stopped.code or 0)
    return 0


def read(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its path from there."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def sweep_rows(folder: Path) -> list[dict[str, str]]:
    """The rows of a sweep's table, by column."""
    with (folder / "sweep.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
