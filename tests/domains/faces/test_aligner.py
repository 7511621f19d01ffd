"""The aligner as shipped, on pictures that need not be downloaded, and on kept-out portraits where they are there."""

import math
from pathlib import Path

import pytest
import torch
from composed import kept_out_portrait, placed
from safetensors.torch import load_file

from multimodal_pulse.domains.faces import Frame, find_faces
from multimodal_pulse.domains.faces.aligner import WEIGHTS, distinct
from multimodal_pulse.domains.faces.networks import STRIDE, Aligner, places
from multimodal_pulse.references.pixels import load_rgb


@pytest.fixture(scope="module")
def portrait() -> torch.Tensor:
    """A portrait of somebody whom no training has seen."""
    return kept_out_portrait()


class TestFile:
    def test_holds_every_weight_in_half_precision_and_less_than_a_megabyte(self) -> None:
        tensors = load_file(WEIGHTS)
        missing, unexpected = Aligner().load_state_dict(tensors, strict=False)
        assert not unexpected
        assert all(name.endswith("num_batches_tracked") for name in missing)  # counts of the training
        assert {tensor.dtype for tensor in tensors.values()} == {torch.float16}
        assert all(bool(tensor.isfinite().all()) for tensor in tensors.values())
        assert WEIGHTS.stat().st_size < 1_000_000


class TestDistinct:
    def test_keeps_the_best_frame_of_each_face(self) -> None:
        frames = [Frame(10, 10, 30, score=0.6), Frame(12, 11, 26, score=0.9), Frame(50, 10, 30, score=0.5)]
        assert distinct(frames) == [frames[1], frames[2]]

    def test_a_small_frame_in_the_middle_of_a_large_one_is_no_second_face(self) -> None:
        frames = [Frame(50, 50, 100, score=0.9), Frame(60, 55, 20, score=0.8)]
        assert distinct(frames) == frames[:1]

    def test_frames_of_other_sizes_may_count_as_others(self) -> None:
        frames = [Frame(50, 50, 100, score=0.9), Frame(52, 50, 95, score=0.8), Frame(50, 50, 70, score=0.7)]
        assert distinct(frames, 0.15, scale=1.2) == [frames[0], frames[2]]


def test_places_are_the_middles_of_the_detectors_squares() -> None:
    assert places(2, 3)[1, 2].tolist() == [2.5 * STRIDE, 1.5 * STRIDE]


class TestFindFaces:
    @pytest.mark.parametrize("size", [(8, 8), (9, 200), (64, 64), (120, 90)])
    def test_nothing_in_a_plain_picture_of_any_shape(self, size: tuple[int, int]) -> None:
        assert find_faces(torch.full((3, *size), 0.4)) == []

    def test_nothing_in_noise(self) -> None:
        noise = torch.rand(3, 160, 200, generator=torch.Generator().manual_seed(0))
        assert find_faces(noise) == []

    @pytest.mark.parametrize(
        "frame", [Frame(60, 50, 24), Frame(90, 66, 48, 30), Frame(70, 60, 40, -45), Frame(80, 64, 100, 10)]
    )
    def test_finds_a_frame_where_it_was_put(self, portrait: torch.Tensor, frame: Frame) -> None:
        (found,) = find_faces(placed(portrait, frame, 128, 160))
        assert math.dist((found.x, found.y), (frame.x, frame.y)) < 0.1 * frame.side
        assert abs(math.log(found.side / frame.side)) < 0.15
        assert abs(found.roll - frame.roll) < 8

    def test_several_from_left_to_right(self, portrait: torch.Tensor) -> None:
        picture = placed(portrait, Frame(120, 50, 40, 12), 100, 160)
        left = placed(portrait, Frame(40, 45, 36, -20), 100, 160)
        picture[:, :, :80] = left[:, :, :80]
        found = find_faces(picture)
        assert [round(f.x / 40) for f in found] == [1, 3]

    def test_an_aligned_portrait_is_its_own_frame(self, portrait: torch.Tensor) -> None:
        (found,) = find_faces(portrait)
        assert math.dist((found.x, found.y), (64, 64)) < 0.06 * 128
        assert abs(math.log(found.side / 128)) < 0.15
        assert abs(found.roll) < 5

    def test_a_photograph_from_elsewhere(self) -> None:
        matplotlib = pytest.importorskip("matplotlib", reason="its sample photograph is needed")
        file = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
        found = max(find_faces(load_rgb(file)), key=lambda frame: frame.score)
        # Grace Hopper; by her eyes and mouth, read off by hand, FFHQ's frame is about (256, 217) and 332.
        assert math.dist((found.x, found.y), (256, 217)) < 0.1 * 332
        assert abs(math.log(found.side / 332)) < 0.15
        assert abs(found.roll) < 8
