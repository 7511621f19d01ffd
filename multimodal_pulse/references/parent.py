"""The reference of a finished sample, for a search that varies the sample."""

from pathlib import Path

from multimodal_pulse.references.base import Reference, References


class OfParent(References):
    """One reference, as a finished run has it.

    Args:
        reference: the reference, whose samples keep what `Reference.held` says.
        domain: the content of the pictures.
        file: the picture file that the run made the reference from; None: it had no file.
    """

    def __init__(self, reference: Reference, domain: str, file: Path | None):
        super().__init__([reference.name])
        self.domain = domain
        self.files = {} if file is None else {reference.name: file}
        self._reference = reference

    def __getitem__(self, index: int) -> Reference:
        return [self._reference][index]
