"""Picture files before they become tensors: where they are and whether they can be read. Imports no PyTorch."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from multimodal_pulse.base.errors import UserError

SUFFIXES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
"""The file name suffixes, in lower case, of the supported formats."""
MAX_PIXELS = 2**26
"""The most pixels (8192 x 8192); larger pictures would fill the memory and are refused by their header."""
MOST_NAMED = 3
"""The most files that an error message names; the others are counted."""


def picture_paths(folder: Path) -> list[Path]:
    """Returns the picture files directly in `folder`, sorted by name; raises UserError if there are none."""
    if not folder.exists():
        raise UserError(f"references.path={folder} does not exist.")
    if not folder.is_dir():
        raise UserError(f"references.path={folder} is a file; references=image reads one picture.")
    paths = sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
    )
    if not paths:
        raise UserError(f"references.path={folder} has no picture ({', '.join(SUFFIXES)}) in it.")
    return paths


def refuse_failing(attempt: Callable[[Path], object], paths: Sequence[Path]) -> None:
    """Tries every path; raises UserError that names the first failures and counts the others."""
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


def size_and_format(path: str | Path) -> tuple[tuple[int, int], str | None]:
    """Returns (width, height), as `size_of`, and Pillow's name of the format, after decoding the whole file.

    The coefficients of a JPEG are all decoded, but only to pixels at an eighth of the size. This finds everything that
    `load_rgb` would refuse, in a quarter of the time.

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
        UserError: the file is missing, of another format, truncated, damaged, or larger than MAX_PIXELS.
    """
    try:
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
        raise UserError(f"{path} is not a PNG, JPEG or WebP picture, or its beginning is damaged.") from error
    except Exception as error:
        # Decoders raise various exceptions for damaged data: OSError, SyntaxError, ValueError, ...
        raise UserError(f"{path} cannot be read, it is truncated or damaged ({error}).") from error


def _open(path: str | Path) -> Image.Image:
    with warnings.catch_warnings():
        # Pillow warns above its own limit; MAX_PIXELS is lower.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return Image.open(path, formats=sorted(set(SUFFIXES.values())))
