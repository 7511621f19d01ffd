"""The CelebAMask-HQ release on the disk: which images it has, and which of CelebA's partitions each belongs to.

CelebA-HQ (Karras et al., ICLR 2018) was made from 30,000 images of CelebA (Liu et al., ICCV 2015), with new numbers.
Its train, validation and test sets are those of the originals; the mapping names the original file of each number.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from multimodal_pulse.base.errors import UserError, listed
from multimodal_pulse.base.files import expanded

IMAGES = "CelebA-HQ-img"
MAPPING = "CelebA-HQ-to-CelebA-mapping.txt"
PARTITION_FILE = "list_eval_partition.txt"
HEADER = "idx orig_idx orig_file"
PARTITIONS = ("train", "validation", "test")
"""In the order of the numbers that CelebA gives them."""


@dataclass(frozen=True)
class Release:
    """The contents of a release.

    Attributes:
        folder: the folder of the images.
        partitions: the partition of every image that the mapping names, by idx.
        present: the idx of the images in `folder`.
        left_out: a sentence for each kind of line in the mapping that could not be used; such lines are left out.
    """

    folder: Path
    partitions: Mapping[int, str]
    present: frozenset[int]
    left_out: Sequence[str]

    def named(self, partition: str) -> list[int]:
        """Returns the idx of a partition, in ascending order, whether or not the image is present."""
        return sorted(idx for idx, name in self.partitions.items() if name == partition)

    def file(self, idx: int) -> Path:
        return self.folder / f"{idx}.jpg"

    def lacks(self, indices: Iterable[int]) -> list[str]:
        """Returns a phrase that names those of these images that are missing; none if all are present."""
        missing = sorted(set(indices) - self.present)
        return [f"{self.folder} lacks {counted(missing)}"] if missing else []

    def has_no_line_for(self, indices: Iterable[int]) -> list[str]:
        """Returns a phrase that names those of these images that the mapping leaves open; none if it has them all."""
        unnamed = sorted(set(indices) - set(self.partitions))
        return [f"{MAPPING} has no usable line for {counted(unnamed)}"] if unnamed else []

    def require(self, expected: Mapping[str, int | None]) -> None:
        """Checks the number of images in each partition; None accepts any number.

        Raises:
            UserError: a number is wrong, or lines of the mapping could not be used; it says what is missing.
        """
        remedy = "references.expected=null uses the images that are there."
        if self.left_out:
            raise UserError(" ".join([*self.left_out, f"Correct the file; {remedy}"]))
        numbers = {name: len(self.present.intersection(self.named(name))) for name in PARTITIONS}
        wrong = [name for name in PARTITIONS if expected[name] not in (None, numbers[name])]
        if wrong:
            said = [", ".join(f"{name} has {numbers[name]} images instead of {expected[name]}" for name in wrong)]
            said += self.lacks(idx for name in wrong for idx in self.named(name))
            said += self.has_no_line_for(self.present.union(range(max(self.partitions, default=0))))
            raise UserError(f"CelebAMask-HQ: {'. '.join(said)}. Complete the release; {remedy}")


def read_release(path: str | Path, partition_file: str | Path | None = None) -> Release:
    """Reads the lists of a release and the names of its images; opens no image.

    Args:
        path: the folder that holds the images' folder and the mapping.
        partition_file: CelebA's `list_eval_partition.txt`; None: the one beside the mapping.
    Raises:
        UserError: the folder, the mapping or the partitions are missing, or one of their lines is malformed.
    """
    path = expanded(path)
    mapping, folder = path / MAPPING, path / IMAGES
    listing = expanded(partition_file) if partition_file is not None else path / PARTITION_FILE
    if not (folder.is_dir() and mapping.is_file()):
        raise UserError(f"references.path={path} must be the folder of CelebAMask-HQ, with {IMAGES} and {MAPPING}.")
    if not listing.is_file():
        raise UserError(
            f"{listing} does not exist. It is part of CelebA (Eval/{PARTITION_FILE}) and not of CelebAMask-HQ: put it"
            " beside the mapping, or give references.partition_file."
        )
    partition_of: dict[str, str] = {}
    for number, (original, code) in _rows(listing, r"(\S+)\s+([012])", "000001.jpg 0"):
        if original in partition_of:
            raise UserError(f"{listing}, line {number}: {original} has an earlier line.")
        partition_of[original] = PARTITIONS[int(code)]

    partitions: dict[int, str] = {}
    originals: set[str] = set()
    repeated, unknown = [], []
    for number, (idx, _, original) in _rows(mapping, r"(\d{1,6})\s+(\d{1,6})\s+(\S+)", "0 119613 119614.jpg", HEADER):
        if int(idx) in partitions or original in originals:
            repeated.append(f"{idx} {original} (line {number})")
        elif original not in partition_of:
            unknown.append(f"{original} (line {number})")
        else:
            partitions[int(idx)] = partition_of[original]
        originals.add(original)
    left_out = [f"{mapping} repeats an idx or an orig_file: {listed(repeated)}."] if repeated else []
    left_out += [f"{listing} has no line for {listed(unknown)} of {mapping}."] if unknown else []
    return Release(folder, partitions, _images(folder), left_out)


def counted(indices: Sequence[int]) -> str:
    """Counts and names images: `2 images: 3.jpg, 7.jpg`."""
    images = "image" if len(indices) == 1 else "images"
    return f"{len(indices)} {images}: {listed(f'{idx}.jpg' for idx in indices)}"


def _images(folder: Path) -> frozenset[int]:
    with os.scandir(folder) as entries:
        found = ((re.fullmatch(r"(0|[1-9]\d*)\.jpg", entry.name), entry) for entry in entries)
        return frozenset(int(name[1]) for name, entry in found if name and entry.is_file())


def _rows(path: Path, pattern: str, example: str, header: str = "") -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yields the number of each line after the header, blank ones left out, with the groups of `pattern`."""
    lines = path.read_text(encoding="utf-8-sig", errors="replace").split("\n")
    if header and lines.pop(0).split() != header.split():
        raise UserError(f"{path} must begin with the line {header}.")
    for number, line in enumerate(lines, start=2 if header else 1):
        if line.strip():
            if not (row := re.fullmatch(pattern, line.strip(), flags=re.ASCII)):
                raise UserError(f"{path}, line {number}: {line.strip()[:60]!r} is not a line like {example}.")
            yield number, row.groups()
