"""CelebAMask-HQ: the right images out of 30,000, and what is said about a release that is not whole."""

import os
import random
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import PIL.ImageFile
import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st
from picture_files import encoded, smooth_pixels
from PIL import Image
from places import CONF, SHARED

from multimodal_pulse.base.errors import MOST_LISTED, UserError, listed
from multimodal_pulse.degradation.bicubic import Bicubic
from multimodal_pulse.degradation.resize import bicubic_resize
from multimodal_pulse.references import CelebAHQ, Reference, celeba_hq
from multimodal_pulse.references.celeba_release import HEADER, IMAGES, MAPPING, PARTITION_FILE
from multimodal_pulse.references.picture_files import size_and_format
from multimodal_pulse.references.pixels import load_rgb, quantise

RESOLUTION = 32
DEGRADATION = Bicubic(4)
SHARED_FACES = SHARED / "faces"
SIZES = {"train": 24183, "validation": 2993, "test": 2824}


def rows_of(originals: Sequence[int]) -> list[str]:
    """The lines of a mapping in which the image at position idx is CelebA's file of that number."""
    return [f"{idx:<11d}{number - 1:<12d}{number:06d}.jpg" for idx, number in enumerate(originals)]


def write_mapping(folder: Path, rows: Sequence[str]) -> None:
    (folder / MAPPING).write_text("\n".join([HEADER, *rows]) + "\n")


def write_partitions(path: Path, partitions: Mapping[int, int], ending: str = "\n") -> None:
    lines = "".join(f"{number:06d}.jpg {partitions[number]}{ending}" for number in sorted(partitions))
    path.write_bytes(lines.encode())


def jpeg(side: int = 64, seed: int = 0, height: int | None = None) -> bytes:
    """A small JPEG whose bytes differ from seed to seed."""
    picture = Image.fromarray(smooth_pixels(height or side, side))
    return encoded(picture, "JPEG", quality=95, comment=b"%d" % seed)


def image(folder: Path, idx: int) -> Path:
    return folder / IMAGES / f"{idx}.jpg"


def check_pair(reference: Reference, expected_hr: torch.Tensor) -> None:
    """hr has the expected 8-bit values, and lr is what the degradation makes of *them*, in 8 bits."""
    assert reference.hr is not None
    assert torch.equal(reference.hr, quantise(expected_hr))
    assert torch.equal(reference.lr, quantise(DEGRADATION(reference.hr)))


# --- a release in which every picture is tiny ----------------------------------------------------------------------


NUMBERS = range(2, 30_002)
"""Of the originals. Each is in a random partition, with the release's totals, and files 1 and 30001 in the same one: so
whoever takes orig_idx for the number of the file gets the same totals."""


@pytest.fixture(scope="module")
def release() -> Iterator[Path]:
    draws = random.Random(0)
    memory = Path("/dev/shm")  # where there is one: a busy disk takes minutes over so many files
    folder = Path(tempfile.mkdtemp(dir=memory if os.access(memory, os.W_OK) else None))
    codes = [code for code, size in enumerate(SIZES.values()) for _ in range(size)]
    draws.shuffle(codes)
    partitions = dict.fromkeys(range(1, 202_600), 0) | dict(zip(NUMBERS, codes, strict=True))
    partitions[1] = partitions[30_001]
    write_partitions(folder / PARTITION_FILE, partitions, ending="\r\n")
    originals = list(NUMBERS)
    draws.shuffle(originals)
    write_mapping(folder, rows_of(originals))
    (folder / IMAGES).mkdir()
    head, tail = jpeg(RESOLUTION, seed=123_456).split(b"123456")
    (folder / "train.jpg").write_bytes(jpeg(RESOLUTION))
    for idx, number in enumerate(originals):
        if partitions[number] == 0:  # one file with many names: links are made faster than files
            os.link(f"{folder}/train.jpg", f"{folder}/{IMAGES}/{idx}.jpg")
        else:
            image(folder, idx).write_bytes(b"%b%06d%b" % (head, idx, tail))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def test_split(release: Path) -> CelebAHQ:
    return CelebAHQ(RESOLUTION, DEGRADATION, release, SIZES)


