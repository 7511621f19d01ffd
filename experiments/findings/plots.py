"""Makes a plot and a CSV for each finding."""

import csv
import io
from collections.abc import Callable, Sequence

import numpy as np
from curves import Curves
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from points import (
    COMBINED_LR_STDS,
    COMBINED_WEIGHTS,
    DIVERSITY_WEIGHTS,
    LR_STDS,
    MASKED_LR_STDS,
    SEARCH_STEPS,
    SYNTHESIS_STDS,
)
from verdicts import STUCK_DB, below_best

from multimodal_pulse.base.faithfulness import OK_LR_PSNR_DB
from multimodal_pulse.metrics.intervals import Estimate, estimate

TITLES = {
    "distance": "distance between samples, grey levels",
    "lr_distance": "distance between LR images, grey levels",
    "lr_psnr": "LR-PSNR, dB",
    "faithful": f"samples of at least {OK_LR_PSNR_DB:.0f} dB, share",
    "psnr": "PSNR to the original, dB",
    "lpips": "LPIPS to the original",
    "realism": "samples where real portraits lie, share",
    "grain": "share of the difference that is grain",
    "inside": "distance inside the mask, grey levels",
    "outside": "distance outside, grey levels",
}

KNOBS: dict[int, tuple[str, str, Sequence[float], Sequence[str]]] = {
    1: ("resampling", "steps", SEARCH_STEPS, ("distance", "lr_distance", "lr_psnr", "realism")),
    3: ("lr_noise", "std of the LR noise", LR_STDS, ("distance", "lr_psnr", "psnr", "realism")),
    5: ("synthesis_noise", "std of the synthesis noise", SYNTHESIS_STDS, ("distance", "grain", "lpips", "realism")),
    6: ("batch_diversity", "weight of the loss", DIVERSITY_WEIGHTS, ("distance", "lr_psnr", "psnr", "realism")),
}
"""For each finding: the method, its knob, the values and the plotted measures."""


