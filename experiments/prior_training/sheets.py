"""Sheets of pictures, as small JPEG files."""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from multimodal_pulse.base.files import atomic_file
from multimodal_pulse.references.pixels import to_pil

MOST_BYTES = 400_000
QUALITIES = range(92, 20, -6)  # of a JPEG; the first that is small enough


def save_sheet(images: Tensor, side: int, columns: int, path: Path) -> None:
    """Writes pictures [N, 3, R, R] in [0, 1] as one JPEG of less than MOST_BYTES, each at most `side` pixels wide."""
    if images.shape[-1] > side:
        images = F.interpolate(images, size=(side, side), mode="bicubic", antialias=True).clamp(0, 1)
    sheet = to_pil(tiled(images, columns))
    with atomic_file(path) as partial:
        for quality in QUALITIES:
            sheet.save(partial, format="JPEG", quality=quality, subsampling=0)
            if partial.stat().st_size < MOST_BYTES:
                break


def tiled(images: Tensor, columns: int, gap: int = 2, between: float = 1.0) -> Tensor:
    """Lays pictures [N, 3, R, R] out in rows, `gap` pixels of the value `between` around each: [3, height, width]."""
    side, rows = images.shape[-1] + gap, -(-len(images) // columns)
    sheet = images.new_full((3, rows * side + gap, min(columns, len(images)) * side + gap), between)
    for number, image in enumerate(images):
        top, left = (gap + place * side for place in divmod(number, columns))
        sheet[:, top : top + image.shape[-2], left : left + image.shape[-1]] = image
    return sheet


def in_pairs(above: Tensor, below: Tensor, columns: int) -> Tensor:
    """Orders two sets of N pictures so that, in rows of `columns`, each stands above its counterpart."""
    rows = zip(above.split(columns), below.split(columns), strict=True)
    return torch.cat([part for row in rows for part in row])
