"""The words and colours under a sample: how faithful it is, and whether it looks like its domain."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from multimodal_pulse.base.faithfulness import OK_LR_PSNR_DB
from multimodal_pulse.metrics.evaluation import Status, status_of
from multimodal_pulse.results.pictures.page import BAD, GOOD, WARNING, Ink

_FAITHFUL: dict[str, tuple[str, Ink]] = {
    "ok": ("faithful", GOOD),
    "loose": ("not faithful", WARNING),
    "failed": ("failed", BAD),
}
NOT_FAITHFUL = "Not faithful"
"""How a remark on samples that are not faithful begins."""


@dataclass(frozen=True)
class Verdict:
    """What is said under a sample.

    Attributes:
        lr_psnr: its LR-PSNR in dB; None for a failed one.
        realistic: whether it lies where real pictures of its domain lie; None if that was not measured.
        ok_db: the LR-PSNR in dB from which it is faithful.
    """

    lr_psnr: float | None
    realistic: bool | None = None
    ok_db: float = OK_LR_PSNR_DB

    def lines(self, domain: str) -> list[tuple[str, Ink]]:
        """Returns the footers of the sample's tile: its faithfulness, and whether it looks like `domain`, in words."""
        lines = [faithfulness(self.lr_psnr, self.ok_db)]
        if self.realistic is not None:
            lines.append((f"like {domain}", GOOD) if self.realistic else (f"unlike {domain}", WARNING))
        return lines


def faithful_legend(ok_db: float) -> str:
    """Returns what faithful means, where it begins at this LR-PSNR in dB."""
    return (
        "Faithful: the picture, degraded in the same way, agrees with the reference (the number is the LR-PSNR, at"
        f" least {ok_db:.3g} dB); this does not say how it looks."
    )


def faithfulness(decibels: float | None, ok_db: float = OK_LR_PSNR_DB) -> tuple[str, Ink]:
    """Returns a sample's LR-PSNR and faithfulness in words, and their colour.

    Args:
        decibels: the LR-PSNR in dB; None for a failed sample.
        ok_db: the one from which it is faithful.
    """
    status = status_of(decibels, ok_db)
    return faithful_words(status, decibels), _FAITHFUL[status][1]


def faithful_words(status: Status, decibels: float | None) -> str:
    """Returns a sample's status and LR-PSNR in words."""
    # Rounded down, so that a value just below the bound does not look as if it reached it.
    measured = "no picture" if decibels is None else f"{math.floor(10 * decibels) / 10:.1f} dB"
    return f"{_FAITHFUL[status][0]}, {measured}"


def counted(remarks: Iterable[str], verdicts: Sequence[Verdict]) -> list[str]:
    """Returns the remarks on a reference, with the number of unfaithful samples where it is not all of them.

    The remarks themselves do not count, so that one sentence serves all references of which it is true.
    """
    loose = sum(status_of(verdict.lr_psnr, verdict.ok_db) == "loose" for verdict in verdicts)
    if loose == len(verdicts):
        return list(remarks)
    those = f"{loose} of {len(verdicts)} samples {'is' if loose == 1 else 'are'} not faithful"
    return [
        f"{those}{remark.removeprefix(NOT_FAITHFUL)}" if remark.startswith(NOT_FAITHFUL) else remark
        for remark in remarks
    ]
