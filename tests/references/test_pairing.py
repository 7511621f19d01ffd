"""What becomes of a picture of any size: the square, the LR size, the words, and that it can be undone."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from picture_files import random_pixels

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.degradation.bicubic import Bicubic
from multimodal_pulse.degradation.resize import bicubic_resize
from multimodal_pulse.references import InMemory
from multimodal_pulse.references.pixels import from_uint8, quantise

RESOLUTION = 128


def made(height: int, width: int, factor: int = 8, **settings: object) -> tuple[InMemory, torch.Tensor]:
    """The reference of random pixels, and the pixels, [3, H, W] in [0, 1]."""
    pixels = random_pixels(height, width)
    references = InMemory(RESOLUTION, Bicubic(factor), pixels, **settings)  # type: ignore[arg-type]
    references.check([0])
    return references, from_uint8(torch.from_numpy(pixels)).permute(2, 0, 1)


@pytest.mark.parametrize(("side", "factor"), [(20, 8), (50, 8), (127, 2), (9, 16), (24, 2), (16, 1)])
def test_a_small_picture_is_brought_to_the_lr_size(side: int, factor: int) -> None:
    references, pixels = made(side, side, factor)
    lr = RESOLUTION // factor
    assert references[0].hr is None
    assert torch.equal(references[0].lr, quantise(bicubic_resize(pixels, lr, lr)))
    [notice] = references.notices
    assert notice.startswith("the image is an LR reference (smaller than the generator's 128 x 128): its")
    assert f"its {side} x {side} pixels are brought to {lr} x {lr}" in notice


def test_reducing_is_antialiased_as_the_degradation_is() -> None:
    references, pixels = made(48, 48, 8)  # three pixels to one
    assert torch.equal(references[0].lr, quantise(Bicubic(3)(pixels)))


def test_the_lr_size_itself_is_left_as_it_is() -> None:
    references, pixels = made(16, 16)
    assert torch.equal(references[0].lr, pixels) and references.notices == []


@pytest.mark.parametrize(("side", "suggested"), [(20, None), (23, 4), (50, 2), (11, 16), (90, 2), (16, None)])
def test_a_nearer_factor_is_named(side: int, suggested: int | None) -> None:
    references, _ = made(side, side, 8)
    said = " ".join(references.notices)
    if suggested is None:
        assert "degradation.factor" not in said
    else:
        lr = RESOLUTION // suggested
        assert said.endswith(f"; degradation.factor={suggested} would bring them to {lr} x {lr}.")


def test_a_degradation_without_reduction_suggests_no_factor() -> None:
    references, _ = made(40, 40, 1)
    assert "brought to 128 x 128." in references.notices[0]


@pytest.mark.parametrize(("height", "width"), [(8, 900), (60, 50), (300, 9)])
def test_the_middle_square_of_a_long_picture(height: int, width: int) -> None:
    references, pixels = made(height, width)
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = pixels[:, top : top + side, left : left + side]
    assert torch.equal(references[0].lr, quantise(bicubic_resize(square, 16, 16)))
    assert references.notices[0] == f"the image is {width} x {height}: its middle {side} x {side} is used."


@pytest.mark.parametrize("sides", [(7, 7), (7, 400), (1, 1)])
def test_less_than_8_pixels_are_refused(sides: tuple[int, int]) -> None:
    with pytest.raises(UserError, match=rf"^the image is {sides[1]} x {sides[0]} pixels: at least 8 on each side are"):
        made(*sides)


def test_an_lr_size_below_8_is_still_taken_as_it_is() -> None:
    references, pixels = made(4, 4, 32)
    assert torch.equal(references[0].lr, pixels)


def test_as_lr_makes_a_reference_of_any_picture() -> None:
    references, pixels = made(200, 200, as_="lr")
    assert references[0].hr is None and torch.equal(references[0].lr, quantise(bicubic_resize(pixels, 16, 16)))
    assert references.notices[0].startswith("the image is an LR reference (references.as=lr): its 200 x 200 pixels")


class TestFrame:
    def test_of_an_original(self) -> None:
        references, pixels = made(300, 400, frame=[50, 20, 178, 148])
        assert references[0].hr is not None and torch.equal(references[0].hr, pixels[:, 20:148, 50:178])
        assert references.notices == []

    def test_a_small_face_in_a_large_picture_is_a_reference(self) -> None:
        references, pixels = made(300, 400, frame=[50, 20, 90, 60])
        square = pixels[:, 20:60, 50:90]
        assert references[0].hr is None and torch.equal(references[0].lr, quantise(bicubic_resize(square, 16, 16)))

    def test_of_a_frame_that_is_not_square_the_middle_is_used(self) -> None:
        references, pixels = made(300, 400, frame=(50, 20, 90, 50))
        assert torch.equal(references[0].lr, quantise(bicubic_resize(pixels[:, 20:50, 55:85], 16, 16)))
        assert references.notices[0] == "the image is framed as 40 x 30: its middle 30 x 30 is used."
        assert references[0].prepared is not None and references[0].prepared.frame == (55, 20, 85, 50)

    def test_outside_of_the_picture_it_is_refused(self) -> None:
        with pytest.raises(UserError) as refused:
            made(30, 40, frame=[0, 0, 40, 31])
        assert str(refused.value) == (
            "the image is 40 x 30 pixels, and references.frame=[0, 0, 40, 31] (left, top, right, bottom) does not lie"
            " inside it."
        )

    def test_with_less_than_8_pixels_it_is_refused(self) -> None:
        with pytest.raises(UserError, match="the image is 7 x 20 pixels: at least 8"):
            made(300, 400, frame=[0, 0, 7, 20])

    @pytest.mark.parametrize("frame", [[1, 2, 3], [0, 0, 0, 9], [5, 0, 4, 9], [-1, 0, 8, 9], [0.5, 0, 8, 9], "face", 7])
    def test_what_is_no_frame_is_refused(self, frame: object) -> None:
        with pytest.raises(UserError, match=r"^references\.frame=.*: it must be \[left,top,right,bottom\] in whole"):
            made(300, 400, frame=frame)


def put_back(sample: torch.Tensor, size: Sequence[int], frame: Sequence[int]) -> torch.Tensor:
    """A picture of the generator's resolution, where it belongs in the picture that it came from."""
    left, top, right, bottom = frame
    whole = torch.zeros(3, size[1], size[0])
    whole[:, top:bottom, left:right] = bicubic_resize(sample, bottom - top, right - left)
    return whole


