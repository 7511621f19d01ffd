"""References for the Python interface: a picture in memory, or the path of one."""

import os
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.base.files import expanded
from multimodal_pulse.degradation import Degradation
from multimodal_pulse.references.base import Reference, References
from multimodal_pulse.references.names import safe_name
from multimodal_pulse.references.pairing import Pairing
from multimodal_pulse.references.pixels import from_pil, from_uint8, load_rgb, quantise

Picture = Image.Image | str | Path | np.ndarray | Tensor


class InMemory(References):
    """One reference, given as

    - a path, read as `load_rgb` does, or a Pillow picture, converted the same way;
    - a NumPy array [H, W], [H, W, 1], [H, W, 3] or [H, W, 4], uint8 or float in [0, 1];
    - a tensor [1, H, W], [3, H, W] or [4, H, W], with or without a batch axis of one, uint8 or float in [0, 1].

    Four channels are RGB and opacity, composed over white; floats are rounded to 8 bits.

    Args:
        resolution: the generator's, R.
        degradation: A.
        image: the picture.
        as_: see `Pairing`.
        name: the name of the reference, which fixes all random draws together with the seed; None: the name of the file
            that the picture was given as, or that Pillow opened, and "image" for any other picture.
    Raises:
        UserError: another type, shape or range, an unreadable file, or a size that does not fit.
    """

    def __init__(
        self,
        resolution: int,
        degradation: Degradation,
        image: Picture,
        as_: str = "auto",
        name: str | None = None,
    ) -> None:
        path = expanded(image) if isinstance(image, str | Path) else None
        opened = path or Path(os.fsdecode(getattr(image, "filename", "")))
        name = safe_name(name or opened.stem or "image")
        super().__init__([name])
        if path:
            self.files = {name: path}
        source = str(path) if path else "the image"
        self._reference, notice = Pairing(resolution, degradation, as_)(name, as_rgb(image), source)
        self.add_notice(notice)

    def __getitem__(self, index: int) -> Reference:
        return [self._reference][index]


def as_rgb(image: Picture) -> Tensor:
    """Converts any `Picture` to float32 RGB [3, H, W] in [0, 1], every value n / 255; raises UserError if it cannot."""
    if isinstance(image, str | Path):
        return load_rgb(expanded(image))
    if isinstance(image, Image.Image):
        try:
            return from_pil(image)
        except (OSError, ValueError) as error:
            raise UserError(f"the image cannot be read: {error}.") from error
    if isinstance(image, np.ndarray):
        return _rgb(_channels_first(image))
    if isinstance(image, Tensor):
        image = image.detach().cpu()
        return _rgb(image.squeeze(0) if image.ndim == 4 else image)
    raise UserError(f"the image is of type {type(image).__name__}: give a path, Pillow picture, array or tensor.")


def _channels_first(array: np.ndarray) -> Tensor:
    if array.ndim not in (2, 3):
        raise UserError(f"the image has shape {list(array.shape)}: an array needs [H, W] or [H, W, channels].")
    if not array.size:
        raise UserError(f"the image has shape {list(array.shape)}: it has no pixels.")
    # Copied, because an array may have negative strides or be read-only, but a tensor may not.
    return torch.from_numpy(array.reshape(*array.shape[:2], -1).copy()).permute(2, 0, 1)


def _rgb(image: Tensor) -> Tensor:
    """Converts [1, 3 or 4, H, W], uint8 or float, to RGB with values n / 255."""
    if image.ndim != 3 or image.shape[0] not in (1, 3, 4):
        raise UserError(
            f"the image has shape {list(image.shape)} (channels first): 1, 3 or 4 channels are needed,"
            " last in an array and first in a tensor."
        )
    if not image.numel():
        raise UserError(f"the image has shape {list(image.shape)}: it has no pixels.")
    if image.dtype == torch.uint8:
        image = from_uint8(image)
    elif not image.is_floating_point():
        raise UserError(f"the image is of {image.dtype}: give uint8 or floats in [0, 1].")
    elif not bool(((image >= 0) & (image <= 1)).all()):
        raise UserError(
            f"the image ranges from {float(image.min()):g} to {float(image.max()):g}: floats must be in [0, 1]."
        )
    image = image.float()
    if image.shape[0] == 4:
        image = image[:3] * image[3:] + (1 - image[3:])
    return quantise(image.expand(3, -1, -1))
