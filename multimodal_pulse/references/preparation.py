"""What is done to a picture before it becomes a reference: in words, and as data from which it can be undone.

Imports no PyTorch.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from multimodal_pulse.base.errors import UserError, listed

Box = tuple[int, int, int, int]
"""Left, top, right and bottom in pixels; right and bottom are the first column and row outside."""
MOST_EXAMPLES = 3
"""The most pictures that a sentence about several names; the others are counted."""


class UnfitPictureError(ValueError):
    """A picture that was decoded and still cannot be used; `str()` is a clause that follows its name."""


@contextmanager
def named(source: str) -> Iterator[None]:
    """Gives the pictures that turn out to be unfit in the block their name: raises `UserError` instead."""
    try:
        yield
    except UnfitPictureError as error:
        raise UserError(f"{source} {error}.") from error


@dataclass(frozen=True)
class Remark:
    """One thing that was done to a picture.

    Attributes:
        one: the clause that follows the name of the picture.
        many: the clause that follows the number of several pictures; it is the same for all remarks of one kind.
        detail: what tells this picture from the others of its kind, in brackets behind its name; "" for nothing.
        said: whether it is printed. What everybody expects, such as a rotation by EXIF, only stands in record.json.
    """

    one: str
    many: str
    detail: str = ""
    said: bool = True


@dataclass(frozen=True)
class Decoding:
    """What was read from a file, or given in memory.

    Attributes:
        size: (width, height) of the whole picture when it is upright, in its own pixels.
        box: the part of it that was read, in these pixels.
        reduced_by: the whole number of pixels along each side that were averaged into one, see `reduction`.
        format: Pillow's name of the file's format; None: no file.
        remarks: what was done to the pixels.
    """

    size: tuple[int, int]
    box: Box
    reduced_by: int = 1
    format: str | None = None
    remarks: tuple[Remark, ...] = ()


@dataclass(frozen=True)
class Prepared:
    """What was done to a picture, for record.json: `hr` or `lr` is the square `frame`, resized.

    To undo it, resize a picture of the generator's resolution to the sides of `frame` and put it there.

    Attributes:
        format: Pillow's name of the file's format; None: no file.
        size: (width, height) of the picture when it is upright, in its own pixels.
        frame: the square that was used, in these pixels.
        taken_as: "hr" for an original, "lr" for an LR picture.
        resized_from, resized_to: the side of the square in pixels before and after resizing; after decoding, which may
            have reduced a very large picture already, as `notes` then say.
        factor: the generator's resolution divided by the width of the LR picture.
        notes: everything else, in words.
    """

    format: str | None
    size: tuple[int, int]
    frame: Box
    taken_as: str
    resized_from: int
    resized_to: int
    factor: float
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Returns it as record.json has it."""
        return asdict(self)


def check_frame(frame: Sequence[int], size: tuple[int, int]) -> Box:
    """Returns a frame as a `Box`.

    Raises:
        UnfitPictureError: it does not lie inside a picture of `size`, (width, height).
    """
    left, top, right, bottom = frame
    if not (0 <= left < right <= size[0] and 0 <= top < bottom <= size[1]):
        raise UnfitPictureError(
            f"is {size[0]} x {size[1]} pixels, and references.frame={list(frame)} (left, top, right, bottom) does not"
            " lie inside it"
        )
    return left, top, right, bottom


def sentences(remarks: Iterable[tuple[str, Remark]]) -> list[str]:
    """Returns a sentence for each kind of remark that is said.

    Args:
        remarks: each with the name of its picture.
    """
    kinds: dict[str, list[tuple[str, Remark]]] = {}
    for source, remark in remarks:
        if remark.said:
            kinds.setdefault(remark.many, []).append((source, remark))
    return [_sentence(kind) for kind in kinds.values()]


def _sentence(kind: Sequence[tuple[str, Remark]]) -> str:
    source, remark = kind[0]
    if len(kind) == 1:
        return f"{source} {remark.one}."
    names = [f"{source} ({remark.detail})" if remark.detail else source for source, remark in kind]
    return f"{len(kind)} {remark.many}: {listed(names, MOST_EXAMPLES)}."
