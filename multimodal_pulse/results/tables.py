"""The columns of the tables that a run and a sweep print.

Nothing here imports torch, also not through other modules: the table of a refused or stopped sweep appears at once.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from multimodal_pulse.base.faithfulness import OK_LR_PSNR_DB

COLUMNS = ("PSNR", "SSIM", "LPIPS", "realism", "LR-PSNR", "worst", "distance", "seconds")
MEANS = ("psnr", "ssim", "lpips", "realism", "lr_psnr")
"""The keys of metrics.json whose means the first columns show."""
LEGEND = (
    f"PSNR and LR-PSNR in dB; a sample counts as faithful from {OK_LR_PSNR_DB:.0f} dB of LR-PSNR upwards, whatever it"
    " looks like; realism: share of samples that look like their domain; distance: RMS between samples, 0 to 255"
)


def measures(metrics: Mapping[str, Any]) -> list[float | None]:
    """Returns the values of COLUMNS for a whole run; None for what could not be measured."""
    # The metrics.json of an earlier version has no realism.
    means = [metrics.get(name, {}).get("mean") for name in MEANS]
    references = metrics["num_references"]
    seconds = metrics["seconds"] / references if references else None
    return [*means, metrics["lr_psnr"]["min"], metrics["diversity"]["rms"], seconds]


def cells(*values: float | None) -> list[str]:
    """Formats the values of COLUMNS; None becomes "-"."""
    places = (2, 3, 3, 2, 1, 1, 1, 1)
    return ["-" if value is None else f"{value:.{n}f}" for value, n in zip(values, places, strict=True)]


def line(name: str, values: Sequence[str], width: int) -> str:
    """Formats a row of a table whose first column has `width` characters."""
    return name.ljust(width) + "".join(value.rjust(10) for value in values)