def csv_of(number: int, curves: Curves) -> str:
    """Returns the numbers of a finding's plot: a line for each point and measure."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["point", "measure", "mean", "low", "high"])
    for point, measure, shown in _numbers(number, curves):
        writer.writerow([point, measure, *(f"{value:.5g}" for value in (shown.mean, shown.low, shown.high))])
    return text.getvalue()


def _numbers(number: int, curves: Curves) -> list[tuple[str, str, Estimate]]:
    if number in KNOBS:
        method, _, values, measures = KNOBS[number]
        return [(f"{method}/{v:g}", m, estimate(curves(f"{method}/{v:g}", m))) for m in measures for v in values]
    if number == 2:
        return [
            (f"resampling/{steps}", f"share {db:g} dB below the best", estimate(_share_below(curves, steps, db)))
            for db in (STUCK_DB / 2, STUCK_DB)
            for steps in SEARCH_STEPS
        ]
    if number == 4:
        points = [f"{method}/{std:g}" for method in ("masked_lr_noise", "lr_noise") for std in MASKED_LR_STDS]
        return [(point, m, estimate(curves(point, m))) for m in ("inside", "outside") for point in points]
    points = [f"combined/{std:g}-{weight:g}" for std in COMBINED_LR_STDS for weight in COMBINED_WEIGHTS]
    return [(point, m, estimate(curves(point, m))) for m in ("distance", "lr_psnr", "faithful") for point in points]


def _share_below(curves: Curves, steps: int, decibels: float) -> np.ndarray:
    return (below_best(curves, steps) >= decibels).mean(axis=1)


def plot(number: int, title: str, curves: Curves) -> Figure:
    """Draws the plot of a finding: means over portraits, with their 95 % intervals."""
    draw: dict[int, Callable[[Figure, Curves], None]] = {2: _latents, 4: _mask, 7: _combination}
    figure = Figure(figsize=(12.5, 3.4), dpi=80, layout="constrained")
    figure.suptitle(f"{number}. {title}", fontsize=11)
    if number in draw:
        draw[number](figure, curves)
    else:
        _knob(figure, curves, *KNOBS[number])
    return figure


def _knob(
    figure: Figure, curves: Curves, method: str, knob: str, values: Sequence[float], measures: Sequence[str]
) -> None:
    for axes, measure in zip(figure.subplots(1, len(measures)), measures, strict=True):
        _line(axes, [estimate(curves(f"{method}/{value:g}", measure)) for value in values], values)
        _finish(axes, knob, measure)


def _line(axes: Axes, estimates: Sequence[Estimate], values: Sequence[float], label: str | None = None) -> None:
    """Draws a curve over evenly spaced values, which may include 0, with its intervals as a band."""
    where = np.arange(len(values))
    (line,) = axes.plot(where, [shown.mean for shown in estimates], marker="o", markersize=4, label=label)
    low, high = [shown.low for shown in estimates], [shown.high for shown in estimates]
    axes.fill_between(where, low, high, alpha=0.2, color=line.get_color(), linewidth=0)
    axes.set_xticks(where, [f"{value:g}" for value in values])


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
    every, share = figure.subplots(1, 2, width_ratios=[2, 1])
    steps = SEARCH_STEPS[-1]
    lr_psnr = curves.lr_psnr_of_latents(f"resampling/{steps}")
    lr_psnr = lr_psnr[np.argsort(lr_psnr.max(axis=1))]
    where = np.repeat(np.arange(len(lr_psnr)), lr_psnr.shape[1])
    every.scatter(where, lr_psnr.ravel(), s=14, alpha=0.6)
    every.plot(lr_psnr.max(axis=1) - STUCK_DB, color="tab:red", linewidth=1, label=f"{STUCK_DB:g} dB below the best")
    every.set_xticks([])
    every.legend(fontsize=8)
    _finish(every, "portraits, in the order of their best initial latent", "lr_psnr")
    every.set_title(f"LR-PSNR of each initial latent after {steps} steps, dB", fontsize=9)
    for decibels in (STUCK_DB / 2, STUCK_DB):
        shares = [estimate(_share_below(curves, value, decibels)) for value in SEARCH_STEPS]
        _line(share, shares, SEARCH_STEPS, label=f"{decibels:g} dB below the best of 8")
    share.legend(fontsize=8)
    _finish(share, "steps", "share of initial latents")


def _mask(figure: Figure, curves: Curves) -> None:
    """Draws the distance inside and outside the mask, for masked noise and for noise everywhere."""
    for axes, measure in zip(figure.subplots(1, 2, sharey=True), ("inside", "outside"), strict=True):
        for method, label in (("masked_lr_noise", "noise in the mask"), ("lr_noise", "noise everywhere")):
            shown = [estimate(curves(f"{method}/{std:g}", measure)) for std in MASKED_LR_STDS]
            _line(axes, shown, MASKED_LR_STDS, label)
        axes.legend(fontsize=8)
        _finish(axes, "std of the LR noise", measure)


def _combination(figure: Figure, curves: Curves) -> None:
    """Draws a grid of both knobs for each measure."""
    for axes, measure in zip(figure.subplots(1, 3), ("distance", "lr_psnr", "faithful"), strict=True):
        grid = np.array(
            [[curves(f"combined/{s:g}-{w:g}", measure).mean() for w in COMBINED_WEIGHTS] for s in COMBINED_LR_STDS]
        )
        axes.imshow(grid, cmap="viridis", aspect="auto")
        middle = (grid.min() + grid.max()) / 2
        for (row, column), value in np.ndenumerate(grid):
            color = "white" if value < middle else "black"
            places = 2 if measure == "faithful" else 1
            axes.text(column, row, f"{value:.{places}f}", ha="center", va="center", color=color, fontsize=10)
        axes.set_xticks(range(len(COMBINED_WEIGHTS)), [f"{weight:g}" for weight in COMBINED_WEIGHTS])
        axes.set_yticks(range(len(COMBINED_LR_STDS)), [f"{std:g}" for std in COMBINED_LR_STDS])
        axes.set_xlabel("weight of the batch-diversity loss", fontsize=9)
        axes.set_ylabel("std of the LR noise", fontsize=9)
        axes.set_title(TITLES[measure], fontsize=9)
