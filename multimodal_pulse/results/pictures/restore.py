"""Draws pictures again that were deleted from the folders of finished references."""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.base.files import PARTIAL, move_into_place, short
from multimodal_pulse.results.pictures.redraw import Renderer, render_folder


def restore_pictures(
    run_dir: Path, entries: Iterable[Mapping[str, Any]], load: Callable[[Mapping[str, Any]], Renderer]
) -> None:
    """Draws missing pictures of finished references again, and says so on stderr; the others stay as they are.

    What cannot be drawn again is named.

    Args:
        run_dir: the run directory, to which no other process writes.
        entries: the record.json of each finished reference.
        load: makes a renderer from the `settings` of an entry.
    """
    drawn = 0
    for entry in entries:
        folder = run_dir / "references" / entry["reference"]
        missing = [name for name in _expected(entry["records"]) if not (folder / name).exists()]
        if not missing:
            continue
        try:
            with TemporaryDirectory(prefix=PARTIAL, dir=run_dir) as output:
                found = [path for path in render_folder(folder, load, output) if path.name in missing]
                for path in found:
                    move_into_place(path, folder / path.name)
            drawn += len(found)
        except UserError as error:
            print(
                f"note: {short(folder)} lacks {', '.join(missing)}, and it cannot be drawn again ({error}) Without its"
                " folder, the same command searches the reference again.",
                file=sys.stderr,
            )
    if drawn:
        pictures = "1 picture" if drawn == 1 else f"{drawn} pictures"
        print(f"note: {pictures} of finished references had been deleted: drawn again", file=sys.stderr)


def _expected(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Returns the pictures that every finished reference has."""
    of_sample = [name for k in range(len(records)) for name in (f"sr_{k:02d}.png", f"sr_{k:02d}_lr.png")]
    intact = sum(record["status"] != "failed" for record in records)
    of_set = ["mean.png", "spread.png"] if intact > 1 else []
    return ["lr.png", "grid.png", *of_set, *of_sample]
