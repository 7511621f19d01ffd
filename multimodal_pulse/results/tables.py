"""The tables of runs on the terminal: their columns, and the table of a sweep, which is also a file.

Nothing here imports torch, not even through other modules: a sweep that was refused or stopped has its table at once.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from multimodal_pulse.base.faithfulness import OK_LR_PSNR_DB

COLUMNS = ("PSNR", "SSIM", "LPIPS", "LR-PSNR", "worst", "distance", "seconds")
LEGEND = (
    f"PSNR and LR-PSNR in dB; a sample counts as faithful from {OK_LR_PSNR_DB:.0f} dB of LR-PSNR upwards;"
    " distance: RMS between samples, 0 to 255"
)


def measures(metrics: Mapping[str, Any]) -> list[float | None]:
    """The columns of a whole run; None where it has no reference that can be measured."""
    means = [metrics[name]["mean"] for name in ("psnr", "ssim", "lpips", "lr_psnr")]
    references = metrics["num_references"]
    seconds = metrics["seconds"] / references if references else None
    return [*means, metrics["lr_psnr"]["min"], metrics["diversity"]["rms"], seconds]


def cells(*values: float | None) -> list[str]:
    """The values of COLUMNS as they are shown."""
    places = (2, 3, 3, 1, 1, 1, 1)
    return ["-" if value is None else f"{value:.{n}f}" for value, n in zip(values, places, strict=True)]


TABLE1 = (("PSNR", "psnr", 1, "dB"), ("SSIM", "ssim", 100, "%"), ("LPIPS", "lpips", 100, "%"))
"""The columns of the report's Table I: heading, key in metrics.json, factor, unit."""


def table1_row(metrics: Mapping[str, Any]) -> str:
    """A run as the report's Table I has it, "PSNR 18.28 +- 1.65 dB, SSIM 49.61 +- 8.41 %, LPIPS 37.32 +- 8.03 %".

    Mean and standard deviation over images; `table1_samples` says which samples enter. "-" stands for what the run
    did not measure.

    Args:
        metrics: the content of metrics.json.
    """
    headings = (heading for heading, *_ in TABLE1)
    return ", ".join(f"{heading} {cell}" for heading, cell in zip(headings, _table1_cells(metrics, "+-"), strict=True))


def table1_markdown(runs: Mapping[str, Mapping[str, Any]]) -> str:
    """The same as a Markdown table with a row for each run.

    Args:
        runs: name of the row -> the content of metrics.json.
    """
    rows = [["", *(heading for heading, *_ in TABLE1)], ["---"] * (1 + len(TABLE1))]
    rows += [[name, *_table1_cells(metrics, "±")] for name, metrics in runs.items()]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def table1_samples(metrics: Mapping[str, Any]) -> str:
    """Which images and samples enter a run's row of Table I, and how."""
    images = metrics.get("num_scored", metrics["num_references"])  # an older run does not tell them apart
    k, failed = metrics["num_samples"], metrics["status"]["failed"]
    samples = "the one sample of each" if k == 1 else f"all {k} samples of each, averaged first"
    without = f", but for {failed} that failed" if failed else ""
    return f"mean +- standard deviation over {images} image{'' if images == 1 else 's'}: {samples}{without}"


def _table1_cells(metrics: Mapping[str, Any], plus_minus: str) -> list[str]:
    measured = [(metrics[key]["mean"], metrics[key]["std"], factor, unit) for _, key, factor, unit in TABLE1]
    return [
        "-" if mean is None else f"{factor * mean:.2f} {plus_minus} {factor * std:.2f} {unit}"
        for mean, std, factor, unit in measured
    ]


def line(name: str, values: Sequence[str], width: int) -> str:
    """A row of a table whose first column has `width` characters."""
    return name.ljust(width) + "".join(value.rjust(10) for value in values)
