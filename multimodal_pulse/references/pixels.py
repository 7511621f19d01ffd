"""Picture files and 8-bit pixels: the only module that converts between uint8 and float.

Elsewhere an image is float32 RGB in [0, 1], [..., 3, H, W]; every value of one read from a file is exactly n / 255.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageCms, ImageOps
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from multimodal_pulse.base.files import atomic_file
from multimodal_pulse.references.picture_files import readable, reduction

GRAY_MODES = ("1", "L", "LA", "La")


def quantise(x: Tensor) -> Tensor:
    """Clamps to [0, 1] and rounds to the nearest n / 255, as saving does. Same shape and dtype."""
    return (x.clamp(0, 1) * 255).round() / 255


def to_uint8(x: Tensor) -> Tensor:
    """Converts float images, clamped to [0, 1], to uint8 of the same shape, rounded to nearest; NaN becomes 0."""
    return (x.clamp(0, 1).nan_to_num(0.0) * 255).round().to(torch.uint8)


def from_uint8(pixels: Tensor) -> Tensor:
    """Converts uint8 of any shape to float32 n / 255 of the same shape."""
    return pixels.to(torch.float32) / 255


def to_pil(image: Tensor) -> Image.Image:
    """Converts [3, H, W] (RGB) or [1, H, W] (gray), clamped to [0, 1], to an 8-bit picture; NaN is black."""
    pixels = to_uint8(image.detach()).cpu().permute(1, 2, 0).numpy()
    return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)


def save_png(image: Tensor, path: str | Path, texts: Mapping[str, str] | None = None) -> None:
    """Writes [3, H, W] (RGB) or [1, H, W] (gray), clamped to [0, 1], as an 8-bit PNG, atomically; NaN is black.

    Args:
        image: the picture.
        path: the file.
        texts: what the file says about itself, by keyword.
    """
    picture = to_pil(image)
    with atomic_file(path) as partial:
        picture.save(partial, format="PNG", pnginfo=png_info(texts or {}))


def png_info(texts: Mapping[str, str]) -> PngInfo:
    """Returns the texts, by keyword, as Pillow writes them into a PNG."""
    info = PngInfo()
    for keyword, text in texts.items():
        info.add_text(keyword, text)
    return info


def load_rgb(path: str | Path) -> Tensor:
    """Reads a PNG, JPEG or WebP file as float32 RGB [3, H, W] in [0, 1], every value n / 255.

    The EXIF orientation is applied, gray and palette pictures become RGB, 16-bit pictures are reduced to 8 bits, an ICC
    profile is converted to sRGB, and transparency is composed over white. An animation gives its first frame. A picture
    of more than `COMPUTED_PIXELS` is reduced by a whole factor.

    Raises:
        UserError: the file is missing, of another format, truncated, damaged, or has too many pixels.
    """
    with readable(path) as picture:
        return from_pil(picture)


def from_pil(picture: Image.Image) -> Tensor:
    """Converts a Pillow picture, as `load_rgb` does, to float32 RGB [3, H, W] in [0, 1], every value n / 255.

    Raises:
        ValueError: the picture's mode has no fixed range (32-bit integers or floats).
    """
    if picture.mode in ("I", "F"):
        raise ValueError(f"pictures of Pillow's mode {picture.mode} have no fixed range; convert it to 8 or 16 bits")
    picture = ImageOps.exif_transpose(picture)
    profile = picture.info.get("icc_profile")
    if picture.mode.startswith("I;16"):
        picture = _reduce_16_bits(picture)
    picture = _affordable(picture)
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


def _affordable(picture: Image.Image) -> Image.Image:
    """Reduces a picture of more pixels than are computed with, by averaging squares of them."""
    factor = reduction(picture.size)
    if factor == 1:
        return picture
    if picture.has_transparency_data and picture.mode not in ("LA", "RGBA"):
        picture = picture.convert("LA" if picture.mode in GRAY_MODES else "RGBA")
    elif picture.mode in ("1", "P"):
        picture = picture.convert("L" if picture.mode == "1" else "RGB")
    return picture.reduce(factor)


def _channels_first(picture: Image.Image) -> Tensor:
    """Converts an 8-bit picture to uint8 [C, H, W]."""
    pixels = np.array(picture)
    return torch.from_numpy(pixels.reshape(*pixels.shape[:2], -1)).permute(2, 0, 1)


def _reduce_16_bits(picture: Image.Image) -> Image.Image:
    """Converts 16-bit gray to "L", or to "LA" if one value means transparent; 65535 becomes 255."""
    pixels = np.array(picture).astype(np.uint16)
    gray = Image.fromarray(((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8))
    transparent = picture.info.get("transparency")
    if transparent is None:
        return gray
    return Image.merge("LA", (gray, Image.fromarray(np.where(pixels == transparent, 0, 255).astype(np.uint8))))


def _to_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """Converts a picture of mode "L", "RGB" or "CMYK" from its ICC profile to sRGB.

    Without a profile, or with one that is damaged or for another mode, the colours are read as sRGB, as browsers do.
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
        # Little CMS's optimisation for gray has errors of up to ten levels in dark areas.
        flags = ImageCms.Flags.NOOPTIMIZE if picture.mode == "L" else ImageCms.Flags.NONE
        converted = ImageCms.profileToProfile(
            picture, ImageCms.ImageCmsProfile(source), ImageCms.createProfile("sRGB"), outputMode="RGB", flags=flags
        )
    except (ImageCms.PyCMSError, OSError):
        return picture.convert("RGB")
    assert converted is not None  # only the in-place variant returns None
    return converted
