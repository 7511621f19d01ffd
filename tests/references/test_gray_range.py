"""The numbers for black and white of gray pictures with more than 8 bits."""

import io

import numpy as np
import pytest
from picture_files import encoded, gray_tiff, stated_range
from PIL import Image

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.references.gray_range import GrayRange
from multimodal_pulse.references.pixels import from_pil, load_rgb


def levels(content: bytes) -> np.ndarray:
    return (from_pil(Image.open(io.BytesIO(content)))[0] * 255).numpy().round()


@pytest.mark.parametrize(("bits", "photometric"), [(12, 1), (16, 1), (16, 0)])
def test_what_the_bits_of_a_tiff_hold(bits: int, photometric: int) -> None:
    white = 2**bits - 1
    values = np.linspace(0, white, 16 * 16).round().astype(np.uint16).reshape(16, 16)
    expected = np.round(255.0 * values / white)
    read = levels(gray_tiff(values, bits, photometric))
    assert (read == (expected if photometric else 255 - expected)).all()


def test_whole_numbers_of_32_bits_with_a_stated_range() -> None:
    values = np.linspace(0, 100_000, 64).round().astype(np.int32).reshape(8, 8)
    content = encoded(Image.fromarray(values), "TIFF", tiffinfo=stated_range(0, 100_000))
    assert (levels(content) == np.round(255 * values / 100_000)).all()


def test_values_outside_of_the_stated_range_are_black_or_white() -> None:
    values = np.array([[-5, 0], [10, 99]], dtype=np.float32)
    content = encoded(Image.fromarray(values), "TIFF", tiffinfo=stated_range(0, 10))
    assert levels(content).tolist() == [[0, 0], [255, 255]]


@pytest.mark.parametrize(("low", "high"), [(3, 3), (5, 1), (float("nan"), 1), (0, float("inf"))])
def test_a_range_that_is_none_is_not_used(low: float, high: float) -> None:
    values = np.array([[0, 0.5], [1, 0.25]], dtype=np.float32)
    content = encoded(Image.fromarray(values), "TIFF", tiffinfo=stated_range(low, high))
    assert levels(content).tolist() == [[0, 128], [255, 64]]


def test_a_tiff_without_a_range_is_refused_by_name(tmp_path) -> None:
    path = tmp_path / "heat.tif"
    Image.fromarray(np.array([[-3, 20], [0, 1]], dtype=np.float32)).save(path)
    with pytest.raises(UserError) as refused:
        load_rgb(path)
    assert str(refused.value).startswith(f"{path} has 32-bit numbers from -3 to 20 without a stated range: scale them")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "LAB"])
def test_8_bits_have_a_range_of_their_own(mode: str) -> None:
    assert GrayRange.of(Image.new(mode, (4, 4))) is None
