"""Samples pasted back into the photograph from which their reference was cut out."""

import math
from functools import partial
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from multimodal_pulse.degradation.bicubic import Bicubic
from multimodal_pulse.domains.faces import Frame, cut_out
from multimodal_pulse.metrics.functional import psnr
from multimodal_pulse.references import Reference
from multimodal_pulse.references.alignment import Aligned
from multimodal_pulse.references.pixels import from_pil, load_rgb, quantise, save_png
from multimodal_pulse.results.pictures import photograph
from multimodal_pulse.results.pictures.photograph import enlarged, enlargement, inside, pasted, photographs, with_sample

A = Bicubic(8)


def soft(height: int, width: int, seed: int = 0) -> torch.Tensor:
    """Something like a photograph: noise without its fine detail, [3, height, width]."""
    noise = torch.rand(1, 3, height // 6, width // 6, generator=torch.Generator().manual_seed(seed))
    return F.interpolate(noise, size=(height, width), mode="bicubic", align_corners=False)[0].clamp(0, 1)


def another(square: torch.Tensor, seed: int = 1) -> torch.Tensor:
    """A picture that differs from a square [3, R, R] but has the same reference: detail of another one in it."""
    noise = torch.randn(1, *square.shape, generator=torch.Generator().manual_seed(seed))
    detail = 0.2 * F.avg_pool2d(noise, 3, stride=1, padding=1)[0]
    return square + detail - A.pseudo_inverse(A(detail))


def steps(picture: torch.Tensor, frame: Frame, at: float) -> torch.Tensor:
    """Differences between neighbours across the square with `at` times the side of the frame."""
    ends = []
    for scale in (at - 1 / frame.side, at + 1 / frame.side):
        corners = frame.grown(scale).corners()
        for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
            t = torch.linspace(0.05, 0.95, 60)
            places = torch.stack([x0 + t * (x1 - x0), y0 + t * (y1 - y0)], dim=-1)
            height, width = picture.shape[-2:]
            grid = places / torch.tensor([width, height]) * 2 - 1
            ends.append(F.grid_sample(picture[None], grid[None, None], align_corners=False)[0, :, 0])
    return (torch.cat(ends[:4], dim=1) - torch.cat(ends[4:], dim=1)).abs()


class TestPasted:
    @pytest.mark.parametrize("roll", [0.0, 33.0])
    def test_the_photograph_stays_outside_the_frame_and_the_sample_fills_its_middle(self, roll: float) -> None:
        picture, frame = soft(150, 180), Frame(90, 70, 64, roll)
        result = pasted(picture, frame, torch.zeros(3, 64, 64))
        uv = inside(frame, 0, 0, 180, 150).abs().amax(dim=-1)
        assert torch.equal(result[:, uv > 1], picture[:, uv > 1])
        assert result[:, uv < 0.69].abs().max() < 1e-6
        assert not torch.equal(result, picture)

    def test_what_was_cut_out_goes_back_to_where_it_was(self) -> None:
        picture, frame = soft(120, 120), Frame(60, 55, 64, 20)
        result = pasted(picture, frame, cut_out(picture, frame, 64))
        assert psnr(result[None], picture[None]).item() > 38

    @pytest.mark.parametrize("roll", [0.0, 25.0])
    def test_no_step_at_the_border_is_larger_than_those_inside(self, roll: float) -> None:
        picture, frame = soft(300, 300), Frame(150, 140, 128, roll)
        result = pasted(picture, frame, another(cut_out(picture, frame, 128)))
        assert steps(result, frame, 1.0).mean() <= steps(result, frame, 0.5).mean()
        added = result - picture
        assert steps(added, frame, 1.0).max() <= 0.1 * steps(added, frame, 0.5).max()

    @pytest.mark.parametrize("factor", [1, 3])
    def test_the_photograph_still_has_the_same_reference(self, factor: int) -> None:
        picture, frame = soft(300 // factor, 300 // factor), Frame(150 / factor, 140 / factor, 128 / factor, 25)
        large = enlarged(picture, factor)
        square = cut_out(picture, frame, 128)
        sample = another(square)
        result = with_sample(large, frame.scaled(factor), sample, A)
        assert psnr(result[None], large[None]).item() < 35  # the sample shows something else
        seen = A(cut_out(result, frame.scaled(factor), 128))
        assert psnr(quantise(seen)[None], quantise(A(square))[None]).item() > 50

    def test_a_frame_that_leaves_the_photograph(self) -> None:
        picture = soft(60, 60)
        result = pasted(picture, Frame(5, 30, 40, 10), torch.ones(3, 32, 32))
        assert result.shape == picture.shape
        assert result[0, 30, 5].item() == pytest.approx(1)
        assert torch.equal(result[:, :, 32:], picture[:, :, 32:])


class TestEnlargement:
    @pytest.mark.parametrize(("side", "factor"), [(20.0, 7), (64.0, 2), (65.0, 2), (128.0, 1), (300.0, 1)])
    def test_keeps_every_pixel_of_the_sample(self, side: float, factor: int) -> None:
        assert enlargement(soft(60, 60), Frame(30, 30, side), 128) == factor

    def test_ends_at_the_most_pixels(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(photograph, "MOST_PIXELS", 4 * 60 * 60 + 1)
        assert enlargement(soft(60, 60), Frame(30, 30, 10), 128) == 2
        monkeypatch.setattr(photograph, "MOST_PIXELS", 60)
        assert enlargement(soft(60, 60), Frame(30, 30, 10), 128) == 1

    def test_positions_scale_with_the_photograph(self) -> None:
        picture = soft(60, 60)
        large = enlarged(picture, 3)
        assert large.shape == (3, 180, 180)
        frame = Frame(30, 28, 24, 15)
        assert psnr(cut_out(large, frame.scaled(3), 24)[None], cut_out(picture, frame, 24)[None]).item() > 30


class TestPhotographs:
    def test_one_for_each_sample_that_is_a_picture(self, tmp_path: Path) -> None:
        picture, frame = quantise(soft(60, 72)), Frame(36, 30, 32, -20)
        save_png(picture, tmp_path / "group.png")
        square = cut_out(picture, frame, 64)
        reference = Reference(
            "group-face0", A(square), None, aligned=Aligned(frame, partial(load_rgb, tmp_path / "group.png"))
        )
        samples = torch.stack([square, torch.full_like(square, math.nan), 1 - square])
        found = photographs(reference, samples, A)
        assert list(found) == ["photo_00.png", "photo_02.png"]
        assert {page.size for page in found.values()} == {(144, 120)}
        expected = with_sample(enlarged(picture, 2), frame.scaled(2), 1 - square, A)
        assert torch.equal(from_pil(found["photo_02.png"]), quantise(expected))

    def test_nothing_for_a_reference_that_was_not_aligned(self) -> None:
        assert photographs(Reference("a", torch.zeros(3, 8, 8), None), torch.zeros(1, 3, 64, 64), A) == {}
