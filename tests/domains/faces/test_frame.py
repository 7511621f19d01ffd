"""Frames: the geometry of a rotated square, and the upright picture that is cut out of it."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from multimodal_pulse.domains.faces import Frame, cut_out


def ramp(height: int, width: int, a: float = 0.003, b: float = 0.002) -> torch.Tensor:
    """A picture whose value at (x, y) is a x + b y, which bilinear interpolation does not change."""
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    return (a * x + b * y).expand(3, -1, -1)


class TestGeometry:
    def test_corners_without_roll(self) -> None:
        assert Frame(10, 20, 8).corners() == [(6, 16), (14, 16), (14, 24), (6, 24)]

    def test_a_positive_roll_is_clockwise(self) -> None:
        (x, y), *_ = Frame(0, 0, 2, roll=90).corners()
        assert (x, y) == pytest.approx((1, -1))  # the face's upper left corner is now the upper right one

    @given(right=st.floats(-0.5, 0.5), down=st.floats(-0.5, 0.5), scale=st.floats(-0.5, 0.5), roll=st.floats(-170, 170))
    def test_a_move_is_the_similarity_of_the_cut_out_picture(
        self, right: float, down: float, scale: float, roll: float
    ) -> None:
        frame = Frame(30, 40, 20, roll=25)
        moved = frame.moved(right, down, scale, roll)
        assert (moved.x, moved.y) == pytest.approx(frame.point(2 * right, 2 * down))
        assert moved.side == pytest.approx(20 * math.exp(scale))
        assert -180 <= moved.roll < 180
        assert math.cos(math.radians(moved.roll - 25 - roll)) == pytest.approx(1)


class TestCutOut:
    def test_the_whole_picture_is_itself(self) -> None:
        picture = torch.rand(3, 24, 24, generator=torch.Generator().manual_seed(0))
        assert torch.allclose(cut_out(picture, Frame(12, 12, 24), 24), picture, atol=1e-6)

    @pytest.mark.parametrize("turns", [1, 2, 3])
    def test_quarter_turns(self, turns: int) -> None:
        picture = torch.rand(3, 24, 24, generator=torch.Generator().manual_seed(0))
        turned = cut_out(picture, Frame(12, 12, 24, roll=90 * turns), 24)
        assert torch.allclose(turned, picture.rot90(turns, (1, 2)), atol=1e-5)

    @given(roll=st.floats(-45, 45), side=st.floats(10, 40), size=st.sampled_from([8, 16, 32]))
    def test_a_ramp_keeps_its_values_at_every_size(self, roll: float, side: float, size: int) -> None:
        frame = Frame(50, 45, side, roll)
        out = cut_out(ramp(90, 100), frame, size)
        for i, j in ((0, 0), (size - 1, 2), (size // 2, size - 1)):
            x, y = frame.point((2 * j + 1) / size - 1, (2 * i + 1) / size - 1)
            assert out[0, i, j].item() == pytest.approx(0.003 * x + 0.002 * y, abs=1e-4)

    @pytest.mark.parametrize("roll", [0, 30])
    @pytest.mark.parametrize("side", [64.0, 960.0])
    def test_fine_stripes_become_grey_instead_of_aliasing(self, roll: float, side: float) -> None:
        stripes = (torch.arange(1400) % 2).float().expand(3, 1400, -1)
        out = cut_out(stripes, Frame(700, 700, side, roll), 16)
        assert (out - 0.5).abs().max() < 0.13

    @pytest.mark.parametrize("frame", [Frame(0, 0, 30, 20), Frame(40, 5, 60), Frame(-5, 20, 12)])
    def test_nothing_new_appears_outside(self, frame: Frame) -> None:
        assert torch.allclose(cut_out(torch.full((3, 40, 40), 0.3), frame, 16), torch.tensor(0.3), atol=1e-5)

    def test_outside_the_picture_is_mirrored_then_blurred(self) -> None:
        picture = torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(0))
        out = cut_out(picture, Frame(64, 32, 64), 64)  # its right half lies outside
        assert torch.allclose(out[:, :, :32], picture[:, :, 32:], atol=1e-5)
        near, far = out[:, :, 32], out[:, :, 45:]
        assert torch.corrcoef(torch.stack([near.flatten(), picture[:, :, 63].flatten()]))[0, 1] > 0.95
        assert far.std() < 0.3 * picture.std()
        assert far.mean().item() == pytest.approx(0.5, abs=0.05)
