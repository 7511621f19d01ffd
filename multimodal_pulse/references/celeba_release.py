"""The CelebAMask-HQ release on the disk: which images there are, and of which of CelebA's partitions each one is.

CelebA-HQ (Karras et al., ICLR 2018) was made from 30,000 images of CelebA (Liu et al., ICCV 2015) and numbered anew;
its train, validation and test sets are those of the originals. The mapping gives each number its original by file name.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from multimodal_pulse.base.errors import UserError

IMAGES = "CelebA-HQ-img"
MAPPING = "CelebA-HQ-to-CelebA-mapping.txt"
PARTITION_FILE = "list_eval_partition.txt"
HEADER = ("idx", "orig_idx", "orig_file")
PARTITIONS = ("train", "validation", "test")
"""In the order of the numbers that CelebA gives them."""
MOST_LISTED = 10
"""Files that a sentence names; further ones are counted."""


@dataclass(frozen=True)
class Release:
    """What there is.

    Attributes:
        folder: where the images lie.
        present: for each partition, the idx of its images, rising.
        missing: for each partition, the idx of those that the mapping names and `folder` lacks, rising.
        left_out: sentences about lines of the mapping that could not be followed, and were not.
        remarks: sentences about oddities that change no partition.
        incomplete: a sentence about images that the mapping seems to lack; None: it has all from 0 on.
    """

    folder: Path
    present: Mapping[str, Sequence[int]]
    missing: Mapping[str, Sequence[int]]
    left_out: Sequence[str]
    remarks: Sequence[str]
    incomplete: str | None

    def partition_of(self, idx: int) -> str | None:
        """The partition of an image that the mapping names, present or missing; None: it names none such."""
        return next((name for name in PARTITIONS if idx in self.present[name] or idx in self.missing[name]), None)

    def file(self, idx: int) -> Path:
        """Where an image lies, or would."""
        return self.folder / f"{idx}.jpg"

    def require(self, expected: Mapping[str, int | None]) -> None:
        """Makes sure that the partitions have as many images as expected.

        Args:
            expected: the number for each partition; None: any.
        Raises:
            UserError: there are more or fewer, or lines of the mapping could not be followed; it says what is missing.
        """
        remedy = "references.expected=null takes what is there."
        if self.left_out:
            raise UserError(" ".join([*self.left_out, f"Mend the file; {remedy}"]))
        numbers = {name: len(self.present[name]) for name in PARTITIONS}
        wrong = [name for name in PARTITIONS if expected[name] not in (None, numbers[name])]
        if not wrong:
            return
        found = ", ".join(f"{name} has {numbers[name]} images instead of {expected[name]}" for name in wrong)
        causes = []
        if missing := sorted(idx for name in wrong for idx in self.missing[name]):
            causes.append(f"{self.folder} lacks {counted([f'{idx}.jpg' for idx in missing])}.")
        if self.incomplete:
            causes.append(self.incomplete)
        if not causes:
            causes.append(f"No image is missing, so {MAPPING} or the list of partitions is not the release's.")
        raise UserError(" ".join([f"CelebAMask-HQ: {found}.", *causes, f"Complete it; {remedy}"]))


def read_release(path: str | Path, partition_file: str | Path | None = None) -> Release:
    """Reads the lists of a release and looks which images are there; no image is opened.

    Args:
        path: the folder with the images' folder and the mapping.
        partition_file: CelebA's `list_eval_partition.txt`; None: beside the mapping.
    Raises:
        UserError: the folder, the mapping or the partitions are not there, or a line in them says nothing.
    """
    folder = _release_folder(Path(path).expanduser())
    mapping = folder / MAPPING
    if not mapping.is_file():
        raise UserError(f"{mapping} does not exist: it comes with CelebAMask-HQ and tells which image is whose.")
    partitions_path = Path(partition_file).expanduser() if partition_file is not None else folder / PARTITION_FILE
    if not partitions_path.is_file():
        raise UserError(
            f"{partitions_path} does not exist: CelebAMask-HQ comes without it and CelebA with it"
            f" (Eval/{PARTITION_FILE}); put it beside the mapping or give references.partition_file."
        )
    partitions = _read_partitions(partitions_path)
    on_disk = _images(folder / IMAGES)

    line_of_idx: dict[int, int] = {}
    line_of_original: dict[str, int] = {}
    present: dict[str, list[int]] = {name: [] for name in PARTITIONS}
    missing: dict[str, list[int]] = {name: [] for name in PARTITIONS}
    repeats, homeless, unusual = [], [], []
    for number, idx, original_idx, original in _read_mapping(mapping):
        if idx in line_of_idx:
            repeats.append(f"line {number} repeats the idx {idx} of line {line_of_idx[idx]}")
        elif original in line_of_original:
            repeats.append(f"line {number} repeats the orig_file {original} of line {line_of_original[original]}")
        elif original not in partitions:
            homeless.append(f"{original} (line {number})")
        elif f"{idx}.jpg" in on_disk:
            present[partitions[original]].append(idx)
        else:
            missing[partitions[original]].append(idx)
        line_of_idx.setdefault(idx, number)
        line_of_original.setdefault(original, number)
        stem = original.partition(".")[0]
        if stem.isdecimal() and int(stem) != original_idx + 1:
            unusual.append(f"line {number}")

    left_out, remarks = [], []
    if repeats:
        left_out.append(f"{mapping}: {listed(repeats)}.")
    if homeless:
        left_out.append(f"{partitions_path} has no line for {listed(homeless)} of {mapping}.")
    if unusual:
        remarks.append(f"{mapping}: orig_file is not orig_idx + 1 in {listed(unusual)}; orig_file decides.")
    unnamed = sorted(on_disk.difference(f"{idx}.jpg" for idx in line_of_idx), key=lambda name: (len(name), name))
    if unnamed:
        remarks.append(f"{folder / IMAGES} has, and {MAPPING} does not name, {counted(unnamed)}; left out.")
    gaps = [f"{idx}.jpg" for idx in range(max(line_of_idx)) if idx not in line_of_idx]
    gaps += [name for name in unnamed if name not in gaps]
    return Release(
        folder=folder / IMAGES,
        present={name: sorted(images) for name, images in present.items()},
        missing={name: sorted(images) for name, images in missing.items()},
        left_out=left_out,
        remarks=remarks,
        incomplete=f"{mapping} has no line for {counted(gaps)}." if gaps else None,
    )


def listed(names: Iterable[str], separator: str = ", ") -> str:
    """The first few, and how many more there are: `a, b and 3 more`."""
    names = list(names)
    first, more = separator.join(names[:MOST_LISTED]), len(names) - MOST_LISTED
    return first if more <= 0 else f"{first} and {more} more"


def counted(names: Sequence[str]) -> str:
    """How many images, and which: `2 images: a, b`."""
    return f"{len(names)} {'image' if len(names) == 1 else 'images'}: {listed(names)}"


def _release_folder(path: Path) -> Path:
    """`path`, if the images' folder is in it; else the error says where it is, if it is near."""
    if not path.is_dir():
        raise UserError(f"references.path={path} is not a folder: give that of CelebAMask-HQ, with {IMAGES} in it.")
    if (path / IMAGES).is_dir():
        return path
    near = [path.resolve().parent, *sorted(path.iterdir())]
    hint = next((f"it is in {place}: give that" for place in near if (place / IMAGES).is_dir()), None)
    raise UserError(f"references.path={path} has no folder {IMAGES}; {hint or 'give the folder of CelebAMask-HQ'}.")


