"""Makes a plot and a CSV for each finding."""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from curves import Curves
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from points import (
    COMBINED_DISTANCES,
    COMBINED_LR_STDS,
    COMBINED_WEIGHTS,
    DIVERSITY_WEIGHTS,
    EXPLORE_STEPS,
    LR_STDS,
    MASKED_LR_STDS,
    REPULSION_DISTANCES,
    SEARCH_STEPS,
    SYNTHESIS_STDS,
)
from verdicts import STUCK_DB, below_best

from multimodal_pulse.base.faithfulness import OK_LR_PSNR_DB
from multimodal_pulse.metrics.intervals import Estimate, estimate

TITLES = {
    "distance": "distance between samples, grey levels",
    "lr_distance": "distance between LR images, grey levels",
    "lr_psnr": "LR-PSNR of what was found, dB",
    "faithful": f"samples found with at least {OK_LR_PSNR_DB:.0f} dB, share",
    "psnr": "PSNR to the original, dB",
    "lpips": "LPIPS to the original",
    "realism": "samples where real portraits lie, share",
    "grain": "share of the difference that is grain",
    "inside": "distance inside the mask, grey levels",
    "outside": "distance outside, grey levels",
}

REPORT, EXPLORE, EXPLORE_STARTS = "the report's method", "explore", "explore, its starts alone"
COLORS = {REPORT: "tab:blue", EXPLORE: "tab:orange", EXPLORE_STARTS: "tab:orange"}
"""The colours of these lines in every plot; other lines take the next one of Matplotlib's."""


@dataclass(frozen=True)
class Row:
    """A row of panels: measures over the values of a knob.

    Attributes:
        knob: its name under the panels.
        lines: for each line, its label, its method and the values.
        measures: one for each panel.
        same_scale: whether all panels share the vertical axis.
    """

    knob: str
    lines: Sequence[tuple[str, str, Sequence[float]]]
    measures: Sequence[str]
    same_scale: bool = False

    def points(self) -> list[tuple[str, str]]:
        """Returns the measured points, each with a measure."""
        return [(f"{method}/{v:g}", m) for m in self.measures for _, method, values in self.lines for v in values]


KNOBS: dict[int, Sequence[Row]] = {
    1: [
        Row(
            "steps",
            [(REPORT, "resampling", SEARCH_STEPS), (EXPLORE_STARTS, "explore_starts", EXPLORE_STEPS)],
            ("distance", "lr_distance", "lr_psnr", "realism"),
        )
    ],
    3: [
        Row(
            "std of the LR noise",
            [(REPORT, "lr_noise", LR_STDS), (EXPLORE, "explore_lr_noise", LR_STDS)],
            ("distance", "lr_psnr", "psnr", "realism"),
        )
    ],
    4: [
        Row(
            "std of the LR noise",
            [
                (f"{of}, noise {where}", prefix + method, MASKED_LR_STDS)
                for of, prefix in ((REPORT, ""), (EXPLORE, "explore_"))
                for where, method in (("in the mask", "masked_lr_noise"), ("everywhere", "lr_noise"))
            ],
            ("inside", "outside"),
            same_scale=True,
        )
    ],
    5: [
        Row(
            "std of the synthesis noise",
            [(REPORT, "synthesis_noise", SYNTHESIS_STDS), (EXPLORE, "explore_synthesis_noise", SYNTHESIS_STDS)],
            ("distance", "grain", "lpips", "realism"),
        )
    ],
    6: [
        Row(
            "weight of the loss of equation (1)",
            [(REPORT, "batch_diversity", DIVERSITY_WEIGHTS)],
            ("distance", "lr_psnr", "psnr", "realism"),
        ),
        Row(
            "explore: distance of the repulsion, grey levels",
            [(EXPLORE, "explore_repulsion", REPULSION_DISTANCES)],
            ("distance", "lr_psnr", "psnr", "realism"),
        ),
    ],
}
"""The rows of the plots that show curves, by finding."""

STARTS = {"resampling": SEARCH_STEPS, "explore_starts": EXPLORE_STEPS}
"""The rows of the plot of finding 2: a method and its numbers of steps."""

GRIDS: dict[str, tuple[Sequence[float], str]] = {
    "combined": (COMBINED_WEIGHTS, "report: weight of the loss of equation (1)"),
    "explore_combined": (COMBINED_DISTANCES, "explore: distance of the repulsion, grey levels; 0: none"),
}
"""The rows of the plot of finding 7: a method, the values of its second knob, and that knob's name."""
_GRID_MEASURES = ("distance", "lr_psnr", "faithful")


