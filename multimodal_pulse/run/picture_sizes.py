"""The picture files of a run and their sizes, as far as both are known without PyTorch."""

from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig

from multimodal_pulse.base.files import expanded
from multimodal_pulse.references.picture_files import contents, refuse_failing, size_of

IMAGE, FOLDER = (f"multimodal_pulse.references.{name}" for name in ("ImageFile", "Folder"))


def picture_files(references: DictConfig) -> tuple[Path, ...]:
    """Returns the files that an option of `references` reads; none for one that is not made of given files.

    Raises:
        UserError: a folder has no picture.
    """
    target = references.get("_target_")
    if target == IMAGE:
        return (expanded(str(references.path)),)
    if target == FOLDER:
        found = contents(expanded(str(references.path)), references.recursive)
        return tuple(found.pictures[: references.limit])
    return ()


def lr_sides(
    references: DictConfig,
    resolution: int,
    given: tuple[int, int] | None,
    faces: Sequence[Sequence[int]] | None = None,
) -> list[int]:
    """Returns the side, in pixels, of each picture, or face in one, that is an LR reference; decodes none.

    Args:
        references: the option.
        resolution: the generator's.
        given: (width, height) of the picture that replaces the file of `references=image`; None: nothing replaces it.
        faces: of each picture, the sides of the frames that are cut out of it; None: none is.

    Raises:
        UserError: files cannot be read; the first ones are named.
    """
    sizes = [] if given is None else [given]
    if given is None:
        refuse_failing(lambda path: sizes.append(size_of(path)), picture_files(references))
    sides = [min(size) for size in sizes]
    if frame := references.get("frame"):
        sides = [min(frame[2] - frame[0], frame[3] - frame[1])] * len(sides)
    if faces is not None:
        sides = [side for whole, frames in zip(sides, faces, strict=True) for side in frames or [whole]]
    taken_as = references.get("as")
    return [side for side in sides if taken_as == "lr" or (taken_as == "auto" and side < resolution)]
