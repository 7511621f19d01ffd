"""The sources of references: what is an original, what is a reference, and what is refused."""

import os
import weakref
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import PIL.ImageFile
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from picture_files import encoded, png, random_pixels
from PIL import Image
from places import SHARED

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.degradation import Bicubic, Grayscale, Inpainting
from multimodal_pulse.degradation.resize import bicubic_resize
from multimodal_pulse.domains.portraits.factors import SPLITS
from multimodal_pulse.references import Folder, ImageFile, InMemory, Portraits, Reference, files
from multimodal_pulse.references.names import MAX_LENGTH, unique_names
from multimodal_pulse.references.pixels import Decoded, from_uint8, load, quantise

RESOLUTION = 32
DEGRADATION = Bicubic(4)
SHARED_FACES = SHARED / "faces"


FORMATS = {".png": "PNG", ".webp": "WEBP", ".jpg": "JPEG", ".jpeg": "JPEG", ".jpe": "JPEG", ".jfif": "JPEG"}


def picture_file(
    folder: Path, height: int, width: int, name: str = "photo.png", seed: int = 0
) -> tuple[Path, torch.Tensor]:
    """A file of random pixels, and what it holds as [3, H, W]."""
    pixels = random_pixels(height, width, seed)
    path = folder / name
    path.write_bytes(encoded(Image.fromarray(pixels), FORMATS[path.suffix.lower()]))
    return path, from_uint8(torch.from_numpy(pixels)).permute(2, 0, 1)


