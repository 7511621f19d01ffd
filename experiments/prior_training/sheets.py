"""Sheets of pictures, as small JPEG files."""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.utils import make_grid

from multimodal_pulse.base.files import atomic_file
from multimodal_pulse.references.pixels import to_pil

MOST_BYTES = 400_000
QUALITIES = range(92, 20, -6)  # of a JPEG; the first that is small enough


def save_sheet(images: Tensor, side: int, columns: int, path: Path) -> None:
    """Writes pictures [N, 3, R, R] in [0, 1] as one JPEG of less than MOST_BYTES, each at most `side` pixels wide."""
    if images.shape[-1] > side:
        images = F.interpolate(images, size=(side, side), mode="bicubic", antialias=True).clamp(0, 1)
    sheet = to_pil(make_grid(images, nrow=columns, padding=2, pad_value=1))
    with atomic_file(path) as partial:
        for quality in QUALITIES:
            sheet.save(partial, format="JPEG", quality=quality, subsampling=0)
            if partial.stat().st_size < MOST_BYTES:
                break


def in_pairs(above: Tensor, below: Tensor, columns: int) -> Tensor:
    """Orders two sets of N pictures so that, in rows of `columns`, each stands above its counterpart."""
    rows = zip(above.split(columns), below.split(columns), strict=True)
    return torch.cat([part for row in rows for part in row])
