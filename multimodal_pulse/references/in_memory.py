"""References for the Python interface: a picture in memory, or the path of one."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.base.files import expanded
from multimodal_pulse.degradation import Degradation
from multimodal_pulse.references.alignment import Align, given_faces
from multimodal_pulse.references.base import Reference, References
from multimodal_pulse.references.names import safe_name
from multimodal_pulse.references.noise import said_noise
from multimodal_pulse.references.pairing import Pairing
from multimodal_pulse.references.pixels import Decoded, decoded, from_uint8, load, quantise
from multimodal_pulse.references.preparation import Decoding, UnfitPictureError, check_frame, named, sentences

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
        as_, frame, noise_std: see `Pairing`.
        align: the word of an `Align`; `AlignedFaces` reads it.
        faces: frames of its faces, [x, y, side, roll] each, in place of those that are found.
        name: the name of the reference, which fixes all random draws together with the seed; None: the name of the file
            that the picture was given as, or that Pillow opened, and "image" for any other picture.
    Raises:
        UserError: another type, shape or range, an unreadable file, or a size or frame that does not fit.
    """

    def __init__(
        self,
        resolution: int,
        degradation: Degradation,
        image: Picture,
        as_: str = "auto",
        frame: Sequence[int] | None = None,
        name: str | None = None,
        noise_std: float | str | None = None,
        align: str = "auto",
        faces: Sequence[Sequence[float]] | None = None,
    ) -> None:
        self.given_faces = given_faces(faces)
        path = expanded(image) if isinstance(image, str | Path) else None
        opened = path or Path(os.fsdecode(getattr(image, "filename", "")))
        name = safe_name(name or opened.stem or "image")
        super().__init__([name])
        if path:
            self.files = {name: path}
        source = str(path) if path else "the image"
        self.align = Align.of(align)
        self._image = image
        pairing = Pairing(resolution, degradation, as_, frame, noise_std)
        self.find_noise = pairing.find_noise
        self.add_notice(said_noise(noise_std))
        with named(source):
            picture = as_decoded(image, pairing.frame)
            self._reference = pairing(name, picture)
            _, remarks = pairing.prepare(picture.decoding)
        self._sentences = sentences((source, remark) for remark in remarks)

    def __getitem__(self, index: int) -> Reference:
        return [self._reference][index]

    def check(self, indices: Iterable[int]) -> None:
        """Says what was done to the picture, if it is one of these references."""
        for sentence in self._sentences if list(indices) else ():
            self.add_notice(sentence)

    def photograph(self, index: int) -> Tensor:
        """Converts the whole picture, upright: [3, H, W] in [0, 1]."""
        return as_rgb(self._image)


def as_rgb(image: Picture) -> Tensor:
    """Converts any `Picture` to float32 RGB [3, H, W] in [0, 1], every value n / 255; raises UserError if it cannot."""
    with named("the image"):
        return as_decoded(image).rgb


def picture_size(image: Picture) -> tuple[int, int]:
    """Returns (width, height) of any `Picture` in pixels; raises UserError as `as_rgb`."""
    rgb = as_rgb(image)
    return rgb.shape[-1], rgb.shape[-2]


def as_decoded(image: Picture, frame: Sequence[int] | None = None) -> Decoded:
    """Converts any `Picture`, or the part of it inside a frame (left, top, right, bottom).

    Raises:
        UserError: another type, shape or range, or an unreadable file.
        UnfitPictureError: as `decoded`.
    """
    if isinstance(image, str | Path):
        return load(expanded(image), frame)
    if isinstance(image, Image.Image):
        try:
            return decoded(image, frame)
        except UnfitPictureError:
            raise
        except (OSError, ValueError) as error:
            raise UserError(f"the image cannot be read: {error}.") from error
    if isinstance(image, np.ndarray):
        return _part(_rgb(_channels_first(image), image.shape), frame)
    if isinstance(image, Tensor):
        image = image.detach().cpu()
        return _part(_rgb(image.squeeze(0) if image.ndim == 4 else image, image.shape), frame)
    raise UserError(f"the image is of type {type(image).__name__}: give a path, Pillow picture, array or tensor.")


def _part(rgb: Tensor, frame: Sequence[int] | None) -> Decoded:
    size = rgb.shape[-1], rgb.shape[-2]
    left, top, right, bottom = box = (0, 0, *size) if frame is None else check_frame(frame, size)
    return Decoded(rgb[:, top:bottom, left:right], Decoding(size, box))


def _channels_first(array: np.ndarray) -> Tensor:
    if array.ndim not in (2, 3):
        raise UserError(f"the image has shape {list(array.shape)}: an array needs [H, W] or [H, W, channels].")
    if not array.size:
        raise UserError(f"the image has shape {list(array.shape)}: it has no pixels.")
    # Copied, because an array may have negative strides or be read-only, but a tensor may not.
    return torch.from_numpy(array.reshape(*array.shape[:2], -1).copy()).permute(2, 0, 1)


def _rgb(image: Tensor, given: Sequence[int]) -> Tensor:
    """Converts [1, 3 or 4, H, W], uint8 or float, to RGB with values n / 255; `given` is its shape as given."""
    if image.ndim != 3 or image.shape[0] not in (1, 3, 4):
        raise UserError(
            f"the image has shape {list(given)}: 1, 3 or 4 channels are needed, last in an array and first in a tensor."
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
