"""Picture files before they become tensors: where they are and whether they can be read. Imports no PyTorch."""

import math
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from PIL import Image, UnidentifiedImageError

from multimodal_pulse.base.errors import UserError, listed
from multimodal_pulse.references.picture_formats import SUFFIXES, needs, readable_formats, why_unidentified
from multimodal_pulse.references.preparation import UnfitPictureError

T = TypeVar("T")

MAX_PIXELS = 2**28
"""The most pixels of a picture (16,384 x 16,384), of which decoding takes 0.8 GB; larger ones are refused by their
header."""
COMPUTED_PIXELS = 2**26
"""The most pixels that are computed with (8192 x 8192), as 32-bit numbers; larger pictures are reduced first."""
LEAST_SIDE = 1024
"""A side in pixels that no picture is reduced below before it is computed with: the largest generator's resolution."""
MOST_NAMED = 3
"""The most files that an error message names; the others are counted."""


@dataclass
class Contents:
    """What is in a folder, hidden files and folders apart.

    Attributes:
        pictures: the files that are named like pictures, in natural order.
        left_out: the other files, each by its path from the folder, and why where its name does not say it.
        folders: the number of folders in it that were not entered.
    """

    pictures: list[Path] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    folders: int = 0

    @property
    def notice(self) -> str | None:
        """Clauses that name and count what is not read; None if everything is."""
        clauses = []
        if self.left_out:
            clauses.append(f"{_counted(len(self.left_out), 'file')} left out: {listed(self.left_out, MOST_NAMED)}")
        if self.folders:
            clauses.append(f"{_counted(self.folders, 'folder')} not entered (references.recursive=true does)")
        return "; ".join(clauses) or None


def contents(folder: Path, recursive: bool = False) -> Contents:
    """Sorts what is in a folder; with `recursive`, also in the folders below it, linked ones included.

    Raises:
        UserError: the folder does not exist, is a file, or has no picture.
    """
    if not folder.exists():
        raise UserError(f"references.path={folder} does not exist.")
    if not folder.is_dir():
        raise UserError(f"references.path={folder} is a file; references=image reads one picture.")
    found = Contents()
    _sort_into(found, folder, folder, {folder.resolve()} if recursive else None)
    found.pictures.sort(key=_natural)
    if not found.pictures:
        but = f"; {found.notice}" if found.notice else ""
        raise UserError(f"references.path={folder} has no picture ({', '.join(SUFFIXES)}) in it{but}.")
    return found


def _sort_into(found: Contents, root: Path, folder: Path, entered: set[Path] | None) -> None:
    """Adds what is in `folder`, below `root`; `entered` has the folders that need no second visit, None: enter none."""
    for path in sorted(folder.iterdir(), key=_natural):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            if entered is None:
                found.folders += 1
            elif (target := path.resolve()) not in entered:  # a link may lead to a folder above it
                entered.add(target)
                _sort_into(found, root, path, entered)
        elif path.is_file() and path.suffix.lower() in SUFFIXES:
            found.pictures.append(path)
        elif path.is_symlink() and not path.exists():
            found.left_out.append(f"{path.relative_to(root)} (a link to nothing)")
        else:
            why = f" ({reason})" if (reason := needs(path)) else ""
            found.left_out.append(f"{path.relative_to(root)}{why}")


def _natural(path: Path) -> tuple[list[list[str | int]], str]:
    """A key that sorts as people do: img2 before img10, capitals beside small letters."""
    parts = [re.split(r"(\d+)", part, flags=re.ASCII) for part in path.parts]
    return [[int(text) if place % 2 else text.casefold() for place, text in enumerate(part)] for part in parts], str(
        path
    )


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun} is" if number == 1 else f"{number} {noun}s are"


def refuse_failing(attempt: Callable[[T], object], paths: Sequence[T]) -> None:
    """Tries every path, or what stands for one; raises UserError that names the first failures and counts the rest."""
    failures: list[str] = []
    for path in paths:
        try:
            attempt(path)
        except UserError as error:
            failures.append(str(error))
    if not failures:
        return
    if (further := len(failures) - MOST_NAMED) > 0:
        failures[MOST_NAMED:] = [f"{further} more of the {len(paths)} files cannot be used either."]
    raise UserError(" ".join(failures))


def size_of(path: str | Path) -> tuple[int, int]:
    """Returns (width, height) in pixels from the file's header, before the EXIF orientation; decodes no pixel.

    Raises:
        UserError: as in `readable`, for errors that the header shows.
    """
    with readable(path) as picture:
        return picture.size


def reduction(size: tuple[int, int]) -> int:
    """Returns the whole factor by which a picture of (width, height) pixels is reduced before it is computed with."""
    needed = math.ceil(math.sqrt(size[0] * size[1] / COMPUTED_PIXELS))
    return max(1, min(needed, min(size) // LEAST_SIDE))


def size_and_format(path: str | Path) -> tuple[tuple[int, int], str | None]:
    """Returns (width, height), as `size_of`, and Pillow's name of the format, after decoding the whole file.

    The coefficients of a JPEG are all decoded, but only to pixels at an eighth of the size. This finds every damage
    that `load_rgb` would refuse, in a quarter of the time.

    Raises:
        UserError: as in `readable`.
    """
    with readable(path) as picture:
        size, file_format = picture.size, picture.format
        picture.draft("L", (1, 1))
        picture.load()
    return size, file_format


def can_be_read(path: str | Path) -> bool:
    """Returns whether the whole file can be decoded."""
    try:
        size_and_format(path)
    except UserError:
        return False
    return True


@contextmanager
def readable(path: str | Path) -> Iterator[Image.Image]:
    """Opens a picture file; any error here or in the block becomes a `UserError`.

    Raises:
        UserError: the file is missing, of another format, truncated, damaged, larger than MAX_PIXELS, or unfit.
    """
    if (there := Path(path)).exists() and not (there.is_file() or there.is_dir()):  # opening a pipe waits for ever
        raise UserError(f"{path} is no file but a pipe or a device: save the picture in a file.")
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="PIL")  # odd metadata, which nothing here needs
            with _open(path) as picture:
                if picture.width * picture.height > MAX_PIXELS:
                    raise Image.DecompressionBombError
                yield picture
    except Image.DecompressionBombError as error:
        limit = MAX_PIXELS // 10**6
        raise UserError(f"{path} has more than {limit} million pixels, the most that is read: reduce it.") from error
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist.") from error
    except IsADirectoryError as error:
        raise UserError(f"{path} is a folder, not a picture; references=folder reads all in it.") from error
    except UnidentifiedImageError as error:
        raise UserError(f"{path} {why_unidentified(path)}.") from error
    except UnfitPictureError as error:
        raise UserError(f"{path} {error}.") from error
    except Exception as error:
        # Decoders raise various exceptions for damaged data: OSError, SyntaxError, ValueError, ...
        said = " ".join(str(error).split())  # some libraries say it in several lines
        raise UserError(f"{path} cannot be read, it is truncated or damaged ({said}).") from error


def _open(path: str | Path) -> Image.Image:
    pillows_limit = Image.MAX_IMAGE_PIXELS
    try:
        Image.MAX_IMAGE_PIXELS = None  # it refuses less than MAX_PIXELS
        return Image.open(path, formats=readable_formats())
    finally:
        Image.MAX_IMAGE_PIXELS = pillows_limit