def _images(folder: Path) -> set[str]:
    """The names of the .jpg files in a folder, hidden ones left out; no file is opened."""
    try:
        with os.scandir(folder) as entries:
            return {
                entry.name
                for entry in entries
                if entry.name.endswith(".jpg") and not entry.name.startswith(".") and entry.is_file()
            }
    except OSError as error:
        raise UserError(f"{folder} cannot be read ({error.strerror}).") from error


def _read_mapping(path: Path) -> Iterator[tuple[int, int, int, str]]:
    """(number of the line, idx, orig_idx, orig_file) for each line after the header."""
    lines = _lines(path)
    number, header = next(lines, (1, ""))
    if tuple(header.split()) != HEADER:
        raise UserError(f"{path}, line {number}: {_shown(header)} where the header {' '.join(HEADER)} must stand.")
    number = 0
    for number, line in lines:
        found = re.fullmatch(r"\s*([0-9]{1,6})\s+([0-9]{1,6})\s+(\S+)\s*", line)
        if not found:
            raise UserError(f"{path}, line {number}: {_shown(line)} is not a line like 0 119613 119614.jpg.")
        yield number, int(found[1]), int(found[2]), found[3]
    if not number:
        raise UserError(f"{path} names no image: it ends after its header.")


def _read_partitions(path: Path) -> dict[str, str]:
    """The partition of each of CelebA's files, by its name."""
    partitions: dict[str, str] = {}
    for number, line in _lines(path):
        fields = line.split()
        if len(fields) != 2 or fields[1] not in ("0", "1", "2"):
            raise UserError(f"{path}, line {number}: {_shown(line)} is not a line like 000001.jpg 0 (0, 1 or 2).")
        if fields[0] in partitions:
            raise UserError(f"{path}, line {number}: {fields[0]} has a line before this one.")
        partitions[fields[0]] = PARTITIONS[int(fields[1])]
    return partitions


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """(number from 1, text) of the lines that are not blank, whatever ends them."""
    try:
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}).") from error
    return ((number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip())


def _shown(line: str) -> str:
    return repr(line if len(line) <= 60 else f"{line[:60]}...")
