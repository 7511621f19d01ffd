"""`references=celeba_hq`: the images of CelebAMask-HQ whose originals are in CelebA's test or validation partition."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.base.files import file_sha256
from multimodal_pulse.base.progress_bar import progress_bar
from multimodal_pulse.degradation import Degradation
from multimodal_pulse.references.base import Reference, References, degraded
from multimodal_pulse.references.celeba_release import Release, counted, listed, read_release
from multimodal_pulse.references.pairing import reduced
from multimodal_pulse.references.pixels import load_rgb, size_of_whole_jpeg
from multimodal_pulse.references.portraits import EVALUATION_SPLITS

MANY = 500
"""Images whose check gets a progress bar: about a second's work."""


class CelebAHQ(References):
    """One partition of the release, by rising idx; a reference is called by its idx, in five digits.

    A run over all of it takes days, so a file that cannot be used does not end it: `unusable` tells such files before
    the search begins. What the release lacks altogether is refused, unless `expected` allows it.

    Args:
        resolution: the generator's, R. The images are larger as a rule, and reduced by antialiased bicubic resizing.
        degradation: A.
        path: the folder with `CelebA-HQ-img` and the mapping in it.
        expected: how many images the partitions "train", "validation" and "test" must have on the disk, each a number
            or None: any. None for all three: whatever is there is taken, and notices name what is missing.
        partition_file: CelebA's `list_eval_partition.txt`; None: beside the mapping.
        split: "validation" (to choose settings) or "test" (to report).
        limit: only the first so many; None: all.
        subset: only these idx, all of the split; None: all. `limit` counts within them.
    Raises:
        UserError: a bad setting; a list that is missing, malformed or contradicts itself; fewer or more images than
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
        present = set(release.present[split])
        chosen = [idx for idx in wanted if idx in present][:limit]
        if not chosen:
            within = "" if subset is None else f" within references.subset={list(subset)}"
            raise UserError(f"{release.folder} has no image of references.split={split}{within}.")
        super().__init__([f"{idx:05d}" for idx in chosen])
        self._resolution = resolution
        self._degradation = degradation
        self._paths = [release.file(idx) for idx in chosen]
        for sentence in (*release.left_out, *release.remarks):
            self.add_notice(sentence)
        if missing := [f"{idx}.jpg" for idx in wanted if idx not in present]:
            self.add_notice(f"{release.folder} lacks {counted(missing)}; the run goes on without.")
        self.add_notice(_identical(self._paths))

    def __getitem__(self, index: int) -> Reference:
        picture = load_rgb(self._paths[index])
        self._check_size(self._paths[index], picture.shape[-1], picture.shape[-2])
        return degraded(self.names[index], reduced(picture, self._resolution), self._degradation)

    def unusable(self, indices: Iterable[int]) -> dict[int, str]:
        """Reads each of these files to its end, one at a time, which takes some milliseconds.

        A JPEG carries no checksum: bytes that were changed and still make a picture are not found.
        """
        indices = list(indices)
        reasons: dict[int, str] = {}
        sizes: dict[Path, tuple[int, int]] = {}
        for index in progress_bar(
            iterable=indices, desc="checking the images", unit="image", disable=len(indices) < MANY
        ):
            path = self._paths[index]
            try:
                width, height = size_of_whole_jpeg(path)
                self._check_size(path, width, height)
            except UserError as error:
                reasons[index] = str(error)
            else:
                sizes[path] = width, height
        self.add_notice(_odd_sizes(sizes))
        return reasons

    def _check_size(self, path: Path, width: int, height: int) -> None:
        if width != height or width < self._resolution:
            least = f"{self._resolution} x {self._resolution}"
            raise UserError(
                f"{path} is {width} x {height} pixels: square ones of at least the generator's {least} are needed."
            )


def _wanted(release: Release, split: str, subset: Sequence[int] | None) -> list[int]:
    """The idx asked for, rising, present or missing."""
    if subset is None:
        return sorted([*release.present[split], *release.missing[split]])
    strangers = [
        f"{idx} ({release.partition_of(idx) or 'not in the mapping'})"
        for idx in subset
        if release.partition_of(idx) != split
    ]
    if strangers:
        raise UserError(f"references.subset has idx that are not in references.split={split}: {listed(strangers)}.")
    if twice := sorted(idx for idx, times in Counter(subset).items() if times > 1):
        raise UserError(f"references.subset has {listed(map(str, twice))} more than once.")
    return sorted(subset)


def _identical(paths: Sequence[Path]) -> str | None:
    """A notice naming files that hold the same bytes; only those of equal size are read."""
    same_size = defaultdict(list)
    same_content = defaultdict(list)
    for path in paths:
        with suppress(OSError):
            same_size[path.stat().st_size].append(path)
    for size, candidates in same_size.items():
        if size == 0 or len(candidates) == 1:
            continue
        for path in candidates:
            with suppress(OSError):
                same_content[file_sha256(path)].append(path.name)
    groups = [names for names in same_content.values() if len(names) > 1]
    if not groups:
        return None
    return f"{paths[0].parent} has the same file several times: {listed(listed(names, ' = ') for names in groups)}."


def _odd_sizes(sizes: Mapping[Path, tuple[int, int]]) -> str | None:
    """A notice naming files that are not as large as most."""
    if len(set(sizes.values())) < 2:
        return None
    usual, _ = Counter(sizes.values()).most_common(1)[0]
    odd = [f"{path.name} ({size[0]} x {size[1]})" for path, size in sizes.items() if size != usual]
    return f"Most images are {usual[0]} x {usual[1]}, these are not and are used all the same: {listed(odd)}."
