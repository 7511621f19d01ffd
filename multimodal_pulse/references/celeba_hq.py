"""`references=celeba_hq`: the images of CelebAMask-HQ whose originals are in CelebA's test or validation partition."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from multimodal_pulse.base.errors import UserError, listed
from multimodal_pulse.base.files import file_sha256
from multimodal_pulse.base.progress_bar import progress_bar
from multimodal_pulse.degradation import Degradation
from multimodal_pulse.references.base import Reference, References, degraded
from multimodal_pulse.references.celeba_release import Release, read_release
from multimodal_pulse.references.pairing import resized
from multimodal_pulse.references.picture_files import size_and_format
from multimodal_pulse.references.pixels import load_rgb
from multimodal_pulse.references.portraits import EVALUATION_SPLITS

MANY = 500
"""The number of images from which their check, about a second long, has a progress bar."""


class CelebAHQ(References):
    """One partition of the release, in ascending order of idx; the name of a reference is its idx in five digits.

    A run over all of it takes days, so an unusable file does not end it: `unusable` names such files before the search
    begins. Missing images are refused unless `expected` allows them.

    Args:
        resolution: the generator's, R. Larger images are reduced by antialiased bicubic resizing.
        degradation: A.
        path: the folder with `CelebA-HQ-img` and the mapping in it.
        expected: the number of images that each of the partitions "train", "validation" and "test" must have, or None
            for any number. None for all three: the images that are there are used, and notices name the missing ones.
        partition_file: CelebA's `list_eval_partition.txt`; None: the one beside the mapping.
        split: "validation" (to choose settings) or "test" (to report).
        limit: the largest number of images, from the first; None: all.
        subset: the idx to use, all of the split; None: all. `limit` counts within them.
    Raises:
        UserError: a bad setting; a list that is missing, malformed or contradicts itself; another number of images than
            expected, or none.
    """

    domain = "photographs/faces"

    def __init__(
        self,
        resolution: int,
        degradation: Degradation,
        path: str | Path,
        expected: Mapping[str, int | None] | None,
        partition_file: str | Path | None = None,
        split: str = "test",
        limit: int | None = None,
        subset: Sequence[int] | None = None,
    ) -> None:
        if split not in EVALUATION_SPLITS:
            raise UserError(f"references.split={split} must be one of {', '.join(EVALUATION_SPLITS)}.")
        if limit is not None and limit < 1:
            raise UserError(f"references.limit={limit} must be at least 1, or null for all.")
        degradation.lr_shape((3, resolution, resolution))
        release = read_release(path, partition_file)
        if expected is not None:
            release.require(expected)
        wanted = _wanted(release, split, subset)
        chosen = [idx for idx in wanted if idx in release.present][:limit]
        if not chosen:
            within = "" if subset is None else f" within references.subset={list(subset)}"
            raise UserError(f"{release.folder} has no image of references.split={split}{within}.")
        super().__init__([f"{idx:05d}" for idx in chosen])
        self._resolution = resolution
        self._degradation = degradation
        self._paths = [release.file(idx) for idx in chosen]
        self.files = dict(zip(self.names, self._paths, strict=True))
        for sentence in release.left_out:
            self.add_notice(sentence)
        for phrase in release.has_no_line_for(release.present):
            self.add_notice(f"{phrase}, left out.")
        for phrase in release.lacks(wanted):
            self.add_notice(f"{phrase}; the run goes on without.")
        self.add_notice(_identical(self._paths))

    def __getitem__(self, index: int) -> Reference:
        picture = load_rgb(self._paths[index])
        self._check_size(self._paths[index], picture.shape[-1], picture.shape[-2])
        return degraded(self.names[index], resized(picture, self._resolution, self._resolution), self._degradation)

    def unusable(self, indices: Iterable[int]) -> dict[int, str]:
        """Decodes each of these files, one at a time, in a few milliseconds.

        A JPEG has no checksum: changed bytes that still make a picture are not found.
        """
        indices = list(indices)
        reasons: dict[int, str] = {}
        few = len(indices) < MANY
        for index in progress_bar(iterable=indices, desc="checking the images", unit="image", disable=few):
            path = self._paths[index]
            try:
                size, file_format = size_and_format(path)
                if file_format not in ("JPEG", "MPO"):
                    raise UserError(f"{path} is a {file_format} picture, not a JPEG.")
                self._check_size(path, *size)
            except UserError as error:
                reasons[index] = str(error)
        return reasons

    def _check_size(self, path: Path, width: int, height: int) -> None:
        if width != height or width < self._resolution:
            least = f"{self._resolution} x {self._resolution}"
            raise UserError(
                f"{path} is {width} x {height} pixels: square ones of at least the generator's {least} are needed."
            )


def _wanted(release: Release, split: str, subset: Sequence[int] | None) -> list[int]:
    """Returns the requested idx in ascending order, whether present or missing."""
    if subset is None:
        return release.named(split)
    partitions = {idx: release.partitions.get(idx, "not in the mapping") for idx in subset}
    if others := [f"{idx} ({partition})" for idx, partition in partitions.items() if partition != split]:
        raise UserError(f"references.subset has idx that are not in references.split={split}: {listed(others)}.")
    if repeated := sorted(idx for idx, times in Counter(subset).items() if times > 1):
        raise UserError(f"references.subset has {listed(map(str, repeated))} more than once.")
    return sorted(subset)


def _identical(paths: Sequence[Path]) -> str | None:
    """Returns a notice that names the files with the same bytes; reads only files of equal size."""
    same_size = defaultdict(list)
    same_content = defaultdict(list)
    for path in paths:
        same_size[path.stat().st_size].append(path)
    for size, candidates in same_size.items():
        if size > 0 and len(candidates) > 1:
            for path in candidates:
                with suppress(OSError):  # `unusable` names what cannot be read
                    same_content[file_sha256(path)].append(path.name)
    groups = [listed(names, separator=" = ") for names in same_content.values() if len(names) > 1]
    return f"{paths[0].parent} has the same file several times: {listed(groups)}." if groups else None
