"""Real files of every format, mode, size, rotation and profile: the pixels that come of each, and what is said."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from picture_files import encoded, gray_tiff, linear_profile, png, smooth_pixels, srgb_of_linear, stated_range
from PIL import Image, ImageCms, features

from multimodal_pulse.degradation.bicubic import Bicubic
from multimodal_pulse.degradation.resize import bicubic_resize
from multimodal_pulse.references import ImageFile
from multimodal_pulse.references.pixels import load_rgb, quantise

RESOLUTION = 64
DEGRADATION = Bicubic(4)
LR = RESOLUTION // 4


@dataclass(frozen=True)
class Case:
    """A file, and what a person expects of it.

    Attributes:
        name: of the file.
        content: its bytes.
        expected: its picture, [H, W, 3] in grey levels.
        tolerance: the most grey levels that a pixel may be off, because of the format.
        said: the beginnings of what is said of it, after its name; cropping and resizing apart.
        noted: what record.json alone says of it.
    """

    name: str
    content: bytes
    expected: np.ndarray
    tolerance: float = 0
    said: tuple[str, ...] = ()
    noted: tuple[str, ...] = ()


def picture(height: int, width: int) -> tuple[Image.Image, np.ndarray]:
    pixels = smooth_pixels(height, width)
    return Image.fromarray(pixels), pixels


def gray(height: int, width: int) -> np.ndarray:
    return smooth_pixels(height, width)[:, :, 2]


def as_rgb(levels: np.ndarray) -> np.ndarray:
    return levels[:, :, None].repeat(3, axis=2)


def turned(file_format: str, orientation: int, upright: Callable[[np.ndarray], np.ndarray], tolerance: int) -> Case:
    stored, pixels = picture(24, 40)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"tiffinfo": {0x0112: orientation}} if file_format == "TIFF" else {"exif": exif}
    content = encoded(stored, file_format, **options, **({"quality": 95} if tolerance else {}))
    noted = f"is turned upright, as its EXIF orientation {orientation} asks"
    return Case(f"turned{orientation}.{file_format.lower()}", content, upright(pixels), tolerance, noted=(noted,))


def jpeg(height: int, width: int) -> Case:
    image, pixels = picture(height, width)
    return Case(f"{width}x{height}.jpg", encoded(image, "JPEG", quality=95), pixels, 12)


def palette() -> Case:
    image = picture(20, 20)[0].quantize(16)
    return Case("palette.gif", encoded(image, "GIF"), np.asarray(image.convert("RGB")))


def animation(file_format: str) -> Case:
    frames = [Image.new("RGB", (30, 30), color) for color in ((200, 30, 60), (10, 250, 90))]
    options = {"lossless": True} if file_format == "WEBP" else {}
    content = encoded(frames[0], file_format, save_all=True, append_images=frames[1:], **options)
    expected = np.full((30, 30, 3), (200, 30, 60))
    said = ("holds several pictures: its first is used",)
    return Case(f"animation.{file_format.lower()}", content, expected, said=said)


def transparent(file_format: str) -> Case:
    color, alpha = smooth_pixels(32, 32), np.full((32, 32, 1), 51, dtype=np.uint8)
    content = encoded(Image.fromarray(np.concatenate([color, alpha], axis=2)), file_format, **_LOSSLESS[file_format])
    said = ("is transparent in parts, which are laid over white",)
    return Case(f"alpha.{file_format.lower()}", content, np.round(0.2 * color + 0.8 * 255), 1, said)


def gray_alpha() -> Case:
    image = Image.fromarray(gray(16, 16)).convert("LA")
    image.putalpha(Image.fromarray(np.full((16, 16), 255, dtype=np.uint8)))
    return Case("opaque.png", encoded(image, "PNG"), as_rgb(gray(16, 16)))  # nothing to say: no part is transparent


def bilevel() -> Case:
    black_and_white = gray(40, 16) > 127
    content = encoded(Image.fromarray(black_and_white), "TIFF", compression="group4")
    return Case("fax.tif", content, as_rgb(255 * black_and_white))


def sixteen_bits(file_format: str) -> Case:
    levels = gray(18, 18)
    content = encoded(Image.fromarray(levels.astype(np.uint16) * 257), file_format)
    return Case(f"deep.{file_format.lower()}", content, as_rgb(levels), noted=("has 16 bits, reduced to 8",))


def sixteen_bits_of_colour() -> Case:
    pixels = smooth_pixels(18, 18)
    return Case("deep-colour.png", png(pixels.astype(np.uint16) * 257, color_type=2), pixels)


def floats(state_range: bool) -> Case:
    levels = gray(16, 24)
    low, high = (-2.0, 8.0) if state_range else (0.0, 1.0)
    values = (low + (high - low) * levels / 255).astype(np.float32)
    content = encoded(Image.fromarray(values), "TIFF", **({"tiffinfo": stated_range(low, high)} if state_range else {}))
    said = (f"has 32-bit numbers, which are read with {low:g} for black and {high:g} for white",)
    return Case(f"floats{state_range}.tif", content, as_rgb(levels), said=said)


def white_is_zero() -> Case:
    levels = gray(16, 16)
    content = gray_tiff(65535 - levels.astype(np.uint16) * 257, bits=16, photometric=0)
    return Case("negative.tif", content, as_rgb(levels), noted=("has 16 bits, reduced to 8",))


def inks() -> Case:
    image, pixels = picture(32, 32)
    said = ("has ink colours (CMYK) without a usable profile: its colours are approximate",)
    return Case("inks.jpg", encoded(image.convert("CMYK"), "JPEG", quality=98), pixels, 24, said)


def profile() -> Case:
    image, pixels = picture(32, 32)
    content = encoded(image, "TIFF", icc_profile=linear_profile(order=(1, 0, 2)))
    expected = 255 * srgb_of_linear(pixels[:, :, [1, 0, 2]] / 255)
    return Case("profile.tif", content, expected, 2.5, noted=("is converted to sRGB from the colour profile",))


def lab() -> Case:
    pixels = (96 + smooth_pixels(32, 32) // 4).astype(np.uint8)  # muted: 8 bits of CIELAB are coarse near its ends
    space = [ImageCms.createProfile(name) for name in ("sRGB", "LAB")]
    image = ImageCms.profileToProfile(Image.fromarray(pixels), *space, outputMode="LAB")
    assert image is not None
    return Case("lab.tif", encoded(image, "TIFF"), pixels, 3, noted=("is converted to sRGB from CIELAB",))


_LOSSLESS: dict[str, dict[str, object]] = {
    "PNG": {},
    "TIFF": {"compression": "tiff_lzw"},
    "BMP": {},
    "JPEG2000": {},
    "WEBP": {"lossless": True, "exact": True},
}


def lossless(file_format: str, suffix: str, height: int, width: int, mode: str = "RGB") -> Case:
    image = picture(height, width)[0].convert(mode)
    expected = np.asarray(image.convert("RGB"))
    return Case(f"{mode}{width}x{height}{suffix}", encoded(image, file_format, **_LOSSLESS[file_format]), expected)


CASES: dict[str, Callable[[], Case]] = {
    "png": lambda: lossless("PNG", ".png", 64, 64),
    "tiff": lambda: lossless("TIFF", ".tiff", 100, 70),
    "tiff, gray": lambda: lossless("TIFF", ".tif", 9, 30, "L"),
    "bmp, 8 x 8": lambda: lossless("BMP", ".bmp", 8, 8),
    "bmp, palette": lambda: lossless("BMP", ".bmp", 50, 60, "P"),
    "bmp, bilevel": lambda: lossless("BMP", ".bmp", 16, 16, "1"),
    "jpeg 2000": lambda: lossless("JPEG2000", ".jp2", 33, 33),
    "webp": lambda: lossless("WEBP", ".webp", 48, 20),
    "jpeg, 12 megapixels": lambda: jpeg(3000, 4000),
    "jpeg, 20 x 20": lambda: jpeg(20, 20),
    "png, very long": lambda: lossless("PNG", ".png", 8, 1000),
    "avif": lambda: Case("a.avif", encoded(picture(40, 40)[0], "AVIF", quality=90), picture(40, 40)[1], 20),
    "jpeg turned by 3": lambda: turned("JPEG", 3, lambda a: a[::-1, ::-1], 14),
    "png turned by 5": lambda: turned("PNG", 5, lambda a: a.transpose(1, 0, 2), 0),
    "tiff turned by 6": lambda: turned("TIFF", 6, lambda a: np.rot90(a, -1), 0),
    "tiff turned by 7": lambda: turned("TIFF", 7, lambda a: a[::-1, ::-1].transpose(1, 0, 2), 0),
    "avif turned by 8": lambda: turned("AVIF", 8, lambda a: np.rot90(a, 1), 20),
    "gif": palette,
    "gif, animated": lambda: animation("GIF"),
    "webp, animated": lambda: animation("WEBP"),
    "tiff, several pages": lambda: animation("TIFF"),
    "png, transparent": lambda: transparent("PNG"),
    "webp, transparent": lambda: transparent("WEBP"),
    "tiff, transparent": lambda: transparent("TIFF"),
    "jpeg 2000, transparent": lambda: transparent("JPEG2000"),
    "gray with alpha": gray_alpha,
    "1 bit": bilevel,
    "png, 16 bits": lambda: sixteen_bits("PNG"),
    "tiff, 16 bits": lambda: sixteen_bits("TIFF"),
    "jpeg 2000, 16 bits": lambda: sixteen_bits("JPEG2000"),
    "png, 16 bits of colour": sixteen_bits_of_colour,
    "tiff, floats in [0, 1]": lambda: floats(state_range=False),
    "tiff, floats of a stated range": lambda: floats(state_range=True),
    "tiff, white is zero": white_is_zero,
    "cmyk": inks,
    "colour profile": profile,
    "cielab": lab,
}


@pytest.mark.parametrize("kind", CASES)
def test_a_file_becomes_what_a_person_expects(kind: str, tmp_path: Path) -> None:
    if "avif" in kind and not features.check("avif"):
        pytest.skip("this Pillow reads no AVIF")
    case = CASES[kind]()
    path = tmp_path / case.name
    path.write_bytes(case.content)
    read = load_rgb(path)
    off = (read * 255).permute(1, 2, 0).double().numpy() - case.expected
    assert np.abs(off).max() <= case.tolerance + 1e-4, kind

    references = ImageFile(RESOLUTION, DEGRADATION, path)
    references.check([0])
    reference = references[0]
    height, width = read.shape[1:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = read[:, top : top + side, left : left + side].double()
    if side >= RESOLUTION:
        hr = quantise(bicubic_resize(square, RESOLUTION, RESOLUTION)).float()
        assert reference.hr is not None and (reference.hr - hr).abs().max() < 1.01 / 255
        assert torch.equal(reference.lr, quantise(DEGRADATION(reference.hr)))
    else:
        assert reference.hr is None
        assert (reference.lr - quantise(bicubic_resize(square, LR, LR)).float()).abs().max() < 1.01 / 255

    prepared = reference.prepared
    assert prepared is not None
    assert prepared.size == (width, height)
    assert prepared.frame == (left, top, left + side, top + side)
    assert (prepared.taken_as, prepared.resized_to) == (("hr", RESOLUTION) if side >= RESOLUTION else ("lr", LR))
    assert (prepared.resized_from, prepared.factor) == (side, 4)
    sized = [f"is {width} x {height}: its middle {side} x {side} is used"] if width != height else []
    if side < RESOLUTION and side != LR:
        sized.append(
            f"is an LR reference (smaller than the generator's 64 x 64): its {side} x {side} pixels are brought"
        )
    words = (*case.said, *sized)
    assert len(references.notices) == len(words)
    for notice, beginning in zip(references.notices, words, strict=True):
        assert notice.startswith(f"{path} {beginning}")
    assert len(prepared.notes) == len(words) + len(case.noted)
    for beginning in (*words, *case.noted):
        assert any(note.startswith(beginning) for note in prepared.notes)
