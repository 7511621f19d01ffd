"""The YAML file of a W&B sweep, from a command line in Hydra's words.

Nothing here imports wandb: the file is data for `wandb sweep`, whose agents start `run.py`.
"""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.interface.sweeps import Choices, Interval, check_sweep, read_sweep

STRATEGIES = ("grid", "random", "bayes")

GOALS = {
    "lr_psnr.mean": "maximize",
    "lr_psnr.min": "maximize",
    "lr_psnr_ntire.mean": "maximize",
    "lr_psnr_ntire.mean_of_min": "maximize",
    "diversity.rms": "maximize",
    "diversity.lpips": "maximize",
    "diversity.pixel_std": "maximize",
    "diversity.lpips_score": "maximize",
    "diversity.mse_score": "maximize",
    "psnr.mean": "maximize",
    "psnr_best.mean": "maximize",
    "psnr_mean_image.mean": "maximize",
    "ssim.mean": "maximize",
    "lpips.mean": "minimize",
    "failures.lr_psnr_below_27": "minimize",
    "failures.lr_psnr_ntire_below_45": "minimize",
    "seconds": "minimize",
}
"""What a sweep may look at, and which way is better: numbers of metrics.json, which a run's summary has too."""

TRACKED = {"tracking": "tracking=wandb", "tracking.mode": "tracking.mode=online"}
"""By their keys, the overrides of every run."""


def wandb_sweep(
    overrides: Sequence[str], metric: str = "lr_psnr.mean", goal: str | None = None, strategy: str | None = None
) -> str:
    """The file's text.

    Args:
        overrides: as on the command line of a run; at least one sweeps its key.
        metric: one of GOALS.
        goal: "maximize" or "minimize"; None: the metric's.
        strategy: one of STRATEGIES; None: grid where every value can be listed, else random.

    Raises:
        UserError: an override, or a combination of what is swept, cannot run; the strategy or metric does not suit.
    """
    if metric not in GOALS:
        raise UserError(f"--metric={metric}: choose one of {', '.join(GOALS)}.")
    for override in overrides:
        key = override.partition("=")[0]
        if override != TRACKED.get(key, override):
            raise UserError(f"{override}: a W&B sweep hears of its runs by {' '.join(TRACKED.values())}; leave it out.")
    sweep = read_sweep([*(override for override in overrides if override not in TRACKED.values()), *TRACKED.values()])
    if not sweep.swept:
        raise UserError("nothing is swept: give a key several values (seed=0,1) or an interval (interval(0,0.2)).")
    cfg = check_sweep(sweep)
    intervals = [key for key, range_ in sweep.swept.items() if isinstance(range_, Interval)]
    strategy, goal = strategy or ("random" if intervals else "grid"), goal or GOALS[metric]
    if strategy == "grid" and intervals:
        raise UserError(f"--strategy=grid cannot list the values of {intervals[0]}: give it range(...) or some values.")
    content = {
        "program": "run.py",
        "project": cfg.tracking.project,
        "method": strategy,
        "metric": {"name": metric, "goal": goal},
        "parameters": {key: _parameter(key, range_) for key, range_ in sweep.swept.items()},
        "command": ["${env}", "${interpreter}", "${program}", *sweep.fixed, "${args_no_hyphens}"],
    }
    flags = [f"--strategy={strategy}", f"--metric={metric}", f"--goal={goal}"]
    made_by = shlex.join(["multimodal-pulse", "wandb-sweep", *flags, *overrides])
    return f"# {made_by}\n" + yaml.safe_dump(content, sort_keys=False, width=1000)


def _parameter(key: str, range_: Choices | Interval) -> Mapping[str, Any]:
    """What W&B calls a parameter. Its agent writes `key=value` with `str(value)`."""
    if isinstance(range_, Choices):
        return {"values": [_number(value) for value in range_.values]}
    if range_.log and range_.whole:
        raise UserError(f"{key}: W&B has no whole numbers by factors; leave out tag(log,...), or name some values.")
    distribution = "log_uniform_values" if range_.log else "int_uniform" if range_.whole else "uniform"
    return {"distribution": distribution, "min": range_.low, "max": range_.high}


def _number(value: str) -> int | float | str:
    """Numbers as such, so that W&B can draw axes; anything else as Hydra reads it (`null`, `[64,128]`, `true`)."""
    for kind in (int, float):
        try:
            number = kind(value)
        except ValueError:
            continue
        if str(number) == value:
            return number
    return value
