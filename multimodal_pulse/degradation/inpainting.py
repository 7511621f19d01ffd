"""Pictures of which a part is hidden."""

import hashlib
import os

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.degradation.operator import Degradation, Shape

_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")


class Inpainting(Degradation):
    """Hides the pixels where a mask is white: [..., C, H, W] -> [..., C, H, W], black there and unchanged elsewhere.

    A is a diagonal of ones and zeros: its own transpose and pseudo-inverse.

    Args:
        mask: an image file, white where the picture is hidden; it is brought to the size of the pictures by taking the
            nearest pixel. None: a square in the middle, of half the width and half the height, is hidden.
    Raises:
        UserError: the file is missing or cannot be read, or hides nothing or everything.
    """

    def __init__(self, mask: str | None = None) -> None:
        self._mask = _middle() if mask is None else _read(mask)
        pixels = self._mask.tobytes() + str(self._mask.size).encode()
        self._fingerprint = hashlib.sha256(pixels).hexdigest()[:16]
        self._seen: dict[tuple[int, int, torch.dtype, torch.device], Tensor] = {}
        self.name = "inpainting"
        self.sentence = "A part of the picture is hidden, and black in the reference."

    @property
    def key(self) -> str:
        """The name with the fingerprint of the mask."""
        return f"{self.name}, {self._fingerprint}"

    def lr_shape(self, shape: Shape) -> Shape:
        """Returns `shape` = (C, H, W)."""
        return shape

    def __call__(self, x: Tensor) -> Tensor:
        """Computes A x: [..., H, W] -> [..., H, W], 0 where it is hidden."""
        return x * self._where_seen(x)

    def transpose(self, y: Tensor) -> Tensor:
        """Computes the adjoint A^T y = A y, [..., H, W] -> [..., H, W]."""
        return self(y)

    def pseudo_inverse(self, y: Tensor) -> Tensor:
        """Computes A+ y = A y, [..., H, W] -> [..., H, W]."""
        return self(y)

    def solve(self, y: Tensor, ridge: float) -> Tensor:
        """Computes (A A^T + ridge I)^-1 y, pixel by pixel."""
        return y / (self._where_seen(y) + ridge)

    def as_reference(self, picture: Tensor) -> Tensor:
        """Makes a picture [..., H, W] black where it is hidden."""
        return self(picture)

    def _where_seen(self, like: Tensor) -> Tensor:
        """1 where a picture like this one is seen and 0 where it is hidden, [H, W]."""
        height, width = like.shape[-2:]
        key = height, width, like.dtype, like.device
        if key not in self._seen:
            hidden = _hidden(self._mask.resize((width, height), Image.Resampling.NEAREST))
            with torch.inference_mode(False):  # as in `Separable`
                self._seen[key] = torch.from_numpy(~hidden).to(dtype=like.dtype, device=like.device)
        return self._seen[key]


def _middle() -> Image.Image:
    mask = Image.new("L", (4, 4))
    mask.paste(255, (1, 1, 3, 3))
    return mask


def _hidden(mask: Image.Image) -> np.ndarray:
    """Where a mask is nearer to white than to black, [H, W]."""
    return np.array(mask) >= 128


def _read(path: str) -> Image.Image:
    try:
        with Image.open(os.path.expanduser(path), formats=_FORMATS) as picture:
            mask = picture.convert("L")
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f"degradation.mask={path} cannot be read as a picture: {error}.") from error
    hidden = _hidden(mask)
    if hidden.all() or not hidden.any():
        hides = "everything" if hidden.all() else "nothing"
        raise UserError(f"degradation.mask={path} hides {hides}: paint white what is hidden, and the rest black.")
    return mask
