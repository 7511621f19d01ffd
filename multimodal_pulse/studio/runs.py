"""The runs and sweeps in a folder, from their files alone: what the second view of the studio shows. No PyTorch."""

import csv
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.configuration.run_config import CONFIG_FILE, OVERRIDES_FILE, read_config
from multimodal_pulse.results.json_files import read_json
from multimodal_pulse.studio.limits import NotFoundError

OF_VISITORS = "studio"
"""The folder, in that of the runs, of what the visitors of the studio have; nobody else may see it."""
MOST_RUNS = 500
"""The most runs that are listed, the newest first."""


def listed(outputs: Path) -> list[dict[str, Any]]:
    """Returns the runs below a folder that have results, the newest first."""
    found = sorted(_run_dirs(outputs), key=lambda run: run.stat().st_mtime, reverse=True)
    return [row for run in found[:MOST_RUNS] if (row := _row(outputs, run)) is not None]


def _run_dirs(outputs: Path) -> Iterator[Path]:
    for folder, below, names in os.walk(outputs):
        if Path(folder) == outputs and OF_VISITORS in below:
            below.remove(OF_VISITORS)
        if "metrics.json" in names and CONFIG_FILE in names:
            yield Path(folder)
            below.clear()


def _row(outputs: Path, run: Path) -> dict[str, Any] | None:
    """Returns what the table shows of a run; None if its files are another program's or damaged."""
    try:
        metrics, config = read_json(run / "metrics.json") or {}, read_config(run / CONFIG_FILE)
        overrides = yaml.safe_load((run / OVERRIDES_FILE).read_text(encoding="utf-8"))
    except (UserError, OSError, yaml.YAMLError, UnicodeDecodeError):
        return None
    if config is None:
        return None
    return {
        "run": run.relative_to(outputs).as_posix(),
        "sweep": run.parent.relative_to(outputs).as_posix() if (run.parent / "sweep.csv").is_file() else None,
        "method": config.get("method"),
        "overrides": [str(word) for word in overrides or ()],
        "references": metrics.get("num_references"),
        "samples": metrics.get("num_records"),
        "measures": _measures(metrics),
        "time": run.stat().st_mtime,
    }


def _measures(metrics: dict[str, Any]) -> dict[str, float]:
    """Returns the means in a metrics.json by name, those of diversity as `diversity.rms` and so on."""
    means = {key: value["mean"] for key, value in metrics.items() if isinstance(value, dict) and "mean" in value}
    diversity = metrics.get("diversity") or {}
    # The standard deviation of a measure stands beside it, under its name and `_std`.
    own = {key: value for key, value in diversity.items() if key.removesuffix("_std") not in set(diversity) - {key}}
    means |= {f"diversity.{key}": value for key, value in own.items()}
    return {key: value for key, value in means.items() if value is not None}


def run_dir(outputs: Path, name: str) -> Path:
    """Returns a run directory by its name in the list.

    Raises:
        NotFoundError: there is none; a name that leads out of the folder, or to what visitors have, is none.
    """
    try:
        path, root = (outputs / name).resolve(), outputs.resolve()
        inside = path.is_relative_to(root) and path.relative_to(root).parts[:1] != (OF_VISITORS,)
        if inside and (path / "metrics.json").is_file():
            return path
    except ValueError:  # no path at all
        pass
    raise NotFoundError("There is no such run.")


def curves(run: Path) -> list[dict[str, Any]]:
    """Returns the per-step curves of a run with `tracking=csv`: the steps and each term, by group; [] without any."""
    path = run / "curves.csv"
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [{key: _number(value) for key, value in row.items() if key} for row in rows]


def _number(text: str | None) -> float | str | None:
    try:
        return float(text) if text else None
    except ValueError:
        return text
