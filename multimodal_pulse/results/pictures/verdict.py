"""The words and colours under a sample: how faithful it is, and whether it looks like its domain."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from multimodal_pulse.base.faithfulness import OK_LR_PSNR_DB
from multimodal_pulse.metrics.evaluation import status_of
from multimodal_pulse.results.pictures.page import BAD, GOOD, WARNING, Ink

_FAITHFUL: dict[str, tuple[str, Ink]] = {
    "ok": ("faithful", GOOD),
    "loose": ("not faithful", WARNING),
    "failed": ("failed", BAD),
}
NOT_FAITHFUL = "Not faithful"
"""How a remark on samples that are not faithful begins."""
FAITHFUL_LEGEND = (
    f"Faithful: the picture, degraded in the same way, agrees with the reference (the number is the LR-PSNR, at least"
    f" {OK_LR_PSNR_DB:.0f} dB); this does not say how it looks."
)


@dataclass(frozen=True)
class Verdict:
    """What is said under a sample.

    Attributes:
        lr_psnr: its LR-PSNR in dB; None for a failed one.
        realistic: whether it lies where real pictures of its domain lie; None if that was not measured.
    """

    lr_psnr: float | None
    realistic: bool | None = None

    def lines(self, domain: str) -> list[tuple[str, Ink]]:
        """Returns the footers of the sample's tile: its faithfulness, and whether it looks like `domain`, in words."""
        lines = [faithfulness(self.lr_psnr)]
        if self.realistic is not None:
            lines.append((f"like {domain}", GOOD) if self.realistic else (f"unlike {domain}", WARNING))
        return lines


def faithfulness(decibels: float | None) -> tuple[str, Ink]:
    """Returns a sample's LR-PSNR and faithfulness in words, and their colour; None in place of dB is a failed one."""
    words, ink = _FAITHFUL[status_of(decibels)]
    # Rounded down, so that a value just below the bound does not look as if it reached it.
    measured = "no picture" if decibels is None else f"{math.floor(10 * decibels) / 10:.1f} dB"
    return f"{words}, {measured}", ink


def counted(remarks: Iterable[str], verdicts: Sequence[Verdict]) -> list[str]:
    """Returns the remarks on a reference, with the number of unfaithful samples where it is not all of them.

    The remarks themselves do not count, so that one sentence serves all references of which it is true.
    """
    loose = sum(status_of(verdict.lr_psnr) == "loose" for verdict in verdicts)
    if loose == len(verdicts):
        return list(remarks)
    those = f"{loose} of {len(verdicts)} samples {'is' if loose == 1 else 'are'} not faithful"
    return [
        f"{those}{remark.removeprefix(NOT_FAITHFUL)}" if remark.startswith(NOT_FAITHFUL) else remark
        for remark in remarks
    ]
