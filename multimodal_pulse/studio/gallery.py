"""A finished run as the page shows it, from its files alone. No PyTorch."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from multimodal_pulse.results.json_files import read_json
from multimodal_pulse.studio.limits import NotFoundError

PICTURE = re.compile(r"(sr_\d+(_lr)?|photo_\d+|lr_noisy_\d+|grid|mean|spread|hr|lr|film|parent|may_change)\.png")
"""The names of the pictures in the folder of a reference."""


def references(run_dir: Path) -> list[dict[str, Any]]:
    """Returns the finished references of a run, in the order of their names, with the names of their pictures."""
    folders = sorted(path.parent for path in (run_dir / "references").glob("*/record.json"))
    return [_reference(folder, read_json(folder / "record.json") or {}) for folder in folders]


def _reference(folder: Path, entry: Mapping[str, Any]) -> dict[str, Any]:
    pictures = {path.name for path in folder.glob("*.png") if PICTURE.fullmatch(path.name)}
    samples = [
        {
            "sample": record["sample"],
            "picture": _there(f"sr_{record['sample']:02d}.png", pictures),
            "lr": _there(f"sr_{record['sample']:02d}_lr.png", pictures),
            "photo": _there(f"photo_{record['sample']:02d}.png", pictures),
            "lr_psnr": record["lr_psnr"],
            "faithful": record["status"] == "ok",
            "realistic": record.get("realistic"),
            "steps": record.get("steps"),
        }
        for record in entry["records"]
    ]
    return {
        "name": folder.name,
        "samples": samples,
        "pictures": sorted(pictures),
        "distance": entry["diversity"]["rms"],
        "remarks": entry.get("remarks", []),
        "vary": entry.get("vary"),
        "stopped": entry.get("stopped", False),
    }


def _there(name: str, pictures: set[str]) -> str | None:
    return name if name in pictures else None


def picture(run_dir: Path, reference: str, name: str) -> Path:
    """Returns the path of a picture of a run.

    Raises:
        NotFoundError: there is none of this name; a name that leads elsewhere is none.
    """
    folders = {path.name: path for path in (run_dir / "references").glob("*/")}
    path = folders.get(reference, Path()) / name
    if reference not in folders or not PICTURE.fullmatch(name) or not path.is_file():
        raise NotFoundError("There is no such picture.")
    return path
