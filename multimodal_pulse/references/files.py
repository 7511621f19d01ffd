"""References from picture files."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.base.files import expanded
from multimodal_pulse.degradation import Degradation
from multimodal_pulse.references.base import Reference, References
from multimodal_pulse.references.names import unique_names
from multimodal_pulse.references.pairing import Pairing
from multimodal_pulse.references.picture_files import picture_paths, refuse_failing, size_of
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
        as_: see `Pairing`.
    Raises:
        UserError: some files cannot be used, by their headers; they are named.
    """

    def __init__(
        self,
        resolution: int,
        degradation: Degradation,
        paths: Sequence[Path],
        as_: str = "auto",
    ) -> None:
        super().__init__(unique_names(paths))
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
        height, width = load_rgb(path).shape[-2:]
        self.add_notice(self._pairing.check(width, height, str(path)))


class Folder(PictureFiles):
    """References from all PNG, JPEG and WebP files directly in a folder, sorted by name, without hidden files.

    Args:
        resolution: the generator's, R.
        degradation: A.
        path: the folder.
        limit: the largest number of files, from the first; None: all.
        as_: see `Pairing`.
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
    ) -> None:
        if limit is not None and limit < 1:
            raise UserError(f"references.limit={limit} must be at least 1, or null for all.")
        paths = picture_paths(expanded(path))
        super().__init__(resolution, degradation, paths[:limit], as_)


class ImageFile(PictureFiles):
    """One reference from a PNG, JPEG or WebP file.

    Args:
        resolution: the generator's, R.
        degradation: A.
        path: the file.
        as_: see `Pairing`.
    Raises:
        UserError: as `PictureFiles`.
    """

    def __init__(
        self,
        resolution: int,
        degradation: Degradation,
        path: str | Path,
        as_: str = "auto",
    ) -> None:
        super().__init__(resolution, degradation, [expanded(path)], as_)