@given(height=st.integers(8, 200), width=st.integers(8, 200), factor=st.sampled_from([2, 4, 8, 16]))
def test_what_was_done_can_be_undone(height: int, width: int, factor: int) -> None:
    """A smooth picture, prepared, enlarged to a sample and put back by what the record says, is itself in its frame."""
    y, x = np.linspace(0.2, 0.8, height)[:, None], np.linspace(0.3, 0.7, width)[None]
    pixels = np.stack([x + 0 * y, y + 0 * x, (x + y) / 2], axis=-1)
    (reference,) = InMemory(RESOLUTION, Bicubic(factor), pixels)
    assert reference.prepared is not None
    left, top, right, bottom = frame = reference.prepared.frame
    assert right - left == bottom - top == min(height, width)
    sample = bicubic_resize(reference.lr, RESOLUTION, RESOLUTION)
    whole = put_back(sample, reference.prepared.size, frame)
    expected = torch.from_numpy(pixels).permute(2, 0, 1).float()
    inside = (slice(None), slice(top, bottom), slice(left, right))
    step = 0.6 * min(height, width) / min(reference.lr.shape[1], RESOLUTION) / min(height, width)
    assert (whole[inside] - expected[inside]).abs().max() < step + 2 / 255  # the borders are flat within one LR pixel
