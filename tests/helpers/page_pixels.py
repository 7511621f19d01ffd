"""Finding a picture on a page, pixel for pixel."""

import numpy as np
from PIL import Image
from torch import Tensor

from multimodal_pulse.references.pixels import to_uint8


def contains(page: Image.Image, tile: np.ndarray) -> bool:
    """Whether `tile` [h, w, 3] stands somewhere on the page, pixel for pixel."""
    return bool(places(page, tile))


def places(page: Image.Image, tile: np.ndarray) -> list[tuple[int, int]]:
    """The tops and lefts of all places where `tile` [h, w, 3] stands on the page, pixel for pixel."""
    pixels, wanted = packed(np.asarray(page)), packed(tile)
    height, width = wanted.shape
    rows, columns = np.nonzero(pixels[: 1 - height or None, : 1 - width or None] == wanted[0, 0])
    for row, column in np.random.default_rng(0).integers((height, width), size=(40, 2)):
        seen = pixels[rows + row, columns + column] == wanted[row, column]
        rows, columns = rows[seen], columns[seen]
    return [
        (int(top), int(left))
        for top, left in zip(rows, columns, strict=True)
        if np.array_equal(pixels[top : top + height, left : left + width], wanted)
    ]


def packed(pixels: np.ndarray) -> np.ndarray:
    """[H, W, 3] as one number per pixel."""
    return pixels.astype(np.int32) @ np.array([1, 256, 65536], dtype=np.int32)


def enlarged(image: Tensor, side: int) -> np.ndarray:
    factor = side // image.shape[-1]
    return to_uint8(image).permute(1, 2, 0).numpy().repeat(factor, 0).repeat(factor, 1)
