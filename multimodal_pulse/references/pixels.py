"""Picture files and 8-bit pixels: the only module that converts between uint8 and float.

Elsewhere an image is float32 RGB in [0, 1], [..., 3, H, W]; every value of one read from a file is exactly n / 255.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageCms, ImageOps
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from multimodal_pulse.base.files import atomic_file
from multimodal_pulse.references.gray_range import GrayRange
from multimodal_pulse.references.picture_files import readable, reduction
from multimodal_pulse.references.picture_remarks import (
    TRANSPARENT,
    remark_on_reduction,
    remarks_on_colour,
    remarks_on_file,
)
from multimodal_pulse.references.preparation import Decoding, check_frame

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


@dataclass(frozen=True)
class Decoded:
    """A picture, decoded.

    Attributes:
        rgb: float32 RGB [3, H, W] in [0, 1], every value n / 255.
        decoding: where it comes from, and what was done to it.
    """

    rgb: Tensor
    decoding: Decoding


def load_rgb(path: str | Path) -> Tensor:
    """Reads a picture file as float32 RGB [3, H, W] in [0, 1], every value n / 255; see `load`."""
    return load(path).rgb


def load(path: str | Path, frame: Sequence[int] | None = None) -> Decoded:
    """Reads a file of one of `picture_formats.READ`, or the part of it inside a frame.

    The EXIF orientation is applied, gray and palette pictures become RGB, 16-bit pictures and floats are reduced to 8
    bits, an ICC profile is converted to sRGB, and transparency is composed over white. An animation gives its first
    frame. A picture of more than `COMPUTED_PIXELS` is reduced by a whole factor.

    Args:
        path: the file.
        frame: left, top, right and bottom in pixels of the upright picture; None: all of it.

    Raises:
        UserError: the file is missing, of another format, truncated or damaged, has too many pixels or numbers of an
            unknown range, or the frame is not inside it.
    """
    with readable(path) as picture:
        return decoded(picture, frame)


def from_pil(picture: Image.Image) -> Tensor:
    """Converts a Pillow picture to float32 RGB [3, H, W] in [0, 1], every value n / 255; see `decoded`."""
    return decoded(picture).rgb


def decoded(picture: Image.Image, frame: Sequence[int] | None = None) -> Decoded:
    """Converts a Pillow picture, or the part of it inside a frame, as `load` does.

    Raises:
        UnfitPictureError: the numbers of the picture have no known range, or the frame is not inside it.
    """
    file_format, remarks = picture.format, remarks_on_file(picture)
    gray_range = GrayRange.of(picture)
    picture = ImageOps.exif_transpose(picture)
    size, profile = picture.size, picture.info.get("icc_profile")
    box = (0, 0, *size) if frame is None else check_frame(frame, size)
    if frame is not None:
        picture = picture.crop(box)
    if gray_range is not None:
        picture = _eight_bits(picture, gray_range)
        remarks += gray_range.remarks
    factor = reduction(picture.size)
    if factor > 1:
        picture = _reduced(picture, factor)
        remarks.append(remark_on_reduction(size, factor))
    alpha = None
    if picture.has_transparency_data:
        with_alpha = picture.convert("RGBA")
        alpha = with_alpha.getchannel("A")
        if picture.mode not in GRAY_MODES:
            picture = with_alpha
    if picture.mode not in ("CMYK", "LAB"):
        picture = picture.convert("L" if picture.mode in GRAY_MODES else "RGB")
    converted = _by_profile(picture, profile)
    remarks += remarks_on_colour(picture.mode, profile, converted is not None)
    rgb = from_uint8(_channels_first(converted or picture.convert("RGB")))
    if alpha is not None and alpha.getextrema() != (255, 255):
        remarks.append(TRANSPARENT)
        opacity = from_uint8(_channels_first(alpha))
        rgb = quantise(rgb * opacity + (1 - opacity))
    return Decoded(rgb, Decoding(size, box, factor, file_format, tuple(remarks)))


def _reduced(picture: Image.Image, factor: int) -> Image.Image:
    """Reduces a picture by a whole factor, by averaging squares of pixels."""
    if picture.has_transparency_data and picture.mode not in ("LA", "RGBA"):
        picture = picture.convert("LA" if picture.mode in GRAY_MODES else "RGBA")
    elif picture.mode in ("1", "P"):
        picture = picture.convert("L" if picture.mode == "1" else "RGB")
    return picture.reduce(factor)


def _channels_first(picture: Image.Image) -> Tensor:
    """Converts an 8-bit picture to uint8 [C, H, W]."""
    pixels = np.array(picture)
    return torch.from_numpy(pixels.reshape(*pixels.shape[:2], -1)).permute(2, 0, 1)


def _eight_bits(picture: Image.Image, gray_range: GrayRange) -> Image.Image:
    """Converts gray of 16 or 32 bits to "L", or to "LA" if one value means transparent."""
    values = np.array(picture)
    unit = (values.astype(np.float64) - gray_range.black) / (gray_range.white - gray_range.black)
    gray = Image.fromarray(to_uint8(torch.from_numpy(unit)).numpy())
    transparent = picture.info.get("transparency")
    if transparent is None:
        return gray
    return Image.merge("LA", (gray, Image.fromarray(np.where(values == transparent, 0, 255).astype(np.uint8))))


def _by_profile(picture: Image.Image, profile: bytes | None) -> Image.Image | None:
    """Converts a picture of mode "L", "RGB", "CMYK" or "LAB" from its ICC profile to sRGB.

    Returns: None without a profile, or with one that is damaged or for another mode: the colours are then read as sRGB,
        as browsers do. CIELAB is a space of its own, whatever profile comes with it.
    """
    if picture.mode == "LAB":
        return _converted(picture, ImageCms.createProfile("LAB"))
    if not profile:
        return None
    try:
        source = ImageCms.core.profile_frombytes(profile)
        space = source.xcolor_space.strip()
        if space == "RGB":
            picture = picture.convert("RGB")
        if space != {"L": "GRAY"}.get(picture.mode, picture.mode):
            return None
        return _converted(picture, source)
    except (ImageCms.PyCMSError, OSError):
        return None


def _converted(picture: Image.Image, source: ImageCms.core.CmsProfile) -> Image.Image:
    # Little CMS's optimisation for gray has errors of up to ten levels in dark areas.
    flags = ImageCms.Flags.NOOPTIMIZE if picture.mode == "L" else ImageCms.Flags.NONE
    converted = ImageCms.profileToProfile(
        picture, ImageCms.ImageCmsProfile(source), ImageCms.createProfile("sRGB"), outputMode="RGB", flags=flags
    )
    assert converted is not None  # only the in-place variant returns None
    return converted
