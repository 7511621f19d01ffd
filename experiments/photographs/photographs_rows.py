"""The rows and the pictures of the experiment, and the run directory of each row on each set of pictures."""

import sys
from pathlib import Path

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.references.pixels import save_png

HERE = Path(__file__).resolve().parent
SHARED = HERE.parents[2] / "shared"
RUNS = Path("outputs/photographs")
COUNT = 64
"""Portraits of people who were kept out of the training of the prior, evenly spaced among all of them."""

ROWS = ("bicubic", "combined", "explore", "faithful")
"""The methods, each with its own number of passes, 4 samples and seed 0."""


def kept_out(runs: Path) -> Path:
    """Writes the kept-out portraits as PNG files, unless they are there. Returns their folder.

    Raises:
        UserError: `../shared/photographs` is missing.
    """
    folder = runs / "kept_out_pictures"
    names = [folder / f"portrait-{number:02d}.png" for number in range(COUNT)]
    if not all(name.exists() for name in names):
        sys.path.append(str(HERE.parent / "prior_training"))
        from photographs import Photographs

        held = Photographs(128).held
        folder.mkdir(parents=True, exist_ok=True)
        for number, name in enumerate(names):
            save_png(held[number * len(held) // COUNT].float() / 255, name)
    return folder


def seven_faces(runs: Path) -> Path:
    """Returns the folder of the seven photographs that nobody here made.

    Raises:
        UserError: it is missing.
    """
    folder = SHARED / "faces"
    if not folder.is_dir():
        raise UserError(f"{folder} is missing: it is not part of the program.")
    return folder


SETS = {"kept_out": kept_out, "seven": seven_faces}
"""The sets of pictures: each makes or finds its folder."""


def run_dir(runs: Path, pictures: str, row: str) -> Path:
    """Returns the run directory of a row on a set of pictures."""
    return runs / pictures / row
