"""Which faces of which pictures become references; what the aligner itself finds is tested in tests/domains/faces."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.degradation.bicubic import Bicubic
from multimodal_pulse.domains.faces import Frame, cut_out
from multimodal_pulse.references import AlignedFaces, Folder, ImageFile, alignment
from multimodal_pulse.references.alignment import Align, is_framed
from multimodal_pulse.references.pixels import load_rgb, quantise, save_png

RESOLUTION, A = 32, Bicubic(4)


@pytest.fixture
def finder(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[int, list[Frame]]], None]:
    """Sets the frames that are found in pictures of each width."""

    def found(frames: dict[int, list[Frame]]) -> None:
        monkeypatch.setattr(alignment, "find_faces", lambda picture: frames.get(picture.shape[-1], []))

    return found


def picture_file(folder: Path, name: str, width: int, height: int = 48) -> Path:
    """A file of random pixels."""
    save_png(torch.rand(3, height, width, generator=torch.Generator().manual_seed(width)), folder / name)
    return folder / name


def aligned(path: Path, align: str = "ffhq") -> AlignedFaces:
    source = Folder if path.is_dir() else ImageFile
    return AlignedFaces(source(RESOLUTION, A, path, align=align), RESOLUTION, A)


class TestChoice:
    @pytest.mark.parametrize(
        ("align", "knows", "expected"),
        [
            ("auto", "photographs/faces", True),
            ("auto", "photographs", False),
            ("auto", "rendered portraits", False),
            ("auto", None, False),
            ("ffhq", None, True),
            ("none", "photographs/faces", False),
        ],
    )
    def test_auto_follows_the_generators_domain(self, align: str, knows: str | None, expected: bool) -> None:
        assert Align.of(align).wanted(knows) is expected

    def test_another_word_is_refused(self, tmp_path: Path) -> None:
        path = picture_file(tmp_path, "a.png", 48)
        with pytest.raises(UserError, match=r"references\.align=dlib must be one of auto, ffhq, none\."):
            ImageFile(RESOLUTION, A, path, align="dlib")


class TestAlignedFaces:
    def test_every_face_is_a_reference_and_a_picture_without_one_goes_on(self, tmp_path: Path, finder) -> None:
        group = picture_file(tmp_path, "group.png", 90)
        empty = picture_file(tmp_path, "hill.png", 50)
        frames = [Frame(20, 24, 20, 5), Frame(60, 25, 40, -30)]
        finder({90: frames})
        references = aligned(tmp_path)
        assert references.names == ["group-face0", "group-face1", "hill"]
        assert references.files == {"group-face0": group, "group-face1": group, "hill": empty}
        for reference, frame in zip(references, frames, strict=False):
            square = quantise(cut_out(load_rgb(group), frame, RESOLUTION))
            assert torch.equal(reference.lr, quantise(A(square)))
            assert reference.aligned is not None and reference.aligned.frame == frame
        assert references[0].hr is None  # its frame has 20 pixels
        assert torch.equal(references[1].hr, quantise(cut_out(load_rgb(group), frames[1], RESOLUTION)))
        assert references[2].aligned is None
        assert torch.equal(references[2].hr, ImageFile(RESOLUTION, A, empty)[0].hr)

    def test_says_what_was_done(self, tmp_path: Path, finder) -> None:
        picture_file(tmp_path, "group.png", 90)
        empty = picture_file(tmp_path, "hill.png", 48)
        finder({90: [Frame(20, 24, 20), Frame(60, 25, 40)]})
        references = aligned(tmp_path)
        references.check(range(3))
        done, missing = references.notices
        assert done.startswith("2 faces were found") and "references.align=none" in done
        assert missing == f"no face was found in {empty}: it is used without alignment."

    def test_notices_of_pictures_that_go_on_are_not_lost(self, tmp_path: Path, finder) -> None:
        path = picture_file(tmp_path, "hill.png", 60)
        finder({})
        references = aligned(path)
        references.check([0])
        assert any("60 x 48" in notice for notice in references.notices)

    @pytest.mark.parametrize(("align", "names"), [("auto", ["ada"]), ("ffhq", ["ada-face0"])])
    def test_auto_leaves_a_framed_picture_alone(self, tmp_path: Path, finder, align: str, names: list[str]) -> None:
        path = picture_file(tmp_path, "ada.png", 48)
        finder({48: [Frame(24.5, 23.5, 50, 1)]})
        references = aligned(path, align)
        assert references.names == names
        assert ("1 face was found" in " ".join(references.notices)) is (align == "ffhq")

    def test_a_file_may_have_the_name_of_a_face(self, tmp_path: Path, finder) -> None:
        picture_file(tmp_path, "a.png", 90)
        picture_file(tmp_path, "A-Face0.png", 50)
        finder({90: [Frame(20, 24, 20)]})
        assert sorted(aligned(tmp_path).names) == ["A-Face0", "a-face0_"]

    def test_broken_files_are_named(self, tmp_path: Path) -> None:
        whole = picture_file(tmp_path, "a.png", 90).read_bytes()
        for name in ("b.png", "c.png"):
            (tmp_path / name).write_bytes(whole[: len(whole) // 2])
        with pytest.raises(UserError, match=r"b\.png cannot be read.*c\.png cannot be read"):
            aligned(tmp_path)

    def test_the_record_tells_the_frame(self, tmp_path: Path, finder) -> None:
        path = picture_file(tmp_path, "a.png", 90)
        finder({90: [Frame(20, 24, 20, 0, 0.75)]})
        (reference,) = aligned(path)
        assert reference.aligned is not None
        assert reference.aligned.as_dict() == {
            "corners": [[10, 14], [30, 14], [30, 34], [10, 34]],
            "side": 20,
            "roll_degrees": 0,
            "score": 0.75,
        }


class TestIsFramed:
    SQUARE, WIDE = torch.zeros(3, 100, 100), torch.zeros(3, 100, 160)

    @pytest.mark.parametrize(
        ("faces", "picture", "expected"),
        [
            ([Frame(50, 50, 100)], SQUARE, True),
            ([Frame(53, 48, 108, -3)], SQUARE, True),
            ([Frame(60, 50, 100)], SQUARE, False),
            ([Frame(50, 50, 60)], SQUARE, False),
            ([Frame(50, 50, 100, 9)], SQUARE, False),
            ([Frame(50, 50, 100), Frame(90, 90, 20)], SQUARE, False),
            ([], SQUARE, False),
            ([Frame(80, 50, 100)], WIDE, False),
        ],
    )
    def test_is_one_face_whose_frame_is_the_picture(
        self, faces: list[Frame], picture: torch.Tensor, expected: bool
    ) -> None:
        assert is_framed(faces, picture) is expected
