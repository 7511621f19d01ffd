"""Real files of every awkward kind, made on the fly, against the pixels they stand for."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from picture_files import encoded, linear_profile, png, random_pixels, smooth_pixels, srgb_of_linear
from PIL import Image, ImageFile
from places import SHARED
from torch import Tensor

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.references import picture_files as picture_files_module
from multimodal_pulse.references.picture_files import reduction, size_of
from multimodal_pulse.references.pixels import from_pil, from_uint8, load_rgb, quantise, save_png, to_pil, to_uint8

SHARED_FACES = SHARED / "faces"


def written(folder: Path, content: bytes, name: str = "picture.png") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def levels(image: Tensor) -> np.ndarray:
    """[3, H, W] in [0, 1] -> [H, W, 3] in grey levels, checked to be whole."""
    assert image.dtype == torch.float32
    scaled = image.permute(1, 2, 0).numpy().astype(np.float64) * 255
    assert np.abs(scaled - scaled.round()).max() < 1e-4
    return scaled.round()


def test_the_size_is_that_of_the_header(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = Image.fromarray(random_pixels(5, 7))
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda picture: pytest.fail("decoded"))
    whole = encoded(picture, "PNG")
    assert size_of(written(tmp_path, whole)) == (7, 5)
    assert size_of(written(tmp_path, whole[:60])) == (7, 5)
    with pytest.raises(UserError, match=r"nowhere\.png does not exist"):
        size_of(tmp_path / "nowhere.png")


def test_png_is_read_exactly(tmp_path: Path) -> None:
    pixels = random_pixels(5, 7)
    assert (levels(load_rgb(written(tmp_path, encoded(Image.fromarray(pixels), "PNG")))) == pixels).all()


@pytest.mark.parametrize(("file_format", "suffix"), [("JPEG", "jpg"), ("WEBP", "webp"), ("MPO", "jpg")])
def test_lossy_formats(tmp_path: Path, file_format: str, suffix: str) -> None:
    pixels = smooth_pixels(40, 24)
    content = encoded(Image.fromarray(pixels), file_format, quality=95)
    assert np.abs(levels(load_rgb(written(tmp_path, content, f"picture.{suffix}"))) - pixels).max() < 12


def test_lossless_webp(tmp_path: Path) -> None:
    pixels = random_pixels(6, 9)
    content = encoded(Image.fromarray(pixels), "WEBP", lossless=True)
    assert (levels(load_rgb(written(tmp_path, content))) == pixels).all()


UPRIGHT = {  # EXIF orientation -> how to make the upright picture out of the stored one (EXIF 2.32, 4.6.4)
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, 1),
}


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("file_format", ["PNG", "JPEG"])
def test_exif_orientation(tmp_path: Path, orientation: int, file_format: str) -> None:
    stored = smooth_pixels(32, 48)
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = written(tmp_path, encoded(Image.fromarray(stored), file_format, exif=exif))
    read = levels(load_rgb(path))
    expected = UPRIGHT[orientation](stored)
    assert read.shape == expected.shape
    assert np.abs(read - expected).max() <= (0 if file_format == "PNG" else 20)


def test_gray_and_bilevel(tmp_path: Path) -> None:
    gray = random_pixels(4, 6)[:, :, 0]
    read = levels(load_rgb(written(tmp_path, encoded(Image.fromarray(gray), "PNG"))))
    assert (read == gray[:, :, None]).all()
    bilevel = Image.fromarray(gray > 127)
    read = levels(load_rgb(written(tmp_path, encoded(bilevel, "PNG"))))
    assert (read == 255 * (gray > 127)[:, :, None]).all()


def test_palette(tmp_path: Path) -> None:
    picture = Image.fromarray(random_pixels(8, 8) // 128 * 200).quantize(8)
    expected = np.asarray(picture.convert("RGB"))
    assert (levels(load_rgb(written(tmp_path, encoded(picture, "PNG")))) == expected).all()


def test_palette_with_transparency_is_laid_over_white(tmp_path: Path) -> None:
    picture = Image.fromarray(np.array([[0, 1], [2, 0]], dtype=np.uint8))
    picture.putpalette([10, 20, 30, 200, 100, 0, 0, 0, 255])
    assert picture.mode == "P"
    read = levels(load_rgb(written(tmp_path, encoded(picture, "PNG", transparency=bytes([0, 255, 51])))))
    # 51 / 255 = 0.2: blue over white at a fifth
    assert read.tolist() == [[[255, 255, 255], [200, 100, 0]], [[204, 204, 255], [255, 255, 255]]]


def test_alpha_is_laid_over_white(tmp_path: Path) -> None:
    color, alpha = random_pixels(5, 6), random_pixels(5, 6, seed=1)[:, :, :1]
    expected = np.round(color * (alpha / 255) + 255 * (1 - alpha / 255))
    for file_format in ("PNG", "WEBP"):
        picture = Image.fromarray(np.concatenate([color, alpha], axis=2))
        read = levels(load_rgb(written(tmp_path, encoded(picture, file_format, lossless=True, exact=True))))
        assert np.abs(read - expected).max() <= 1
    gray_alpha = Image.fromarray(color[:, :, 0]).convert("LA")
    gray_alpha.putalpha(Image.fromarray(alpha[:, :, 0]))
    assert np.abs(levels(load_rgb(written(tmp_path, encoded(gray_alpha, "PNG")))) - expected[:, :, :1]).max() <= 1


def test_one_transparent_color_of_an_rgb_png(tmp_path: Path) -> None:
    picture = Image.fromarray(np.array([[[9, 8, 7], [1, 2, 3]]], dtype=np.uint8))
    read = levels(load_rgb(written(tmp_path, encoded(picture, "PNG", transparency=(9, 8, 7)))))
    assert read.tolist() == [[[255, 255, 255], [1, 2, 3]]]


def test_16_bit_gray(tmp_path: Path) -> None:
    samples = np.array([[[0], [128], [129], [1000]], [[32767], [32768], [65000], [65535]]], dtype=np.uint16)
    read = levels(load_rgb(written(tmp_path, png(samples, color_type=0))))
    assert (read == np.round(samples / 257)).all()
    read = levels(load_rgb(written(tmp_path, png(samples, color_type=0, transparent=1000))))
    assert read[0, 3].tolist() == [255, 255, 255] and read[1, 0].tolist() == [127, 127, 127]


@pytest.mark.parametrize(("color_type", "channels"), [(2, 3), (6, 4), (4, 2)])
def test_16_bit_color_and_alpha(tmp_path: Path, color_type: int, channels: int) -> None:
    samples = np.random.default_rng(0).integers(0, 65536, (9, 8, channels), dtype=np.uint16)
    exact = samples / 65535
    color = exact[:, :, :3] if channels >= 3 else exact[:, :, :1]
    opacity = exact[:, :, -1:] if channels in (2, 4) else 1.0
    expected = 255 * (color * opacity + 1 - opacity)
    # Pillow keeps the high byte of each 16-bit sample, up to one grey level below the rounded value.
    assert np.abs(levels(load_rgb(written(tmp_path, png(samples, color_type)))) - expected).max() < 2


def test_icc_profile_of_linear_light_with_exchanged_primaries(tmp_path: Path) -> None:
    pixels = smooth_pixels(16, 16)
    content = encoded(Image.fromarray(pixels), "PNG", icc_profile=linear_profile(order=(1, 0, 2)))
    expected = 255 * srgb_of_linear(pixels[:, :, [1, 0, 2]] / 255)
    assert np.abs(levels(load_rgb(written(tmp_path, content))) - expected).max() < 2.5


def test_icc_profile_of_a_gray_picture_with_alpha(tmp_path: Path) -> None:
    gray = np.arange(256, dtype=np.uint8).reshape(16, 16)
    expected = 255 * srgb_of_linear(gray / 255)[:, :, None]
    picture = Image.fromarray(gray)
    read = levels(load_rgb(written(tmp_path, encoded(picture, "PNG", icc_profile=linear_profile(gray=True)))))
    assert np.abs(read - expected).max() < 2.5
    picture = picture.convert("LA")
    picture.putalpha(Image.fromarray(np.full((16, 16), 51, dtype=np.uint8)))
    read = levels(load_rgb(written(tmp_path, encoded(picture, "PNG", icc_profile=linear_profile(gray=True)))))
    assert np.abs(read - (0.2 * expected + 0.8 * 255)).max() < 2


@pytest.mark.parametrize("profile", [b"no profile at all", linear_profile()[:200], linear_profile(gray=True)])
def test_a_profile_that_does_not_fit_is_ignored(tmp_path: Path, profile: bytes) -> None:
    pixels = random_pixels(4, 4)
    content = encoded(Image.fromarray(pixels), "PNG", icc_profile=profile)
    assert (levels(load_rgb(written(tmp_path, content))) == pixels).all()


def test_cmyk_jpeg(tmp_path: Path) -> None:
    pixels = smooth_pixels(32, 32)
    content = encoded(Image.fromarray(pixels).convert("CMYK"), "JPEG", quality=98)
    assert np.abs(levels(load_rgb(written(tmp_path, content))) - pixels).mean() < 4


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "JPEG2000"])
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9])
def test_truncated_files_are_refused_by_name(tmp_path: Path, file_format: str, kept: float) -> None:
    content = encoded(Image.fromarray(random_pixels(64, 64)), file_format)
    path = written(tmp_path, content[: int(len(content) * kept)], "half.bin")
    with pytest.raises(UserError, match=r"half\.bin .*(truncated|damaged)"):
        load_rgb(path)


@given(
    position=st.floats(0, 0.999),
    value=st.integers(0, 255),
    file_format=st.sampled_from(["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "JPEG2000"]),
)
def test_a_damaged_file_is_read_or_refused_never_a_crash(
    tmp_path_factory: pytest.TempPathFactory, position: float, value: int, file_format: str
) -> None:
    content = bytearray(encoded(Image.fromarray(random_pixels(16, 16)), file_format))
    content[int(position * len(content))] = value
    path = written(tmp_path_factory.mktemp("damaged"), bytes(content))
    try:
        assert load_rgb(path).shape[0] == 3
    except UserError as error:
        assert str(path) in str(error)


@pytest.mark.parametrize("size", [(17000, 17000), (30000, 30000), (50000, 50000)])
def test_a_huge_declared_size_is_refused_from_the_header(
    tmp_path: Path, size: tuple[int, int], recwarn: pytest.WarningsRecorder
) -> None:
    path = written(tmp_path, png(random_pixels(4, 4), color_type=2, size=size), "bomb.png")
    with pytest.raises(UserError, match=r"bomb\.png has more than 268 million pixels"):
        load_rgb(path)
    assert not recwarn.list


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "transparent"])
def test_a_picture_of_too_many_pixels_is_averaged_over_squares(
    tmp_path: Path, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = random_pixels(20, 30).repeat(3, axis=0).repeat(3, axis=1)  # so that averaging loses nothing
    if mode == "I;16":
        picture = Image.fromarray(blocks[:, :, 0].astype(np.uint16) * 257)
    elif mode == "transparent":
        picture = Image.fromarray(blocks)
        picture.info["transparency"] = tuple(int(value) for value in blocks[0, 0])
    else:
        picture = Image.fromarray(blocks).convert(mode, dither=Image.Dither.NONE)
    whole = from_pil(picture)
    monkeypatch.setattr(picture_files_module, "COMPUTED_PIXELS", 20 * 30)
    monkeypatch.setattr(picture_files_module, "LEAST_SIDE", 16)
    reduced = from_pil(picture)
    assert reduced.shape == (3, 20, 30)
    assert torch.allclose(reduced, whole[:, ::3, ::3], atol=1.01 / 255)
    if mode != "CMYK":  # of which there are no PNG files
        assert torch.equal(load_rgb(written(tmp_path, encoded(picture, "PNG"))), reduced)


def test_a_photograph_of_108_megapixels_is_read(tmp_path: Path) -> None:
    row = np.linspace(0, 255, 12000).round().astype(np.uint8)
    path = tmp_path / "photo.jpg"
    Image.fromarray(np.broadcast_to(row, (9000, 12000))).save(path, quality=95)
    assert size_of(path) == (12000, 9000)
    picture = load_rgb(path)
    assert picture.shape == (3, 4500, 6000)
    assert (picture[:, 100] - torch.linspace(0, 1, 6000)).abs().max() < 0.02


def test_a_long_picture_keeps_the_pixels_that_the_largest_generator_needs() -> None:
    assert reduction((12000, 9000)) == 2
    assert reduction((8192, 8192)) == 1
    assert reduction((100_000, 1500)) == 1
    assert reduction((100_000, 2100)) == 2


def test_other_files_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"notes\.png is not a PNG, JPEG, .* picture, or its beginning is damaged\."):
        load_rgb(written(tmp_path, b"some text", "notes.png"))
    with pytest.raises(UserError, match=r"picture\.tga is not a PNG, JPEG, .* picture"):
        load_rgb(written(tmp_path, encoded(Image.new("L", (4, 4)), "TGA"), "picture.tga"))
    with pytest.raises(UserError, match=r"absent\.png does not exist"):
        load_rgb(tmp_path / "absent.png")
    with pytest.raises(UserError, match="is a folder.*references=folder"):
        load_rgb(tmp_path)


def test_pictures_without_a_range_are_refused() -> None:
    with pytest.raises(ValueError, match="32-bit numbers from 2 to 2 without a stated range"):
        from_pil(Image.new("F", (4, 4), 2.0))
    with pytest.raises(ValueError, match="32-bit numbers from 0 to 0 without a stated range"):
        from_pil(Image.new("I", (4, 4)))
    with pytest.raises(ValueError, match="no finite numbers"):
        from_pil(Image.new("F", (4, 4), float("nan")))


def test_all_256_levels_survive_the_round_trip(tmp_path: Path) -> None:
    pixels = torch.arange(256, dtype=torch.uint8).view(1, 16, 16).expand(3, -1, -1)
    image = from_uint8(pixels)
    assert torch.equal(to_uint8(image), pixels)
    assert torch.equal(quantise(image), image)
    save_png(image, tmp_path / "picture.png")
    assert torch.equal(load_rgb(tmp_path / "picture.png"), image)
    with Image.open(tmp_path / "picture.png") as picture:
        assert picture.mode == "RGB"


@given(st.floats(-2, 3, width=32))
def test_quantise_is_what_a_saved_file_has(value: float) -> None:
    x = torch.tensor([value])
    expected = min(max(round(min(max(value, 0.0), 1.0) * 255), 0), 255)
    assert abs(quantise(x).item() * 255 - expected) < 1e-4 or abs(value * 255 % 1 - 0.5) < 1e-4
    assert torch.equal(quantise(x), from_uint8(to_uint8(x)))
    assert torch.equal(quantise(quantise(x)), quantise(x))


def test_one_channel_is_saved_as_gray(tmp_path: Path) -> None:
    mask = torch.tensor([[[0.0, 1.0], [0.5, 2.0]]])
    save_png(mask, tmp_path / "mask.png")
    with Image.open(tmp_path / "mask.png") as picture:
        assert picture.mode == "L"
        assert np.asarray(picture).tolist() == [[0, 255], [128, 255]]


def test_a_save_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "picture.png"
    save_png(torch.zeros(3, 2, 2), path)

    def fail(*arguments: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="no space"):
        save_png(torch.ones(3, 2, 2), path)
    assert load_rgb(path).max() == 0
    assert os.listdir(tmp_path) == ["picture.png"]


@pytest.mark.skipif(not SHARED_FACES.is_dir(), reason="../shared/faces is missing")
def test_real_photographs_are_read_as_they_are() -> None:
    for path in sorted(SHARED_FACES.iterdir()):
        with Image.open(path) as picture:  # plain 8-bit sRGB files: nothing may be converted
            assert (levels(load_rgb(path)) == np.asarray(picture)).all()


def test_nan_is_black():
    image = torch.full((3, 2, 2), torch.nan)
    image[:, 0, 0] = 1.0
    assert to_uint8(image).flatten(1).tolist() == [[255, 0, 0, 0]] * 3
    assert to_pil(image).getpixel((1, 1)) == (0, 0, 0)
