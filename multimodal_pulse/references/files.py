"""References from picture files."""

from collections.abc import Sequence
from pathlib import Path

from multimodal_pulse.degradation import Degradation
from multimodal_pulse.references.base import Reference, References
from multimodal_pulse.references.images import load_rgb
from multimodal_pulse.references.names import unique_names
from multimodal_pulse.references.pairing import Pairing


class PictureFiles(References):
    """The given files, in the given order, each read when it is asked for.

    Args:
        resolution: the generator's, R.
        degradation: A.
        paths: the files.
        as_: see `Pairing`.
        domain_notice: what to tell the user about pictures that the generator was not made for; None: nothing.
    """

    def __init__(
        self,
        resolution: int,
        degradation: Degradation,
        paths: Sequence[Path],
        as_: str = "auto",
        domain_notice: str | None = None,
    ) -> None:
        super().__init__(unique_names(paths))
        self._paths = paths
        self._pairing = Pairing(resolution, degradation, as_)
        if domain_notice is not None:
            self._notice(domain_notice)

    def __getitem__(self, index: int) -> Reference:
        path = self._paths[index]
        reference, notice = self._pairing(self.names[index], load_rgb(path), str(path))
        if notice is not None:
            self._notice(notice)
        return reference