def independently(folder: Path, code: str, shift: int = 0) -> list[str]:
    """The names of a partition, from the two lists alone; with `shift` 1 orig_idx is taken for the file's number."""
    listing = dict(line.split() for line in (folder / PARTITION_FILE).read_text().splitlines())
    rows = [row.split() for row in (folder / MAPPING).read_text().splitlines()[1:]]
    chosen = [int(idx) for idx, orig_idx, _ in rows if listing[f"{int(orig_idx) + 1 - shift:06d}.jpg"] == code]
    return [str(idx).rjust(5, "0") for idx in sorted(chosen)]


def test_exactly_the_right_images_of_30000_are_chosen(
    release: Path, test_split: CelebAHQ, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PIL.ImageFile.ImageFile, "__init__", lambda *_: pytest.fail("a picture was opened"))
    validation = CelebAHQ(RESOLUTION, DEGRADATION, release, SIZES, split="validation")
    for references, code, number in ((test_split, "2", 2824), (validation, "1", 2993)):
        assert references.names == independently(release, code) and len(references) == number
        assert references.notices == []
    assert not set(validation.names) & set(test_split.names)


def test_the_index_taken_for_the_number_of_the_file_gives_as_many_other_images(
    release: Path, test_split: CelebAHQ
) -> None:
    wrong = independently(release, "2", shift=1)
    assert len(wrong) == len(test_split) == 2824
    assert len(set(wrong) & set(test_split.names)) < 0.2 * 2824


def test_each_reference_is_its_own_file(release: Path, test_split: CelebAHQ) -> None:
    for index in (0, 1, 1000, 2823):
        own = image(release, int(test_split.names[index]))
        check_pair(test_split[index], load_rgb(own))


def test_broken_ones_among_many_are_named_and_no_other_is_lost(
    release: Path, test_split: CelebAHQ, capsys: pytest.CaptureFixture[str]
) -> None:
    """Missing, twice the same and corrupt, all at once."""
    names = test_split.names
    gone, first, empty, half, twin = (image(release, int(names[index])) for index in (3, 7, 10, 500, 2000))
    whole = {path: path.read_bytes() for path in (gone, empty, half, twin)}
    gone.unlink()
    empty.write_bytes(b"")
    half.write_bytes(whole[half][:-20])
    twin.write_bytes(first.read_bytes())
    try:
        with pytest.raises(UserError) as refused:
            CelebAHQ(RESOLUTION, DEGRADATION, release, SIZES)
        references = CelebAHQ(RESOLUTION, DEGRADATION, release, expected=None)
        unusable = references.unusable(range(len(references)))
    finally:
        for path, content in whole.items():
            path.write_bytes(content)

    assert "test has 2823 images instead of 2824" in str(refused.value) and f": {gone.name}." in str(refused.value)
    assert references.names == [name for index, name in enumerate(names) if index != 3]
    assert references.notices == [
        f"{release / IMAGES} lacks 1 image: {gone.name}; the run goes on without.",
        f"{release / IMAGES} has the same file several times: {first.name} = {twin.name}.",
    ]
    assert [references.names[index] for index in unusable] == [names[10], names[500]]
    assert str(empty) in unusable[9] and str(half) in unusable[499]
    assert "2823/2823" in capsys.readouterr().err


