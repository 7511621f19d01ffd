"""`references=image`: one picture file."""

from pathlib import Path

from multimodal_pulse.degradation import Degradation
from multimodal_pulse.references.files import PictureFiles


class ImageFile(PictureFiles):
    """One PNG, JPEG or WebP file.

    Args:
        resolution: the generator's, R.
        degradation: A.
        path: the file.
        as_: see `Pairing`.
        domain_notice: see `PictureFiles`.
    Raises:
        UserError: as `PictureFiles`.
    """

    def __init__(
        self,
        resolution: int,
        degradation: Degradation,
        path: str | Path,
        as_: str = "auto",
        domain_notice: str | None = None,
    ) -> None:
        super().__init__(resolution, degradation, [Path(path).expanduser()], as_, domain_notice)
