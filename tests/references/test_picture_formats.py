"""Formats that cannot be read here, and what is said of them."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.degradation import Bicubic
from multimodal_pulse.references import Folder, picture_formats
from multimodal_pulse.references.picture_formats import READ, SUFFIXES
from multimodal_pulse.references.pixels import load_rgb

HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40)
without_heic = pytest.mark.skipif("HEIF" in READ, reason="pillow-heif is installed")


@without_heic
def test_a_heic_file_says_what_it_needs(tmp_path: Path) -> None:
    for name in ("photo.heic", "photo.jpg"):  # by what is in it, whatever it is called
        path = tmp_path / name
        path.write_bytes(HEIC)
        with pytest.raises(UserError) as refused:
            load_rgb(path)
        assert str(refused.value) == (
            f"{path} cannot be read here (HEIC needs pip install pillow-heif): add that, or save the"
            " picture as a JPEG or PNG."
        )


@without_heic
def test_a_folder_says_so_too(tmp_path: Path) -> None:
    Image.new("RGB", (32, 32)).save(tmp_path / "a.png")
    (tmp_path / "b.HEIC").write_bytes(HEIC)
    assert Folder(32, Bicubic(4), tmp_path).notices == [
        f"in {tmp_path}, 1 file is left out: b.HEIC (HEIC needs pip install pillow-heif)."
    ]


@pytest.mark.skipif(importlib.util.find_spec("pillow_heif") is None, reason="pillow-heif is not installed")
@pytest.mark.parametrize(("orientation", "turns"), [(1, 0), (3, 2), (6, -1), (8, 1)])
def test_heic_is_read_upright(orientation: int, turns: int, tmp_path: Path) -> None:
    picture_formats.readable_formats()
    pixels = np.zeros((32, 48, 3), dtype=np.uint8)
    pixels[:, :24] = (200, 40, 40)
    picture, exif = Image.fromarray(pixels), Image.Exif()
    exif[0x0112] = orientation
    picture.info["exif"] = exif.tobytes()
    picture.save(tmp_path / "a.heic", quality=95)
    read = (load_rgb(tmp_path / "a.heic").permute(1, 2, 0) * 255).numpy()
    expected = np.rot90(pixels, turns)
    assert read.shape == expected.shape and np.abs(read - expected).mean() < 6


def test_a_library_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = tuple(name for name in READ if name != "AVIF")
    monkeypatch.setattr(picture_formats, "READ", read)
    path = tmp_path / "a.avif"
    path.write_bytes(b"\0\0\0\x18ftypavif" + bytes(40))
    assert picture_formats.needs(path) == "AVIF needs a Pillow that was built with it"
    assert "AVIF needs a Pillow that was built with it" in picture_formats.why_unidentified(path)


@pytest.mark.parametrize("order", [b"II*\0", b"MM\0*"])
def test_a_tiff_of_a_rare_kind_is_not_called_another_format(order: bytes, tmp_path: Path) -> None:
    path = tmp_path / "rare.tif"
    path.write_bytes(order + bytes(60))
    with pytest.raises(UserError, match=r"rare\.tif is a TIFF of a kind that is not read.*save it with 8 or 16 bits"):
        load_rgb(path)


def test_every_suffix_belongs_to_a_format_that_is_read() -> None:
    assert set(SUFFIXES.values()) == set(READ)
    assert {".png", ".jpg", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".jp2"} <= set(SUFFIXES)
    assert all(picture_formats.needs(Path(f"a{suffix.upper()}")) is None for suffix in SUFFIXES)
    assert picture_formats.needs(Path("notes.txt")) is None