def csv_of(number: int, curves: Curves) -> str:
    """Returns the numbers of a finding's plot: a line for each point and measure."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["point", "measure", "mean", "low", "high"])
    for point, measure, shown in _numbers(number, curves):
        writer.writerow([point, measure, *(f"{value:.5g}" for value in (shown.mean, shown.low, shown.high))])
    return text.getvalue()


def _numbers(number: int, curves: Curves) -> list[tuple[str, str, Estimate]]:
    if number == 2:
        return [
            (point, f"share {db:g} dB below the best", estimate(_share_below(curves, point, db)))
            for method, values in STARTS.items()
            for db in (STUCK_DB / 2, STUCK_DB)
            for point in (f"{method}/{steps}" for steps in values)
        ]
    if number == 7:
        points = [
            (f"{method}/{std:g}-{other:g}", measure)
            for method, (others, _) in GRIDS.items()
            for measure in _GRID_MEASURES
            for std in COMBINED_LR_STDS
            for other in others
        ]
    else:
        points = [point for row in KNOBS[number] for point in row.points()]
    return [(point, measure, estimate(curves(point, measure))) for point, measure in points]


def _share_below(curves: Curves, point: str, decibels: float) -> np.ndarray:
    return (below_best(curves, point) >= decibels).mean(axis=1)


def plot(number: int, title: str, curves: Curves) -> Figure:
    """Draws the plot of a finding: means over portraits, with their 95 % intervals."""
    draw: dict[int, Callable[[Figure, Curves], None]] = {2: _latents, 7: _combination}
    rows = len(KNOBS.get(number, (REPORT, EXPLORE)))
    figure = Figure(figsize=(12.5, 0.4 + 3 * rows), dpi=80, layout="constrained")
    figure.suptitle(f"{number}. {title}", fontsize=11)
    if number in draw:
        draw[number](figure, curves)
    else:
        _knobs(figure, curves, KNOBS[number])
    return figure


def _knobs(figure: Figure, curves: Curves, rows: Sequence[Row]) -> None:
    panels = figure.subplots(len(rows), len(rows[0].measures), squeeze=False, sharey=rows[0].same_scale)
    for row, of_row in zip(rows, panels, strict=True):
        ticks = sorted({value for _, _, values in row.lines for value in values})
        for axes, measure in zip(of_row, row.measures, strict=True):
            for label, method, values in row.lines:
                shown = [estimate(curves(f"{method}/{value:g}", measure)) for value in values]
                _line(axes, shown, [ticks.index(value) for value in values], label)
            axes.set_xticks(range(len(ticks)), [f"{value:g}" for value in ticks])
            _finish(axes, row.knob, measure)
        of_row[0].legend(fontsize=8)


def _line(axes: Axes, estimates: Sequence[Estimate], where: Sequence[int], label: str) -> None:
    """Draws a curve with its intervals as a band; values are evenly spaced, since they may include 0."""
    means = [shown.mean for shown in estimates]
    (line,) = axes.plot(where, means, marker="o", markersize=4, label=label, color=COLORS.get(label))
    low, high = [shown.low for shown in estimates], [shown.high for shown in estimates]
    axes.fill_between(where, low, high, alpha=0.2, color=line.get_color(), linewidth=0)


def _finish(axes: Axes, knob: str, measure: str) -> None:
    axes.set_xlabel(knob, fontsize=9)
    axes.set_title(TITLES.get(measure, measure), fontsize=9)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.3)
    if measure == "lr_psnr":
        axes.axhline(OK_LR_PSNR_DB, color="gray", linestyle=":", linewidth=1)
    else:
        axes.set_ylim(bottom=0 if measure != "psnr" else None)


def _latents(figure: Figure, curves: Curves) -> None:
    """Draws every latent's LR-PSNR, with portraits in order of their best latent, and the share far below the best."""
    panels = figure.subplots(len(STARTS), 2, width_ratios=[2, 1])
    for (method, values), name, (every, share) in zip(STARTS.items(), (REPORT, EXPLORE), panels, strict=True):
        point = f"{method}/{values[-1]}"
        lr_psnr = curves.lr_psnr_of_latents(point)
        lr_psnr = lr_psnr[np.argsort(lr_psnr.max(axis=1))]
        where = np.repeat(np.arange(len(lr_psnr)), lr_psnr.shape[1])
        every.scatter(where, lr_psnr.ravel(), s=14, alpha=0.6)
        every.plot(lr_psnr.max(axis=1) - STUCK_DB, color="tab:red", linewidth=1, label=f"{STUCK_DB:g} dB below best")
        every.set_xticks([])
        every.legend(fontsize=8)
        _finish(every, "portraits, in the order of their best initial latent", "lr_psnr")
        every.set_title(f"{name}: LR-PSNR of each initial latent after {values[-1]} steps, dB", fontsize=9)
        for decibels in (STUCK_DB / 2, STUCK_DB):
            shares = [estimate(_share_below(curves, f"{method}/{value}", decibels)) for value in values]
            _line(share, shares, range(len(values)), label=f"{decibels:g} dB below the best of {lr_psnr.shape[1]}")
        share.set_xticks(range(len(values)), [str(value) for value in values])
        share.legend(fontsize=8)
        _finish(share, "steps", f"{name}: share of initial latents")


def _combination(figure: Figure, curves: Curves) -> None:
    """Draws a grid of both knobs for each method and measure."""
    panels = figure.subplots(len(GRIDS), len(_GRID_MEASURES))
    for (method, (others, knob)), of_method in zip(GRIDS.items(), panels, strict=True):
        for axes, measure in zip(of_method, _GRID_MEASURES, strict=True):
            grid = np.array(
                [
                    [curves(f"{method}/{std:g}-{other:g}", measure).mean() for other in others]
                    for std in COMBINED_LR_STDS
                ]
            )
            axes.imshow(grid, cmap="viridis", aspect="auto")
            middle = (grid.min() + grid.max()) / 2
            for (row, column), value in np.ndenumerate(grid):
                color = "white" if value < middle else "black"
                places = 2 if measure == "faithful" else 1
                axes.text(column, row, f"{value:.{places}f}", ha="center", va="center", color=color, fontsize=10)
            axes.set_xticks(range(len(others)), [f"{other:g}" for other in others])
            axes.set_yticks(range(len(COMBINED_LR_STDS)), [f"{std:g}" for std in COMBINED_LR_STDS])
            axes.set_xlabel(knob, fontsize=9)
            axes.set_ylabel("std of the LR noise", fontsize=9)
            axes.set_title(TITLES[measure], fontsize=9)
