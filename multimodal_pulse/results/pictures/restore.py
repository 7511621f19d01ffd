"""Draws pictures again that were deleted from the folders of finished references, or cut off."""

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.base.files import PARTIAL, move_into_place, short
from multimodal_pulse.results.pictures.redraw import Renderer, render_folder

GIVEN = ("lr.png", "hr.png")
"""Pictures that are drawn from nothing else in the folder."""
END_OF_PNG = bytes.fromhex("0000000049454e44ae426082")
"""The empty chunk IEND, with its length and its checksum (the PNG specification, section 11.2.5)."""


def restore_pictures(
    run_dir: Path, entries: Iterable[Mapping[str, Any]], load: Callable[[Mapping[str, Any]], Renderer]
) -> None:
    """Draws pictures that are missing or cut off in the folders of finished references again, and says so on
    stderr; the others stay as they are.

    What cannot be drawn again is named.

    Args:
        run_dir: the run directory, to which no other process writes.
        entries: the record.json of each finished reference.
        load: makes a renderer from the `settings` of an entry.
    """
    drawn = 0
    for entry in entries:
        folder = run_dir / "references" / entry["reference"]
        missing = [name for name in _expected(entry) if not _is_whole(folder / name)]
        found: list[Path] = []
        reason = ""
        if any(name not in GIVEN for name in missing):
            try:
                with TemporaryDirectory(prefix=PARTIAL, dir=run_dir) as output:
                    found = [path for path in render_folder(folder, load, output) if path.name in missing]
                    for path in found:
                        move_into_place(path, folder / path.name)
            except UserError as error:
                reason = f" ({error})"
        drawn += len(found)
        if lost := [name for name in missing if name not in {path.name for path in found}]:
            print(
                f"note: {short(folder)} lacks {', '.join(lost)}, which cannot be drawn again{reason}; without its"
                " folder the same command searches the reference again.",
                file=sys.stderr,
            )
    if drawn:
        pictures = "1 picture" if drawn == 1 else f"{drawn} pictures"
        print(f"note: {pictures} of finished references had been deleted or cut off: drawn again", file=sys.stderr)


def _is_whole(picture: Path) -> bool:
    """Returns whether a PNG is there to its end, which a full disk or a broken copy cuts off; reads only the end."""
    try:
        with picture.open("rb") as file:
            file.seek(-len(END_OF_PNG), os.SEEK_END)
            return file.read() == END_OF_PNG
    except OSError:  # missing, a link to nothing, or shorter than that
        return False


def _expected(entry: Mapping[str, Any]) -> list[str]:
    """Returns the pictures that a finished reference has."""
    records = entry["records"]
    of_sample = [name for k in range(len(records)) for name in (f"sr_{k:02d}.png", f"sr_{k:02d}_lr.png")]
    intact = sum(record["status"] != "failed" for record in records)
    of_set = ["mean.png", "spread.png"] if intact > 1 else []
    original = ["hr.png"] if any(record["psnr"] is not None for record in records) else []
    pasted = [f"photo_{k:02d}.png" for k, record in enumerate(records) if record["status"] != "failed"]
    return ["lr.png", *original, "grid.png", *of_set, *of_sample, *(pasted if entry.get("aligned") else [])]