# --- ten images ------------------------------------------------------------------------------------------------------


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Ten images: originals 20 to 29 backwards; 0, 3, 6, 9 are in the test partition, 1, 4, 7 in the validation one."""
    codes = [2, 1, 0]
    originals = [29 - idx for idx in range(10)]
    write_mapping(tmp_path, rows_of(originals))
    write_partitions(tmp_path / PARTITION_FILE, {number: codes[idx % 3] for idx, number in enumerate(originals)})
    (tmp_path / IMAGES).mkdir()
    for idx in range(10):
        image(tmp_path, idx).write_bytes(jpeg(seed=idx))
    return tmp_path


WHOLE = {"train": 3, "validation": 3, "test": 4}


def opened(folder: Path, expected: Mapping[str, int | None] | None = WHOLE, **settings: object) -> CelebAHQ:
    return CelebAHQ(RESOLUTION, DEGRADATION, folder, expected, **settings)  # type: ignore[arg-type]


def refusal(folder: Path, expected: Mapping[str, int | None] | None = WHOLE, **settings: object) -> str:
    with pytest.raises(UserError) as refused:
        opened(folder, expected, **settings)
    assert "\n" not in str(refused.value)
    return str(refused.value)


class TestChoice:
    def test_by_rising_idx_reduced_and_degraded(self, small: Path) -> None:
        references = opened(small)
        assert references.names == ["00000", "00003", "00006", "00009"]
        for reference, idx in zip(references, (0, 3, 6, 9), strict=True):
            check_pair(reference, bicubic_resize(load_rgb(image(small, idx)), RESOLUTION, RESOLUTION))
        assert opened(small, split="validation").names == ["00001", "00004", "00007"]
        assert references.notices == []

    def test_the_order_of_the_lines_does_not_matter(self, small: Path) -> None:
        lines = (small / MAPPING).read_text().splitlines()
        write_mapping(small, lines[:0:-1])
        assert opened(small).names == ["00000", "00003", "00006", "00009"]

    @pytest.mark.parametrize("ending", ["\n", "\r\n"])
    @pytest.mark.parametrize("beginning", ["", "\ufeff"])
    def test_lists_from_any_system(self, small: Path, ending: str, beginning: str) -> None:
        for path in (small / MAPPING, small / PARTITION_FILE):
            text = beginning + path.read_text().rstrip("\n").replace("\n", ending)  # the last line ends with the file
            path.write_bytes(text.encode())
        assert opened(small).names == ["00000", "00003", "00006", "00009"]

    def test_limit_and_subset(self, small: Path) -> None:
        assert opened(small, limit=2).names == ["00000", "00003"]
        assert opened(small, limit=9).names == ["00000", "00003", "00006", "00009"]
        assert opened(small, subset=[9, 3, 6]).names == ["00003", "00006", "00009"]
        assert opened(small, subset=[9, 3, 6], limit=2).names == ["00003", "00006"]

    def test_bad_settings_are_refused(self, small: Path) -> None:
        assert refusal(small, limit=0).startswith("references.limit=0 must be at least 1")
        assert refusal(small, split="train").startswith("references.split=train must be one of validation, test")
        assert refusal(small, subset=[3, 4, 77]) == (
            "references.subset has idx that are not in references.split=test: 4 (validation), 77 (not in the mapping)."
        )
        assert refusal(small, subset=[3, 6, 3]) == "references.subset has 3 more than once."
        assert refusal(small, subset=[]).endswith("has no image of references.split=test within references.subset=[].")
        with pytest.raises(UserError, match="does not divide"):
            CelebAHQ(RESOLUTION, Bicubic(5), small, WHOLE)

    def test_the_list_of_partitions_may_lie_elsewhere(self, small: Path) -> None:
        (small / PARTITION_FILE).rename(small / "other.txt")
        assert len(opened(small, partition_file=small / "other.txt")) == 4
        assert refusal(small) == (
            f"{small / PARTITION_FILE} does not exist. It is part of CelebA (Eval/list_eval_partition.txt) and not of"
            " CelebAMask-HQ: put it beside the mapping, or give references.partition_file."
        )


def edit(path: Path, change: Callable[[list[str]], list[str]]) -> None:
    """Changes the lines of a list; the header of the mapping is the first."""
    path.write_text("\n".join(change(path.read_text().splitlines())) + "\n")


class TestLists:
    @pytest.mark.parametrize("expected", [WHOLE, None])
    @pytest.mark.parametrize("row", ["3 26", "x 26 000026.jpg", "3 26 000026.jpg 2", "-1 26 a.jpg", "\0"])
    def test_a_malformed_line_of_the_mapping(
        self, small: Path, row: str, expected: Mapping[str, int | None] | None
    ) -> None:
        edit(small / MAPPING, lambda lines: [*lines[:4], row, *lines[5:]])
        assert refusal(small, expected) == (
            f"{small / MAPPING}, line 5: {row!r} is not a line like 0 119613 119614.jpg."
        )

    @pytest.mark.parametrize("kept", [slice(1, None), slice(0, 0)])
    def test_a_mapping_without_its_header(self, small: Path, kept: slice) -> None:
        edit(small / MAPPING, lambda lines: lines[kept])
        assert refusal(small) == f"{small / MAPPING} must begin with the line idx orig_idx orig_file."

    def test_a_mapping_without_images(self, small: Path) -> None:
        edit(small / MAPPING, lambda lines: lines[:1])
        assert "has no usable line for 10 images: 0.jpg, " in refusal(small)
        assert refusal(small, None) == f"{small / IMAGES} has no image of references.split=test."

    @pytest.mark.parametrize(
        "row", ["000026.jpg", "000026.jpg 3", "000026.jpg,2", "000026.jpg 2 1", "image_id,partition"]
    )
    def test_a_malformed_line_of_the_partitions(self, small: Path, row: str) -> None:
        edit(small / PARTITION_FILE, lambda lines: [*lines[:6], row, *lines[7:]])
        assert refusal(small, None) == f"{small / PARTITION_FILE}, line 7: {row!r} is not a line like 000001.jpg 0."

    def test_a_file_in_two_partitions(self, small: Path) -> None:
        edit(small / PARTITION_FILE, lambda lines: [*lines, "000026.jpg 0"])
        assert refusal(small, None) == f"{small / PARTITION_FILE}, line 11: 000026.jpg has an earlier line."

    def test_repeated_lines_are_named(self, small: Path) -> None:
        more = ["9 20 000021.jpg", "3 25 000026.jpg", "3 50 000051.jpg", "30 25 000026.jpg"]
        edit(small / MAPPING, lambda lines: [*lines[:10], *more])
        repeats = (
            f"{small / MAPPING} repeats an idx or an orig_file: 9 000021.jpg (line 11), 3 000026.jpg (line 12),"
            " 3 000051.jpg (line 13), 30 000026.jpg (line 14)."
        )
        assert refusal(small) == f"{repeats} Correct the file; references.expected=null uses the images that are there."
        references = opened(small, None)
        assert references.names == ["00000", "00003", "00006"]  # idx 9 took the original of idx 8, the image before it
        assert repeats in references.notices

    def test_an_original_without_partition(self, small: Path) -> None:
        edit(small / PARTITION_FILE, lambda lines: [line for line in lines if "000026" not in line])
        said = f"{small / PARTITION_FILE} has no line for 000026.jpg (line 5) of {small / MAPPING}."
        assert refusal(small).startswith(f"{said} Correct the file; ")
        references = opened(small, None)
        assert references.names == ["00000", "00006", "00009"] and said in references.notices

    def test_a_folder_that_is_not_the_release(self, small: Path) -> None:
        for path in (small / IMAGES, small / "nowhere", small / MAPPING):
            assert refusal(path) == (
                f"references.path={path} must be the folder of CelebAMask-HQ, with {IMAGES} and {MAPPING}."
            )
        (small / MAPPING).unlink()
        assert refusal(small).startswith(f"references.path={small} must be the folder of CelebAMask-HQ")


class TestCounts:
    def test_the_option_file_has_the_releases(self) -> None:
        conf = CONF / "references" / "celeba_hq.yaml"
        assert yaml.safe_load(conf.read_text(encoding="utf-8"))["expected"] == SIZES
        assert sum(SIZES.values()) == 30_000

    def test_missing_images_are_named(self, small: Path) -> None:
        for idx in (4, 6, 3):
            image(small, idx).unlink()
        assert refusal(small) == (
            "CelebAMask-HQ: validation has 2 images instead of 3, test has 2 images instead of 4."
            f" {small / IMAGES} lacks 3 images: 3.jpg, 4.jpg, 6.jpg."
            " Complete the release; references.expected=null uses the images that are there."
        )
        references = opened(small, None)
        assert references.names == ["00000", "00009"]
        assert references.notices == [f"{small / IMAGES} lacks 2 images: 3.jpg, 6.jpg; the run goes on without."]
        assert opened(small, None, limit=2).names == ["00000", "00009"]

    def test_each_partition_has_a_number_of_its_own(self, small: Path) -> None:
        image(small, 2).unlink()
        assert "train has 2 images instead of 3" in refusal(small)
        assert len(opened(small, WHOLE | {"train": None})) == 4
        assert len(opened(small, WHOLE | {"train": 2})) == 4
        assert "test has 4 images instead of 5" in refusal(small, WHOLE | {"train": None, "test": 5})

    def test_the_numbers_are_those_of_the_split_not_of_the_trial(self, small: Path) -> None:
        image(small, 9).unlink()
        assert "lacks 1 image: 9.jpg." in refusal(small, limit=1)
        assert opened(small, None, subset=[3, 9]).notices == [
            f"{small / IMAGES} lacks 1 image: 9.jpg; the run goes on without."
        ]
        assert opened(small, None, subset=[3]).notices == []
        assert "has no image of references.split=test within" in refusal(small, None, subset=[9])

    def test_lines_that_the_mapping_lacks_are_named(self, small: Path) -> None:
        edit(small / MAPPING, lambda lines: [*lines[:4], *lines[5:10]])  # without 3, in the middle, and 9, at the end
        image(small, 3).unlink()
        assert refusal(small) == (
            f"CelebAMask-HQ: test has 2 images instead of 4. {MAPPING} has no usable line for 2 images: 3.jpg, 9.jpg."
            " Complete the release; references.expected=null uses the images that are there."
        )
        references = opened(small, None)
        assert references.names == ["00000", "00006"]
        assert references.notices == [f"{MAPPING} has no usable line for 1 image: 9.jpg, left out."]

    def test_wrong_partitions_with_nothing_missing(self, small: Path) -> None:
        edit(small / PARTITION_FILE, lambda lines: [line.replace("000026.jpg 2", "000026.jpg 1") for line in lines])
        assert refusal(small).startswith(
            "CelebAMask-HQ: validation has 4 images instead of 3, test has 3 images instead of 4. Complete the release"
        )

    def test_other_files_do_no_harm(self, small: Path) -> None:
        for name in (".DS_Store", "._3.jpg", "notes.txt", "3.jpg.part", "03.jpg"):
            (small / IMAGES / name).touch()
        assert opened(small).notices == []
        image(small, 10).write_bytes(jpeg(seed=10))
        references = opened(small)
        assert references.names == ["00000", "00003", "00006", "00009"]
        assert references.notices == [f"{MAPPING} has no usable line for 1 image: 10.jpg, left out."]

    def test_what_is_no_file_is_missing(self, small: Path) -> None:
        for idx in (0, 3):
            image(small, idx).unlink()
        image(small, 0).mkdir()
        image(small, 3).symlink_to(small / "nowhere.jpg")
        assert "lacks 2 images: 0.jpg, 3.jpg." in refusal(small)

    def test_of_many_some_are_named_and_the_others_counted(self) -> None:
        names = [f"{idx}.jpg" for idx in range(MOST_LISTED + 2)]
        assert listed(names) == ", ".join(names[:MOST_LISTED]) + " and 2 more"
        assert listed(names[:MOST_LISTED]) == ", ".join(names[:MOST_LISTED])


class TestBrokenImages:
    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"", "is not a PNG, JPEG or WebP picture, or its beginning is damaged"),
            (b"<html>404</html>", "is not a PNG, JPEG or WebP picture, or its beginning is damaged"),
            (jpeg()[:-1], "cannot be read, it is truncated or damaged"),
            (jpeg()[: len(jpeg()) // 2], "cannot be read, it is truncated or damaged"),
            (jpeg()[:30], "cannot be read|is not a PNG"),
            (encoded(Image.new("RGB", (64, 64)), "PNG"), "is a PNG picture, not a JPEG"),
            (jpeg(16), "is 16 x 16 pixels: square ones of at least the generator's 32 x 32 are needed"),
            (jpeg(64, height=48), "is 64 x 48 pixels: square ones of at least the generator's 32 x 32 are needed"),
        ],
        ids=["empty", "text", "end", "half", "header", "png", "small", "oblong"],
    )
    def test_each_kind_is_named_and_the_others_stay(self, small: Path, content: bytes, reason: str) -> None:
        image(small, 6).write_bytes(content)
        references = opened(small)
        assert references.names == ["00000", "00003", "00006", "00009"]
        references.check(range(4))
        ((index, said),) = references.unusable(range(4)).items()
        assert index == 2
        assert said.startswith(f"{image(small, 6)} ") and "\n" not in said
        assert re.search(reason, said)
        assert references.unusable([0, 1, 3]) == {}
        for usable in (0, 1, 3):
            assert references[usable].hr is not None

    def test_one_that_breaks_later_raises_when_its_turn_comes(self, small: Path) -> None:
        references = opened(small)
        assert references.unusable([1]) == {}
        image(small, 3).write_bytes(jpeg(16))
        with pytest.raises(UserError, match=r"3\.jpg is 16 x 16"):
            references[1]
        image(small, 3).unlink()
        with pytest.raises(UserError, match=r"3\.jpg does not exist"):
            references[1]
        assert references.unusable([0, 1]) == {1: f"{image(small, 3)} does not exist."}

    def test_identical_files_are_told(self, small: Path) -> None:
        shutil.copyfile(image(small, 9), image(small, 0))
        shutil.copyfile(image(small, 1), image(small, 4))  # in the other partition
        for idx in (3, 6):
            image(small, idx).write_bytes(b"")  # empty files are not pictures at all
        assert opened(small).notices == [f"{small / IMAGES} has the same file several times: 0.jpg = 9.jpg."]
        assert opened(small, subset=[0, 3, 6]).notices == []

    def test_only_files_of_equal_size_are_compared(self, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for idx in (0, 3, 6, 9):
            image(small, idx).write_bytes(jpeg() + bytes(idx // 6))
        compared: list[str] = []
        monkeypatch.setattr(celeba_hq, "file_sha256", lambda path: compared.append(path.name))
        opened(small, subset=[3, 6, 9])
        assert compared == ["6.jpg", "9.jpg"]

    def test_a_bar_for_many_and_none_for_few(
        self, small: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        opened(small).unusable(range(4))
        assert capsys.readouterr().err == ""
        monkeypatch.setattr(celeba_hq, "MANY", 4)
        opened(small).unusable(iter(range(4)))
        assert "checking the images: 100%" in capsys.readouterr().err


@given(data=st.data(), progressive=st.booleans(), gray=st.booleans(), cut=st.booleans())
def test_the_quick_check_finds_what_reading_would_refuse(
    data: st.DataObject, progressive: bool, gray: bool, cut: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    picture = Image.fromarray(smooth_pixels(40, 48)).convert("L" if gray else "RGB")
    content = bytearray(encoded(picture, "JPEG", progressive=progressive))
    position = data.draw(st.integers(0, len(content) - 1))
    if cut:
        del content[position:]
    else:
        content[position] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.jpg"
    path.write_bytes(content)
    try:
        height, width = load_rgb(path).shape[-2:]
    except UserError:
        with pytest.raises(UserError, match=re.escape(str(path))):
            size_and_format(path)
    else:
        assert size_and_format(path) == ((width, height), "JPEG")


@pytest.mark.skipif(not SHARED_FACES.is_dir(), reason="../shared/faces is missing")
def test_real_images_of_the_release(small: Path) -> None:
    (small / IMAGES / "0.jpg").write_bytes(next(SHARED_FACES.glob("celebahq_*.jpg")).read_bytes())
    references = CelebAHQ(256, Bicubic(8), small, None, subset=[0])
    assert references.unusable([0]) == {}
    hr = references[0].hr
    assert hr is not None and hr.shape == (3, 256, 256) and hr.std() > 0.1
