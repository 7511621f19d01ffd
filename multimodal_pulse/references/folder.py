"""`references=folder`: the pictures of a folder."""

from pathlib import Path

from multimodal_pulse.degradation import Degradation
from multimodal_pulse.errors import UserError
from multimodal_pulse.references.files import PictureFiles
from multimodal_pulse.references.images import SUFFIXES


class Folder(PictureFiles):
    """All PNG, JPEG and WebP files directly in a folder, sorted by name; hidden files are left out.

    Args:
        resolution: the generator's, R.
        degradation: A.
        path: the folder.
        limit: only the first so many; None: all.
        as_: see `Pairing`.
        domain_notice: see `PictureFiles`.
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
        domain_notice: str | None = None,
    ) -> None:
        if limit is not None and limit < 1:
            raise UserError(f"references.limit={limit} must be at least 1, or null for all.")
        paths = picture_paths(Path(path).expanduser())
        super().__init__(resolution, degradation, paths[:limit], as_, domain_notice)


def picture_paths(folder: Path) -> list[Path]:
    """The picture files directly in `folder`, sorted by name."""
    if not folder.exists():
        raise UserError(f"references.path={folder} does not exist.")
    if not folder.is_dir():
        raise UserError(f"references.path={folder} is a file; references=image reads one picture.")
    paths = sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
    )
    if not paths:
        raise UserError(f"references.path={folder} has no picture ({', '.join(SUFFIXES)}) in it.")
    return paths
