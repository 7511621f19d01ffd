"""The noise of references: what is stated, what is estimated, and what is left of it in the LR picture."""

import math
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from operators import dense

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.degradation import Bicubic, GaussianBlur
from multimodal_pulse.references import AlignedFaces, Folder, ImageFile, InMemory, alignment
from multimodal_pulse.references.noise import Noise, estimated_std, find_noise, gain
from multimodal_pulse.references.pixels import quantise, save_png

RESOLUTION, A = 32, Bicubic(4)


def smooth(height: int, width: int) -> torch.Tensor:
    """Slow waves in all three channels, from 0.3 to 0.7."""
    y, x = torch.meshgrid(torch.linspace(0, 1, height), torch.linspace(0, 1, width), indexing="ij")
    return torch.stack([0.5 + 0.2 * torch.sin(3 * x + phase + 2 * y) for phase in (0.0, 1.0, 2.0)])


def noisy(picture: torch.Tensor, std: float, seed: int = 0) -> torch.Tensor:
    noise = torch.randn(picture.shape, generator=torch.Generator().manual_seed(seed))
    return quantise(picture + std * noise)


class TestEstimate:
    @settings(max_examples=60, deadline=None)
    @given(
        std=st.floats(0.01, 0.12), height=st.integers(48, 160), width=st.integers(48, 160), seed=st.integers(0, 2**31)
    )
    def test_of_noise_on_a_smooth_picture(self, std: float, height: int, width: int, seed: int) -> None:
        assert estimated_std(noisy(smooth(height, width), std, seed)) == pytest.approx(std, rel=0.15)

    @pytest.mark.parametrize("std", [0.02, 0.05, 0.1])
    def test_of_pictures_of_16_pixels_on_average(self, std: float) -> None:
        found = [estimated_std(noisy(smooth(16, 16), std, seed)) for seed in range(64)]
        assert sum(found) / len(found) == pytest.approx(std, rel=0.05)
        assert max(abs(value - std) for value in found) < 0.35 * std

    def test_edges_do_not_count_as_noise(self) -> None:
        picture = smooth(64, 64)
        picture[:, ::16] = 0.9  # lines over a sixteenth of the rows, which three rows of responses see
        assert estimated_std(noisy(picture, 0.03)) == pytest.approx(0.03, rel=0.3)

    def test_clipped_pixels_are_left_out(self) -> None:
        picture = smooth(64, 64)
        picture[:, :48] = 2.0
        assert estimated_std(noisy(picture, 0.03)) == pytest.approx(0.03, rel=0.15)

    @pytest.mark.parametrize("picture", [smooth(64, 64), torch.ones(3, 20, 20), torch.rand(3, 2, 9)])
    def test_nothing_where_there_is_none_to_see(self, picture: torch.Tensor) -> None:
        assert estimated_std(picture) < 1e-3


class TestGain:
    @pytest.mark.parametrize("degradation", [Bicubic(4), Bicubic(8), GaussianBlur(2.0, 4)])
    def test_is_the_root_of_the_mean_squared_row(self, degradation) -> None:
        matrix = dense(degradation, (3, RESOLUTION, RESOLUTION))
        expected = math.sqrt(float(matrix.square().sum() / len(matrix)))
        assert gain(degradation, (3, RESOLUTION, RESOLUTION)) == pytest.approx(expected, rel=0.1)


class TestWord:
    @pytest.mark.parametrize("word", ["auto", "estimate"])
    def test_two_words_estimate(self, word: str) -> None:
        assert find_noise(word)(noisy(smooth(64, 64), 0.05), lambda x: x).source == "estimated"

    def test_a_number_is_taken_and_none_is_no_noise(self) -> None:
        for number, expected in ((0.05, Noise(0.05, "given")), (0, Noise()), (None, Noise())):
            assert find_noise(number)(smooth(8, 8), A) == expected

    @pytest.mark.parametrize("word", ["much", -0.1, 10, math.nan, True, [0.1]])
    def test_anything_else_is_refused(self, word) -> None:
        with pytest.raises(UserError, match=r"references\.noise_std=.*ten grey levels are 0\.039"):
            find_noise(word)


class TestReferences:
    def test_a_number_holds_for_the_lr_picture_whatever_it_is_made_of(self, tmp_path: Path) -> None:
        save_png(smooth(64, 64), tmp_path / "large.png")
        save_png(smooth(16, 16), tmp_path / "small.png")
        references = Folder(RESOLUTION, A, tmp_path, noise_std=0.03)
        assert [reference.noise for reference in references] == [Noise(0.03, "given")] * 2
        assert any("references.noise_std=0.03" in notice for notice in references.notices)

    @pytest.mark.parametrize("side", [8, 16, 32, 128])
    def test_an_estimate_is_what_is_left_in_the_lr_picture(self, tmp_path: Path, side: int) -> None:
        clean = smooth(side, side)
        save_png(clean, tmp_path / "clean.png")
        expected = ImageFile(RESOLUTION, A, tmp_path / "clean.png")[0].lr
        errors, estimates = [], []
        for seed in range(12):
            save_png(noisy(clean, 0.08, seed), tmp_path / "noisy.png")
            (reference,) = ImageFile(RESOLUTION, A, tmp_path / "noisy.png", noise_std="estimate")
            assert reference.noise.source == "estimated"
            errors.append((reference.lr - expected).square().mean())
            estimates.append(reference.noise.std)
        assert sum(estimates) / 12 == pytest.approx(float(torch.stack(errors).mean().sqrt()), rel=0.2)

    def test_an_array_has_the_noise_of_its_file(self, tmp_path: Path) -> None:
        save_png(noisy(smooth(64, 64), 0.05), tmp_path / "a.png")
        (of_file,) = ImageFile(RESOLUTION, A, tmp_path / "a.png", noise_std="estimate")
        (given,) = InMemory(RESOLUTION, A, noisy(smooth(64, 64), 0.05), noise_std="estimate")
        assert given.noise == of_file.noise and given.noise.std > 0

    def test_a_face_has_the_noise_of_its_part_of_the_photograph(self, tmp_path: Path, monkeypatch) -> None:
        clean, frame = smooth(120, 160), alignment.Frame(100, 60, 64, 20)
        monkeypatch.setattr(alignment, "find_faces", lambda picture: [frame])
        picture = noisy(clean, 0.08)
        picture[:, :, :40] = torch.rand(3, 120, 40)
        save_png(picture, tmp_path / "a.png")
        save_png(clean, tmp_path / "b.png")
        files = Folder(RESOLUTION, A, tmp_path, align="ffhq", noise_std="estimate")
        dirty, plain = AlignedFaces(files, RESOLUTION, A)
        assert plain.noise.std < 1e-3
        assert dirty.noise.std == pytest.approx(float((dirty.lr - plain.lr).square().mean().sqrt()), rel=0.2)
