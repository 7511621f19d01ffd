"""Picture files and 8-bit pixels: the only place where uint8 becomes float and float becomes uint8.

Outside, an image is float32 RGB in [0, 1], [..., 3, H, W]; one that has been a file is exactly n / 255 everywhere.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError
from torch import Tensor

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.base.files import atomic_file

SUFFIXES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
"""File name endings, in lower case, of the formats that are read."""
MAX_PIXELS = 2**26
"""Larger pictures (8192 x 8192) are refused from their header: as float32 they would fill the memory."""
GRAY_MODES = ("1", "L", "LA", "La")


def quantise(x: Tensor) -> Tensor:
    """Clamps to [0, 1] and rounds to the nearest n / 255: the values a saved file has. Same shape and dtype."""
    return (x.clamp(0, 1) * 255).round() / 255


def to_uint8(x: Tensor) -> Tensor:
    """Float images in [0, 1] (clamped) -> uint8 of the same shape, rounded to nearest."""
    return (x.clamp(0, 1) * 255).round().to(torch.uint8)


def from_uint8(pixels: Tensor) -> Tensor:
    """uint8 of any shape -> float32 n / 255 of the same shape."""
    return pixels.to(torch.float32) / 255


def save_png(image: Tensor, path: str | Path) -> None:
    """Writes [3, H, W] (RGB) or [1, H, W] (gray), clamped to [0, 1], as an 8-bit PNG; whole or not at all."""
    pixels = to_uint8(image.detach()).cpu().permute(1, 2, 0).numpy()
    picture = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    with atomic_file(path) as partial:
        picture.save(partial, format="PNG")


def load_rgb(path: str | Path) -> Tensor:
    """Reads a PNG, JPEG or WebP file as float32 RGB [3, H, W] in [0, 1], every value n / 255.

    The EXIF orientation is applied, gray and palette pictures become RGB, 16-bit ones are reduced to 8 bits, an ICC
    profile is converted to sRGB and transparency is laid over white. Of an animation the first frame is read.

    Raises:
        UserError: the file is missing, of another format, truncated, damaged, or larger than MAX_PIXELS.
    """
    with _readable(path) as picture:
        return from_pil(picture)


def size_of(path: str | Path) -> tuple[int, int]:
    """(width, height) in pixels as the file's header has it, before the EXIF orientation; no pixel is decoded.

    Raises:
        UserError: as `load_rgb`, as far as the header tells.
    """
    with _readable(path) as picture:
        return picture.size


def size_of_whole_jpeg(path: str | Path) -> tuple[int, int]:
    """(width, height) of a JPEG, as `size_of`, after its data have been read to the end.

    All of the file is decoded as far as the coefficients, of which the pixels come out eight times smaller: that finds
    what `load_rgb` would refuse, in a quarter of the time.

    Raises:
        UserError: as `load_rgb`, or the file is a picture of another format.
    """
    with _readable(path) as picture:
        size, file_format = picture.size, picture.format
        picture.draft("L", (1, 1))
        picture.load()
    if file_format not in ("JPEG", "MPO"):
        raise UserError(f"{path} is a {file_format} picture, not a JPEG.")
    return size


@contextmanager
def _readable(path: str | Path) -> Iterator[Image.Image]:
    """An opened picture file; what goes wrong with it here and in the block is said in the words of a `UserError`."""
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
        # Which exception a decoder raises over broken data is its own affair: OSError, SyntaxError, ValueError, ...
        raise UserError(f"{path} cannot be read, it is truncated or damaged ({error}).") from error


def _open(path: str | Path) -> Image.Image:
    with warnings.catch_warnings():
        # Pillow warns from its own limit on; ours is lower and refuses.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return Image.open(path, formats=sorted(set(SUFFIXES.values())))


def from_pil(picture: Image.Image) -> Tensor:
    """A Pillow picture -> float32 RGB [3, H, W] in [0, 1], every value n / 255, converted as `load_rgb` says.

    Raises:
        ValueError: a mode with no fixed range (32-bit integers or floats).
    """
    if picture.mode in ("I", "F"):
        raise ValueError(f"pictures of Pillow's mode {picture.mode} have no fixed range; convert it to 8 or 16 bits")
    picture = ImageOps.exif_transpose(picture)
    profile = picture.info.get("icc_profile")
    if picture.mode.startswith("I;16"):
        picture = _reduce_16_bits(picture)
    alpha = None
    if picture.has_transparency_data:
        with_alpha = picture.convert("RGBA")
        alpha = with_alpha.getchannel("A")
        if picture.mode not in GRAY_MODES:
            picture = with_alpha
    if picture.mode != "CMYK":
        picture = picture.convert("L" if picture.mode in GRAY_MODES else "RGB")
    rgb = from_uint8(_channels_first(_to_srgb(picture, profile)))
    if alpha is None:
        return rgb
    opacity = from_uint8(_channels_first(alpha))
    return quantise(rgb * opacity + (1 - opacity))


def _channels_first(picture: Image.Image) -> Tensor:
    """An 8-bit picture as uint8 [C, H, W]."""
    pixels = np.array(picture)
    return torch.from_numpy(pixels.reshape(*pixels.shape[:2], -1)).permute(2, 0, 1)


def _reduce_16_bits(picture: Image.Image) -> Image.Image:
    """16-bit gray -> "L", or "LA" where one value stands for transparent; 65535 becomes 255."""
    pixels = np.array(picture).astype(np.uint16)
    gray = Image.fromarray(((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8))
    transparent = picture.info.get("transparency")
    if transparent is None:
        return gray
    return Image.merge("LA", (gray, Image.fromarray(np.where(pixels == transparent, 0, 255).astype(np.uint8))))


def _to_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """A picture of mode "L", "RGB" or "CMYK" with the ICC profile of its colours -> sRGB.

    Without a profile, or with one that is damaged or made for another kind of picture, the colours are taken as sRGB,
    as browsers do.
    """
    if not profile:
        return picture.convert("RGB")
    try:
        source = ImageCms.core.profile_frombytes(profile)
        space = source.xcolor_space.strip()
        if space == "RGB":
            picture = picture.convert("RGB")
        if space != {"L": "GRAY"}.get(picture.mode, picture.mode):
            return picture.convert("RGB")
        # Little CMS's shortcut for gray is up to ten levels off in the dark.
        flags = ImageCms.Flags.NOOPTIMIZE if picture.mode == "L" else ImageCms.Flags.NONE
        converted = ImageCms.profileToProfile(
            picture, ImageCms.ImageCmsProfile(source), ImageCms.createProfile("sRGB"), outputMode="RGB", flags=flags
        )
    except (ImageCms.PyCMSError, OSError):
        return picture.convert("RGB")
    assert converted is not None  # None is what the in-place variant returns
    return converted
