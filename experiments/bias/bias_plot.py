"""Draws bias.png."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from shares import GROUPS, Row
from traits import TRAITS, Trait


def plot(rows: Sequence[Row]) -> Figure:
    """Draws three panels for each trait: shares, what samples keep, and CPR."""
    figure = Figure(figsize=(15, 9), dpi=80, layout="constrained")
    axes = figure.subplots(3, len(TRAITS))
    methods = list(dict.fromkeys(row.method for row in rows))
    by_key = {(row.method, row.trait, row.name, row.given): row for row in rows}
    for column, trait in enumerate(TRAITS):
        where = np.arange(len(trait.classes))
        for number, method in enumerate(methods):
            shift = 0.16 * (number - (len(methods) - 1) / 2)
            everywhere = [by_key[method, trait.name, name, "all"] for name in trait.classes]
            kept = [by_key[method, trait.name, name, f"reference: {name}"] for name in trait.classes]
            _points(axes[0, column], where + shift, everywhere, method)
            _points(axes[1, column], where + shift, kept, method)
            groups = [by_key.get((method, trait.name, trait.classes[-1], f"LR picture: {group}")) for group in GROUPS]
            there = [row for row in groups if row is not None]
            _points(axes[2, column], np.array([row.expected for row in there]) + shift / 8, there, method)
        shares = [by_key[methods[0], trait.name, name, "all"].expected for name in trait.classes]
        axes[0, column].hlines(shares, where - 0.3, where + 0.3, color="black", label="references")
        axes[2, column].plot([0, 1], [0, 1], color="black", linewidth=1, label="as P(class | LR picture)")
        _finish(axes[:, column], trait, where)
    axes[0, 0].set_ylabel("share of the class")
    axes[1, 0].set_ylabel("share of samples that keep it")
    axes[2, 0].set_ylabel("share of samples, by what\nthe LR picture says")
    axes[0, 0].legend(fontsize=9)
    axes[2, 0].legend(fontsize=9, loc="upper left")
    return figure


def _points(axes: Axes, where: np.ndarray, rows: Sequence[Row], label: str) -> None:
    """Draws shares with their intervals."""
    values = np.array([row.share.value for row in rows])
    reach = np.array([[row.share.value - row.share.low, row.share.high - row.share.value] for row in rows]).T
    axes.errorbar(where, values, np.maximum(reach, 0), fmt="o", markersize=5, capsize=3, label=label)


def _finish(column: Sequence[Axes], trait: Trait, where: np.ndarray) -> None:
    column[0].set_title(trait.name)
    column[2].set_xlabel(f"P({trait.classes[-1]} | LR picture)", fontsize=9)
    for axes in column:
        axes.set_ylim(-0.03, 1.03)
        axes.grid(alpha=0.3)
    for axes in column[:2]:
        axes.set_xticks(where, [name.replace(" or ", "\nor ") for name in trait.classes], fontsize=9)
        axes.set_xlim(-0.5, len(where) - 0.5)
    column[2].set_xlim(-0.05, 1.05)
