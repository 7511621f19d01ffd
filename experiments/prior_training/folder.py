"""A user's own folder of pictures of anything."""

import hashlib
import sys
from pathlib import Path

import torch
from pictures import Pictures
from torch import Tensor

from multimodal_pulse.base.errors import UserError, listed
from multimodal_pulse.base.files import expanded
from multimodal_pulse.base.progress_bar import progress_bar
from multimodal_pulse.metrics.manifold import NEIGHBOURS
from multimodal_pulse.references.pairing import resized
from multimodal_pulse.references.picture_files import MOST_NAMED, contents
from multimodal_pulse.references.pixels import load_rgb, to_uint8


class Folder(Pictures):
    """All pictures in a folder and the folders below it: their middle square, reduced to the resolution.

    Pictures that cannot be read or are smaller than the resolution are left out, and a line says so; pictures that are
    the same in all pixels count once. A tenth is kept out: those whose pixels have the smallest hashes, so that a
    picture that is added later moves few others across.

    Args:
        resolution: R.
        path: the folder.
        share: the share that is kept out.
        mirrored: whether half of the draws are mirrored; false for pictures with writing.

    Raises:
        UserError: there is no such folder, or it has too few pictures for the figures.
    """

    def __init__(self, resolution: int, path: str | None, share: float = 0.1, mirrored: bool = True):
        if path is None:
            raise UserError("domain=folder needs path=<a folder of pictures>.")
        folder = expanded(path)
        if not folder.is_dir():
            raise UserError(f"path={folder} is no folder: give a folder of pictures.")
        squares, left_out = _squares(_files(folder), resolution)
        if left_out:
            print(f"{len(left_out)} pictures are left out: {listed(left_out, MOST_NAMED, '; ')}.", file=sys.stderr)
        number = round(share * len(squares))
        if number <= NEIGHBOURS:
            least = round((NEIGHBOURS + 1) / share)
            raise UserError(
                f"path={folder} has {len(squares)} different pictures of at least {resolution} x {resolution}; it needs"
                f" {least}, so that more than {NEIGHBOURS} can be kept out to judge the training by."
            )
        in_order = torch.stack([squares[digest] for digest in sorted(squares)])
        self.held, self.pixels = in_order[:number], in_order[number:]
        self.weights, self.mirrored = torch.ones(len(self.pixels)), mirrored


def _files(folder: Path) -> list[Path]:
    """The picture files in a folder and below it.

    Raises:
        UserError: there is none.
    """
    try:
        return contents(folder, recursive=True).pictures
    except UserError as error:  # it names the option of a search
        raise UserError(f"path={folder} has no picture in it.") from error


def _squares(files: list[Path], resolution: int) -> tuple[dict[str, Tensor], list[str]]:
    """The pictures, uint8 [3, R, R] by the hashes of their pixels, and why the others are left out."""
    squares, left_out = {}, []
    for file in progress_bar(iterable=files, desc="reading", unit="picture", leave=False):
        try:
            picture = load_rgb(file)
        except UserError as error:
            left_out.append(str(error).rstrip("."))
            continue
        height, width = picture.shape[-2:]
        side = min(height, width)
        if side < resolution:
            left_out.append(f"{file} is {width} x {height}")
            continue
        top, left = (height - side) // 2, (width - side) // 2
        square = to_uint8(resized(picture[:, top : top + side, left : left + side], resolution, resolution))
        squares[hashlib.sha256(square.numpy().tobytes()).hexdigest()] = square
    return squares, left_out
