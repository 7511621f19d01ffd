"""References from picture files."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.base.files import expanded
from multimodal_pulse.degradation import Degradation
from multimodal_pulse.references.alignment import Align
from multimodal_pulse.references.base import Reference, References
from multimodal_pulse.references.names import safe_name, unique_names
from multimodal_pulse.references.pairing import Pairing
from multimodal_pulse.references.picture_files import contents, reduction, refuse_failing, size_of
from multimodal_pulse.references.pixels import load_rgb


class PictureFiles(References):
    """References from the given files, in the given order; each file is read when it is requested.

    Unusable files are found before the search, in two steps: the constructor reads the headers of all files (format,
    size, number of pixels), and `check` decodes the files to be searched. Both take a small part of the time of a
    search, and no picture stays in memory. A file that is damaged later raises an error when it is requested.

    Args:
        resolution: the generator's, R.
        degradation: A.
        paths: the files.
        names: the name of each file's reference.
        as_: see `Pairing`.
        align: the word of an `Align`; `AlignedFaces` reads it.
    Raises:
        UserError: some files cannot be used, by their headers; they are named.
    """

    def __init__(
        self,
        resolution: int,
        degradation: Degradation,
        paths: Sequence[Path],
        names: list[str],
        as_: str = "auto",
        align: str = "auto",
    ) -> None:
        super().__init__(names)
        self.align = Align.of(align)
        self._paths = paths
        self.files = dict(zip(self.names, paths, strict=True))
        self._pairing = Pairing(resolution, degradation, as_)
        refuse_failing(lambda path: self._pairing.check(*size_of(path), str(path)), paths)

    def __getitem__(self, index: int) -> Reference:
        path = self._paths[index]
        reference, notice = self._pairing(self.names[index], load_rgb(path), str(path))
        self.add_notice(notice)
        return reference

    def check(self, indices: Iterable[int]) -> None:
        """Decodes each of these files once, one at a time, and collects their notices.

        Raises:
            UserError: files are truncated or damaged after their headers; the first ones are named.
        """
        refuse_failing(self._decode, [self._paths[index] for index in indices])

    def _decode(self, path: Path) -> None:
        size = size_of(path)
        if (factor := reduction(size)) > 1:
            millions = size[0] * size[1] / 1e6
            self.add_notice(
                f"{path} has {millions:.0f} million pixels and is read at 1/{factor} of its width and height."
            )
        height, width = load_rgb(path).shape[-2:]
        self.add_notice(self._pairing.check(width, height, str(path)))


class Folder(PictureFiles):
    """References from all PNG, JPEG and WebP files in a folder but hidden ones, img2 before img10.

    The name of a file in a folder below has the folder's name before its own: `trip/a.png` is `trip_a`.

    Args:
        resolution: the generator's, R.
        degradation: A.
        path: the folder.
        limit: the largest number of files, from the first; None: all.
        as_: see `Pairing`.
        align: the word of an `Align`.
        recursive: whether the files in the folders below count too.
    Raises:
        UserError: the folder is missing or has no picture, `limit` is less than 1, or as `PictureFiles`.
    """

    def __init__(
        self,
        resolution: int,
        degradation: Degradation,
        path: str | Path,
        limit: int | None = None,
        as_: str = "auto",
        align: str = "auto",
        recursive: bool = False,
    ) -> None:
        if limit is not None and limit < 1:
            raise UserError(f"references.limit={limit} must be at least 1, or null for all.")
        folder = expanded(path)
        found = contents(folder, recursive)
        paths = found.pictures[:limit]
        names = unique_names(path.relative_to(folder) for path in paths)
        super().__init__(resolution, degradation, paths, names, as_, align)
        self.add_notice(f"in {folder}, {found.notice}." if found.notice else None)


class ImageFile(PictureFiles):
    """One reference from a PNG, JPEG or WebP file.

    Args:
        resolution: the generator's, R.
        degradation: A.
        path: the file.
        as_: see `Pairing`.
        align: the word of an `Align`.
        name: the name of the reference, which fixes all random draws together with the seed; None: the file's. A file
            that was renamed has the same samples as before if its former name is given here.
    Raises:
        UserError: as `PictureFiles`.
    """

    def __init__(
        self,
        resolution: int,
        degradation: Degradation,
        path: str | Path,
        as_: str = "auto",
        align: str = "auto",
        name: str | None = None,
    ) -> None:
        file = expanded(path)
        super().__init__(resolution, degradation, [file], [safe_name(name or file.stem)], as_, align)
