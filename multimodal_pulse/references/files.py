"""References from picture files."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from multimodal_pulse.degradation import Degradation
from multimodal_pulse.errors import UserError
from multimodal_pulse.references.base import Reference, References
from multimodal_pulse.references.images import load_rgb, size_of
from multimodal_pulse.references.names import unique_names
from multimodal_pulse.references.pairing import Pairing

MOST_NAMED = 3
"""Files that a refusal names with what is wrong with them; further ones are counted."""


class PictureFiles(References):
    """The given files, in the given order, each read when it is asked for.

    A file that cannot be used is found before anything long begins, in two steps: the headers of all files (format,
    size, most pixels) at once, the pixels of those that are to be searched in `check`. Each costs a small part of a
    search, and no picture stays in memory. A file that breaks after that raises when its turn comes.

    Args:
        resolution: the generator's, R.
        degradation: A.
        paths: the files.
        as_: see `Pairing`.
        domain_notice: what to tell the user about pictures that the generator was not made for; None: nothing.
    Raises:
        UserError: headers tell that files cannot be used; they are named.
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
        self._notice(domain_notice)
        _refuse_failing(lambda path: self._pairing.check(*size_of(path), str(path)), paths)

    def __getitem__(self, index: int) -> Reference:
        path = self._paths[index]
        reference, notice = self._pairing(self.names[index], load_rgb(path), str(path))
        self._notice(notice)
        return reference

    def check(self, indices: Iterable[int]) -> None:
        """Decodes each of these files once, one at a time, so that the notices about them are known.

        Raises:
            UserError: files are truncated or damaged behind their headers; the first ones are named.
        """
        _refuse_failing(self._decode, [self._paths[index] for index in indices])

    def _decode(self, path: Path) -> None:
        height, width = load_rgb(path).shape[-2:]
        self._notice(self._pairing.check(width, height, str(path)))


def _refuse_failing(attempt: Callable[[Path], object], paths: Sequence[Path]) -> None:
    """Tries every path; the error names the first that fail and counts the others."""
    failures: list[str] = []
    for path in paths:
        try:
            attempt(path)
        except UserError as error:
            failures.append(str(error))
    if not failures:
        return
    if (further := len(failures) - MOST_NAMED) > 0:
        failures[MOST_NAMED:] = [f"{further} more of the {len(paths)} files cannot be used either."]
    raise UserError(" ".join(failures))
