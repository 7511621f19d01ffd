"""Writes the trials of a study as a table and draws their trade-offs."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from sweeps import Choices, Interval

from multimodal_pulse.base.faithfulness import OK_LR_PSNR_DB
from multimodal_pulse.base.files import atomic_file, write_atomic

TABLE, PLOT = "trials.csv", "pareto.png"
OBJECTIVES = {"lr_psnr.mean": "LR-PSNR, dB", "diversity.rms": "distance between samples, grey levels"}
"""The objectives: keys of metrics.json, each better when higher, with the titles of their axes."""
ALSO = ("lr_psnr.min", "psnr.mean", "ssim.mean", "seconds")
"""The keys of the other columns of the table."""


@dataclass(frozen=True)
class Point:
    """A trial with its scores.

    Attributes:
        number: the number of its run directory.
        knobs: its values of the knobs.
        metrics: the content of its metrics.json.
        on_front: whether no other trial is better in one objective and at least as good in the other.
    """

    number: int
    knobs: Mapping[str, Any]
    metrics: Mapping[str, Any]
    on_front: bool

    @property
    def place(self) -> tuple[float, float]:
        """The objectives of the trial: LR-PSNR, distance."""
        x, y = (score(self.metrics, key) for key in OBJECTIVES)
        assert x is not None and y is not None
        return x, y


def score(metrics: Mapping[str, Any], key: str) -> float | None:
    """Returns the number in metrics.json under a dotted key."""
    value: Any = metrics
    for part in key.split("."):
        value = value[part]
    return value


def write_table(points: Sequence[Point], path: Path) -> None:
    """Formats a line for each trial: number, knobs, scores, and whether it is on the front."""
    keys = [*OBJECTIVES, *ALSO]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["trial", *points[0].knobs, *keys, "on_front"])
    for point in points:
        writer.writerow(
            [point.number, *point.knobs.values(), *(score(point.metrics, key) for key in keys), int(point.on_front)]
        )
    write_atomic(path, text.getvalue())


def draw(points: Sequence[Point], swept: Mapping[str, Choices | Interval], path: Path) -> None:
    """Draws the trials at their objectives, once per knob, which colours them; a line joins the front.

    The numbers at the points are those of the run directories.
    """
    figure = Figure(figsize=(0.8 + 4.1 * len(swept), 4.4), dpi=100, layout="constrained")
    panels = figure.subplots(1, len(swept), sharex=True, sharey=True, squeeze=False)[0]
    for axes, (knob, range_) in zip(panels, swept.items(), strict=True):
        _panel(axes, points, knob, range_)
        axes.set_xlabel(OBJECTIVES["lr_psnr.mean"])
    panels[0].set_ylabel(OBJECTIVES["diversity.rms"])
    with atomic_file(path) as partial:
        figure.savefig(partial)


def _panel(axes: Axes, points: Sequence[Point], knob: str, range_: Choices | Interval) -> None:
    front = sorted((point for point in points if point.on_front), key=lambda point: point.place)
    axes.plot(*zip(*(point.place for point in front), strict=True), color="0.6", linewidth=1, zorder=1)
    axes.axvline(OK_LR_PSNR_DB, color="0.8", linewidth=1, linestyle=":", zorder=0)
    if isinstance(range_, Choices):
        colours = [range_.values.index(point.knobs[knob]) for point in points]
        scale = Normalize(-0.5, len(range_.values) - 0.5)
    else:
        colours = [point.knobs[knob] for point in points]
        scale = (LogNorm if range_.log else Normalize)(range_.low, range_.high)
    x, y = zip(*(point.place for point in points), strict=True)
    sizes = [70 if point.on_front else 22 for point in points]
    edges = ["black" if point.on_front else "none" for point in points]
    axes.scatter(x, y, c=colours, s=sizes, norm=scale, edgecolors=edges, linewidths=0.8, zorder=2)
    for point in points:
        axes.annotate(
            str(point.number), point.place, xytext=(5, 3), textcoords="offset points", fontsize=7,
            color="black" if point.on_front else "0.55",
        )  # fmt: skip
    bar = axes.figure.colorbar(ScalarMappable(scale), ax=axes, location="top", fraction=0.05, aspect=30)
    bar.set_label(knob)
    if isinstance(range_, Choices):
        bar.set_ticks(range(len(range_.values)), labels=range_.values)