def check_pair(reference: Reference, expected_hr: torch.Tensor) -> None:
    """hr has the expected 8-bit values, and lr is what the degradation makes of *them*, in 8 bits."""
    assert reference.hr is not None
    assert torch.equal(reference.hr, quantise(expected_hr))
    assert torch.equal(reference.lr, quantise(DEGRADATION(reference.hr)))
    assert reference.hr.dtype == reference.lr.dtype == torch.float32
    assert reference.lr.shape == (3, RESOLUTION // 4, RESOLUTION // 4)


class TestReading:
    def test_the_generators_size_is_an_original(self, tmp_path: Path) -> None:
        path, pixels = picture_file(tmp_path, RESOLUTION, RESOLUTION)
        references = ImageFile(RESOLUTION, DEGRADATION, path)
        assert (len(references), references.names, references.notices) == (1, ["photo"], [])
        check_pair(references[0], pixels)

    @pytest.mark.parametrize("side", [64, 45])
    def test_a_larger_one_is_reduced_first(self, tmp_path: Path, side: int) -> None:
        path, pixels = picture_file(tmp_path, side, side)
        check_pair(ImageFile(RESOLUTION, DEGRADATION, path)[0], bicubic_resize(pixels, RESOLUTION, RESOLUTION))

    def test_reducing_by_a_whole_factor_is_the_degradation(self, tmp_path: Path) -> None:
        path, pixels = picture_file(tmp_path, 96, 96)
        check_pair(ImageFile(RESOLUTION, DEGRADATION, path)[0], Bicubic(3)(pixels))

    @pytest.mark.parametrize(("height", "width"), [(32, 41), (40, 32)])
    def test_the_middle_of_a_picture_that_is_not_square(self, tmp_path: Path, height: int, width: int) -> None:
        path, pixels = picture_file(tmp_path, height, width)
        references = ImageFile(RESOLUTION, DEGRADATION, path)
        top, left = (height - 32) // 2, (width - 32) // 2
        check_pair(references[0], pixels[:, top : top + 32, left : left + 32])
        _ = references[0]
        (notice,) = references.notices  # said once, although the picture was read twice
        assert str(path) in notice and f"{width} x {height}" in notice and "32 x 32" in notice

    def test_the_lr_size_is_a_reference(self, tmp_path: Path) -> None:
        path, pixels = picture_file(tmp_path, 8, 8)
        for as_ in ("auto", "lr"):
            (reference,) = ImageFile(RESOLUTION, DEGRADATION, path, as_=as_)
            assert reference.hr is None
            assert torch.equal(reference.lr, pixels)

    @pytest.mark.parametrize(
        ("as_", "height", "width", "accepted"),
        [
            ("auto", 7, 90, ": at least 8 on each side are needed."),
            ("lr", 9, 7, ": at least 8 on each side are needed."),
            ("hr", 8, 8, ", but references.as=hr takes originals of at least 32 x 32: give one, or choose "),
            ("hr", 31, 90, ", but references.as=hr takes originals of at least 32 x 32: give one, or choose "),
        ],
    )
    def test_other_sizes_are_refused(self, tmp_path: Path, as_: str, height: int, width: int, accepted: str) -> None:
        path, _ = picture_file(tmp_path, height, width)
        with pytest.raises(UserError) as error:
            ImageFile(RESOLUTION, DEGRADATION, path, as_=as_)
        assert str(error.value).startswith(f"{path} is {width} x {height} pixels{accepted}")

    def test_without_degradation_as_tells_original_from_reference(self, tmp_path: Path) -> None:
        path, pixels = picture_file(tmp_path, RESOLUTION, RESOLUTION)
        original = ImageFile(RESOLUTION, Bicubic(1), path)[0]
        assert original.hr is not None and torch.equal(original.hr, original.lr)
        reference = ImageFile(RESOLUTION, Bicubic(1), path, as_="lr")[0]
        assert reference.hr is None and torch.equal(reference.lr, pixels)

    def test_a_reference_becomes_one_that_the_degradation_can_give(self, tmp_path: Path) -> None:
        path, pixels = picture_file(tmp_path, RESOLUTION, RESOLUTION)
        gray = ImageFile(RESOLUTION, Grayscale(), path, as_="lr")[0]
        assert gray.hr is None and torch.equal(gray.lr[0], gray.lr[2])
        assert (gray.lr[0] - Grayscale()(pixels)[0]).abs().max() <= 0.5 / 255 + 1e-6
        hidden = ImageFile(RESOLUTION, Inpainting(), path, as_="lr")[0].lr
        middle = RESOLUTION // 2
        assert torch.equal(hidden[:, middle, middle], torch.zeros(3)) and torch.equal(hidden[:, 0], pixels[:, 0])

    def test_bad_settings_are_refused(self, tmp_path: Path) -> None:
        path, _ = picture_file(tmp_path, 32, 32)
        with pytest.raises(UserError, match="references.as=big must be one of auto, hr, lr"):
            ImageFile(RESOLUTION, DEGRADATION, path, as_="big")
        with pytest.raises(UserError, match="degradation.factor=5 does not divide"):
            ImageFile(RESOLUTION, Bicubic(5), path)


class TestFolder:
    def test_sorted_pictures_of_three_formats_and_nothing_else(self, tmp_path: Path) -> None:
        for name in ("b.PNG", "a.webp", "d.jpg", "c.jpeg", "e.jfif", "f.JPE", ".hidden.png"):
            picture_file(tmp_path, 32, 32, name)
        (tmp_path / "notes.txt").write_text("no picture")
        (tmp_path / "folder.png").mkdir()
        assert Folder(RESOLUTION, DEGRADATION, tmp_path).names == ["a", "b", "c", "d", "e", "f"]
        assert Folder(RESOLUTION, DEGRADATION, tmp_path, limit=2).names == ["a", "b"]
        assert Folder(RESOLUTION, DEGRADATION, tmp_path, limit=9).names == ["a", "b", "c", "d", "e", "f"]

    def test_numbers_are_in_the_order_of_their_values(self, tmp_path: Path) -> None:
        for name in (
            "img10.png",
            "img2.png",
            "Img1.png",
            "9.png",
            "10.png",
            "b.png",
            "img2b.png",
            "A.png",
            "img02.png",
        ):
            picture_file(tmp_path, 32, 32, name)
        assert Folder(RESOLUTION, DEGRADATION, tmp_path).names == [
            "9", "10", "A", "b", "Img1", "img02", "img2", "img2b", "img10",
        ]  # fmt: skip

    def test_what_is_not_read_is_named_and_counted(self, tmp_path: Path) -> None:
        picture_file(tmp_path, 32, 32, "good.png")
        for number in range(1, 7):
            (tmp_path / f"photo{number}.svg").write_bytes(b"\0")
        (tmp_path / "broken.png").symlink_to(tmp_path / "gone.png")
        (tmp_path / "broken").symlink_to("nowhere")
        (tmp_path / "album").mkdir()
        (tmp_path / ".DS_Store").write_bytes(b"\0")
        references = Folder(RESOLUTION, DEGRADATION, tmp_path)
        assert references.names == ["good"]
        assert references.notices == [
            f"in {tmp_path}, 8 files are left out: broken (a link to nothing), broken.png (a link to nothing),"
            " photo1.svg and 5 more; 1 folder is not entered (references.recursive=true does)."
        ]

    def test_a_link_to_a_picture_is_a_picture(self, tmp_path: Path) -> None:
        path, pixels = picture_file(tmp_path, 32, 32, "elsewhere.png")
        (tmp_path / "photos").mkdir()
        (tmp_path / "photos" / "link.png").symlink_to(path)
        references = Folder(RESOLUTION, DEGRADATION, tmp_path / "photos")
        assert (references.names, references.notices) == (["link"], [])
        check_pair(references[0], pixels)

    def test_the_folders_below_are_entered_if_that_is_asked_for(self, tmp_path: Path) -> None:
        (tmp_path / "trip10").mkdir()
        (tmp_path / "trip2" / "day 1").mkdir(parents=True)
        (tmp_path / ".thumbnails").mkdir()
        for name in ("b.png", "trip10/a.png", "trip2/a.png", "trip2/day 1/a.png", ".thumbnails/a.png"):
            picture_file(tmp_path, 32, 32, name)
        (tmp_path / "trip2" / "notes.txt").write_text("no picture")
        (tmp_path / "trip10" / "above").symlink_to(tmp_path)
        assert Folder(RESOLUTION, DEGRADATION, tmp_path).names == ["b"]
        references = Folder(RESOLUTION, DEGRADATION, tmp_path, recursive=True)
        assert references.names == ["b", "trip2_a", "trip2_day_1_a", "trip10_a"]
        assert references.notices == [f"in {tmp_path}, 1 file is left out: trip2/notes.txt."]
        for path in (tmp_path / "b.png", *tmp_path.glob(".thumbnails/*")):
            path.unlink()
        assert len(Folder(RESOLUTION, DEGRADATION, tmp_path, recursive=True)) == 3
        with pytest.raises(UserError, match=r"has no picture .* 2 folders are not entered"):
            Folder(RESOLUTION, DEGRADATION, tmp_path)

    def test_each_reference_is_its_files(self, tmp_path: Path) -> None:
        expected = [picture_file(tmp_path, 32, 32, f"{seed}.png", seed)[1] for seed in range(3)]
        references = Folder(RESOLUTION, DEGRADATION, tmp_path)
        for reference, name, pixels in zip(references, "012", expected, strict=True):
            assert reference.name == name
            check_pair(reference, pixels)

    def test_files_are_refused_by_their_headers_all_at_once(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        picture_file(tmp_path, 32, 32, "a.png")
        (tmp_path / "b.png").write_text("no picture")
        picture_file(tmp_path, 7, 9, "c.png")
        (tmp_path / "d.png").write_bytes(png(random_pixels(4, 4), color_type=2, size=(20_000, 20_000)))
        monkeypatch.setattr(PIL.ImageFile.ImageFile, "load", lambda picture: pytest.fail("decoded"))
        with pytest.raises(UserError) as error:
            Folder(RESOLUTION, DEGRADATION, tmp_path)
        said = str(error.value)
        assert f"{tmp_path / 'b.png'} is not a PNG" in said
        assert f"{tmp_path / 'c.png'} is 9 x 7 pixels: at least 8" in said
        assert f"{tmp_path / 'd.png'} has more than 268 million pixels" in said
        assert "a.png" not in said and "\n" not in said
        assert Folder(RESOLUTION, DEGRADATION, tmp_path, limit=1).names == ["a"]

    def test_of_many_useless_files_some_are_named_and_the_others_counted(self, tmp_path: Path) -> None:
        for number in range(8):
            picture_file(tmp_path, 5, 5, f"{number}.png")
        picture_file(tmp_path, 32, 32, "good.png")
        with pytest.raises(UserError) as error:
            Folder(RESOLUTION, DEGRADATION, tmp_path)
        assert [name for name in "01234567" if f"{name}.png" in str(error.value)] == ["0", "1", "2"]
        assert str(error.value).endswith(" 5 more of the 9 files cannot be used either.")

    def test_files_damaged_behind_the_header_are_found_by_a_check(self, tmp_path: Path) -> None:
        whole, _ = picture_file(tmp_path, 32, 32, "a.png")
        for name in ("b.png", "d.png"):
            (tmp_path / name).write_bytes(whole.read_bytes()[:500])
        picture_file(tmp_path, 32, 32, "c.png")
        references = Folder(RESOLUTION, DEGRADATION, tmp_path)
        references.check([0, 2])
        with pytest.raises(UserError, match=r"b\.png cannot be read.*d\.png cannot be read"):
            references.check(range(4))
        with pytest.raises(UserError, match=r"b\.png"):
            references[1]
        assert references[0].hr is not None and references[2].hr is not None

    def test_a_picture_that_is_read_at_a_smaller_size_is_said(self, tmp_path: Path) -> None:
        Image.new("L", (12000, 9000)).save(tmp_path / "large.png")
        references = Folder(RESOLUTION, DEGRADATION, tmp_path)
        references.check([0])
        assert references.notices == [
            f"{tmp_path / 'large.png'} has 108 million pixels and is read at 1/2 of its width and height.",
            f"{tmp_path / 'large.png'} is 12000 x 9000: its middle 9000 x 9000 is used.",
        ]

    def test_a_pipe_is_refused_and_not_waited_for(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe.png")
        with pytest.raises(UserError, match="pipe.png is no file but a pipe or a device"):
            ImageFile(RESOLUTION, DEGRADATION, tmp_path / "pipe.png")

    def test_a_check_keeps_no_picture(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for number in range(3):
            picture_file(tmp_path, 32, 32, f"{number}.png")
        alive = weakref.WeakSet[torch.Tensor]()
        before: list[int] = []

        def watched(path: Path, frame: Sequence[int] | None) -> Decoded:
            before.append(len(alive))
            picture = load(path, frame)
            alive.add(picture.rgb)
            return picture

        monkeypatch.setattr(files, "load", watched)
        Folder(RESOLUTION, DEGRADATION, tmp_path).check(range(3))
        assert before == [0, 0, 0] and len(alive) == 0

    def test_notices_of_several_pictures(self, tmp_path: Path) -> None:
        for name in ("a.png", "b.png"):
            picture_file(tmp_path, 32, 40, name)
        references = Folder(RESOLUTION, DEGRADATION, tmp_path)
        references.add_notice("Outside.")
        references.add_notice(None)
        references.check([1])
        assert len(references.notices) == 2 and "b.png is 40 x 32: its middle" in references.notices[1]
        for _ in range(2):
            for index in range(len(references)):
                references[index]
        assert len(references.notices) == 3

    def test_useless_folders_are_refused(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="has no picture"):
            Folder(RESOLUTION, DEGRADATION, tmp_path)
        with pytest.raises(UserError, match=r"references.path=.*absent does not exist"):
            Folder(RESOLUTION, DEGRADATION, tmp_path / "absent")
        path, _ = picture_file(tmp_path, 32, 32)
        with pytest.raises(UserError, match="is a file; references=image"):
            Folder(RESOLUTION, DEGRADATION, path)
        with pytest.raises(UserError, match="references.limit=0"):
            Folder(RESOLUTION, DEGRADATION, tmp_path, limit=0)

    @pytest.mark.skipif(not SHARED_FACES.is_dir(), reason="../shared/faces is missing")
    def test_real_photographs(self) -> None:
        references = Folder(256, Bicubic(8), SHARED_FACES)
        assert len(references) == 7 and references.names[-1] == "curie_1927"
        for reference in references:
            assert reference.hr is not None and reference.hr.shape == (3, 256, 256)
            assert torch.equal(reference.lr, quantise(Bicubic(8)(reference.hr)))
        assert references.notices == []


class TestNames:
    def test_equal_stems_get_their_type_then_a_number(self) -> None:
        paths = [Path(name) for name in ("a.jpg", "a.png", "A.webp", "b b.png", "b_b.png", "b?b.png", "a-png.png")]
        assert unique_names(paths) == ["a", "a-png2", "A-webp", "b_b-png", "b_b", "b_b-png2", "a-png"]

    def test_a_stem_that_can_be_a_name_is_the_name_of_its_own_file(self) -> None:
        assert unique_names([Path("a b.png"), Path("a_b.png")]) == ["a_b-png", "a_b"]
        assert unique_names([Path("a b.png"), Path("c.png")]) == ["a_b", "c"]
        assert unique_names([Path("a/b.png"), Path("a_b.png"), Path("a/c.png")]) == ["a_b-png", "a_b", "a_c"]
        long = MAX_LENGTH * "x"
        assert unique_names([Path(f"{long}yz.png"), Path(f"{long}.png")]) == [f"{long}-png", long]

    @given(st.lists(st.text(min_size=1), max_size=12), st.sampled_from([".png", ".JPG"]))
    def test_always_unique_and_safe(self, stems: list[str], suffix: str) -> None:
        names = unique_names(Path(stem.replace("/", ":") + suffix) for stem in stems)
        assert len({name.casefold() for name in names}) == len(names) == len(stems)
        for name in names:
            assert not set(name) & set('/\\:*?"<>|\0 \n')
            assert not name.startswith(".") and 0 < len(name.encode()) < 255


class TestInMemory:
    pixels = random_pixels(32, 32)
    expected = from_uint8(torch.from_numpy(pixels)).permute(2, 0, 1)

    @pytest.mark.parametrize(
        "kind", ["pillow", "uint8", "float32", "float64", "tensor", "batch", "tensor_uint8", "reversed"]
    )
    def test_every_kind_of_picture(self, kind: str) -> None:
        image = {
            "pillow": Image.fromarray(self.pixels),
            "uint8": self.pixels,
            "float32": (self.pixels / 255).astype(np.float32),
            "float64": self.pixels / 255,
            "tensor": self.expected.clone().requires_grad_(),
            "batch": self.expected[None],
            "tensor_uint8": torch.from_numpy(self.pixels).permute(2, 0, 1),
            "reversed": self.pixels[:, ::-1].copy()[:, ::-1],
        }[kind]
        references = InMemory(RESOLUTION, DEGRADATION, image)
        assert references.names == ["image"] and len(references) == 1
        check_pair(references[0], self.expected)
        assert not references[0].lr.requires_grad

    def test_paths_and_names(self, tmp_path: Path) -> None:
        path, pixels = picture_file(tmp_path, 32, 32, "my photo.png")
        for given_path in (path, str(path)):
            references = InMemory(RESOLUTION, DEGRADATION, given_path)
            assert references.names == ["my_photo"]
            check_pair(references[0], pixels)
        assert InMemory(RESOLUTION, DEGRADATION, path, name="a/b")[0].name == "a_b"
        assert ImageFile(RESOLUTION, DEGRADATION, path, name="a/b")[0].name == "a_b"

    def test_a_picture_that_pillow_opened_has_its_files_name(self, tmp_path: Path) -> None:
        path, pixels = picture_file(tmp_path, 32, 32, "my photo.png")
        for file in (path, str(path), str(path).encode()):
            with Image.open(file) as picture:
                references = InMemory(RESOLUTION, DEGRADATION, picture)
            assert references.names == ["my_photo"]
            check_pair(references[0], pixels)
        with Image.open(path) as picture:
            assert InMemory(RESOLUTION, DEGRADATION, picture.copy()).names == ["image"]
            assert InMemory(RESOLUTION, DEGRADATION, picture, name="ada").names == ["ada"]

    def test_gray_and_opacity(self) -> None:
        gray = self.pixels[:, :, 0]
        for image in (gray, gray[:, :, None], torch.from_numpy(gray)[None]):
            check_pair(InMemory(RESOLUTION, DEGRADATION, image)[0], self.expected[:1].expand(3, -1, -1))
        opacity = np.full((32, 32, 1), 51, dtype=np.uint8)
        reference = InMemory(RESOLUTION, DEGRADATION, np.concatenate([self.pixels, opacity], axis=2))[0]
        check_pair(reference, 0.2 * self.expected + 0.8)

    def test_a_small_one_is_a_reference_and_floats_are_rounded(self) -> None:
        lr = torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(0))
        reference = InMemory(RESOLUTION, DEGRADATION, lr)[0]
        assert reference.hr is None and torch.equal(reference.lr, quantise(lr))

    def test_cropping_is_said(self) -> None:
        references = InMemory(RESOLUTION, DEGRADATION, random_pixels(32, 40))
        references.check([0])
        assert "40 x 32" in references.notices[0]

    @pytest.mark.parametrize(
        ("image", "message"),
        [
            (torch.rand(32, 32, 3), r"\[32, 32, 3\].*first in a tensor"),
            (np.zeros((3, 32, 32), dtype=np.uint8), "last in an array"),
            (np.zeros(32), r"shape \[32\]"),
            (np.zeros((0, 0, 3), dtype=np.uint8), "no pixels"),
            (torch.rand(3, 0, 5), "no pixels"),
            (torch.rand(2, 3, 32, 32), r"\[2, 3, 32, 32\]"),
            (torch.full((3, 32, 32), 200.0), "floats must be in"),
            (torch.full((3, 32, 32), float("nan")), "floats must be in"),
            (np.zeros((32, 32, 3), dtype=np.int64), "int64"),
            (Image.new("F", (32, 32), 2.0), "the image has 32-bit numbers from 2 to 2 without a stated range"),
            (7, "type int"),
        ],
        ids=[
            "channels_last",
            "channels_first",
            "line",
            "empty_array",
            "empty_tensor",
            "two",
            "range",
            "nan",
            "integers",
            "floats",
            "number",
        ],  # fmt: skip
    )
    def test_others_are_refused(self, image: object, message: str) -> None:
        with pytest.raises(UserError, match=message):
            InMemory(RESOLUTION, DEGRADATION, image)  # pyright: ignore[reportArgumentType]


class TestPortraits:
    def test_pairs_with_names(self) -> None:
        references = Portraits(RESOLUTION, DEGRADATION, limit=2, split="validation")
        assert references.names == ["validation_000000", "validation_000001"]
        first, second = references
        for reference in (first, second):
            assert reference.hr is not None
            assert reference.hr.std() > 0.05
            check_pair(reference, reference.hr)
        assert (first.lr - second.lr).abs().max() > 0.1
        assert references.notices == []

    def test_the_limit_and_the_order_change_no_portrait(self) -> None:
        alone, several = Portraits(RESOLUTION, DEGRADATION, limit=1), Portraits(RESOLUTION, DEGRADATION, limit=3)
        _ = several[2]
        assert torch.equal(several[0].lr, alone[0].lr)

    def test_they_begin_at_any_portrait(self) -> None:
        later, all_of_them = (Portraits(RESOLUTION, DEGRADATION, limit=n, start=5 - n) for n in (2, 5))
        assert later.names == ["test_000003", "test_000004"] == all_of_them.names[3:]
        assert torch.equal(later[1].lr, all_of_them[4].lr)

    def test_splits_differ(self) -> None:
        test, validation = (Portraits(RESOLUTION, DEGRADATION, split=split)[0] for split in ("test", "validation"))
        assert (test.lr - validation.lr).abs().max() > 0.1

    def test_a_reference_becomes_one_that_the_degradation_can_give(self, tmp_path: Path) -> None:
        path, pixels = picture_file(tmp_path, RESOLUTION, RESOLUTION)
        gray = ImageFile(RESOLUTION, Grayscale(), path, as_="lr")[0]
        assert gray.hr is None and torch.equal(gray.lr[0], gray.lr[2])
        assert (gray.lr[0] - Grayscale()(pixels)[0]).abs().max() <= 0.5 / 255 + 1e-6
        hidden = ImageFile(RESOLUTION, Inpainting(), path, as_="lr")[0].lr
        middle = RESOLUTION // 2
        assert torch.equal(hidden[:, middle, middle], torch.zeros(3)) and torch.equal(hidden[:, 0], pixels[:, 0])

    def test_bad_settings_are_refused(self) -> None:
        with pytest.raises(UserError, match="references.split=train must be one of validation, test"):
            Portraits(RESOLUTION, DEGRADATION, split="train")
        for limit, shown in ((0, "0"), (None, "null"), (10**9, "1000000000")):
            with pytest.raises(UserError, match=f"references.limit={shown} must be a number"):
                Portraits(RESOLUTION, DEGRADATION, limit=limit)
        last = len(SPLITS["test"]) - 1
        for start in (-1, last + 1):
            with pytest.raises(UserError, match=f"references.start={start} must be the number of a portrait"):
                Portraits(RESOLUTION, DEGRADATION, start=start)
        with pytest.raises(UserError, match="references.limit=2 must be a number of portraits from 1 to 1"):
            Portraits(RESOLUTION, DEGRADATION, limit=2, start=last)
        with pytest.raises(UserError, match="does not divide"):
            Portraits(RESOLUTION, Bicubic(5))
