"""Search a method's knobs for the best trade-offs between diversity and LR-PSNR, with Optuna.

    python experiments/study/study.py                       # 20 trials of method=report, in outputs/study/report
    python experiments/study/study.py --trials 40           # 20 more
    python experiments/study/study.py --folder outputs/study/noise method=lr_noise 'noise.lr_std=interval(0,0.3)'

Overrides are those of run.py. What they sweep (some values with commas, range(...), interval(...), int(interval(...)),
tag(log,interval(...))) is drawn for each trial and replaces KNOBS; everything else is the same in every trial.

A trial is a run directory, trial_000 and so on. The same command resumes a study that was stopped or killed: the
interrupted trial is drawn again with the same values, and its run is resumed. The first trial has the values of the
configuration itself, if they lie in the ranges.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import optuna
from omegaconf import DictConfig, OmegaConf
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState
from pareto import OBJECTIVES, PLOT, TABLE, Point, draw, score, write_table
from sweeps import Choices, Interval, Sweep, check_sweep, read_sweep

from multimodal_pulse.base.errors import STOPS, Terminated, UserError
from multimodal_pulse.base.files import only_writer
from multimodal_pulse.interface.api import run_overrides

FOLDER = Path("outputs/study/report")
DATABASE = "study.db"
FIXED = {
    "method": "report", "references.split": "validation", "references.limit": "2", "num_samples": "4", "steps": "50",
    "tracking": "none", "metrics.lpips_net": "null",
}  # fmt: skip
KNOBS = {
    "noise.lr_std": "interval(0,0.2)",
    "objective.diversity_weight": "tag(log,interval(0.0002,0.02))",
    "noise.synthesis_std": "interval(0,1)",
}
UNSCORED = "unscored"
"""The attribute of a trial whose run has ended without a picture: it counts, but is not in the table."""


def sweep_of(overrides: Sequence[str]) -> Sweep:
    """Adds FIXED before the overrides, and KNOBS if they sweep nothing."""
    knobs = {} if read_sweep(overrides).swept else KNOBS
    defaults = {key: f"{key}={value}" for key, value in {**FIXED, **knobs}.items()}
    return read_sweep(list((defaults | {override.partition("=")[0]: override for override in overrides}).values()))


def open_study(folder: Path, sweep: Sweep, seed: int) -> optuna.Study:
    """Opens the study in `folder`, or makes a new one; an interrupted trial is closed.

    Raises:
        UserError: the folder holds another study.
    """
    study = optuna.create_study(
        storage=f"sqlite:///{(folder / DATABASE).absolute()}",
        study_name="study",
        directions=["maximize"] * len(OBJECTIVES),
        load_if_exists=True,
    )
    settings = {
        "fixed": sorted(sweep.fixed),
        "swept": {key: [str(value) for value in asdict(range_).values()] for key, range_ in sweep.swept.items()},
        "seed": seed,
    }
    there = study.user_attrs.get("settings", settings)
    if differing := [name for name in settings if there[name] != settings[name]]:
        raise UserError(f"{folder} holds another study (differing: {', '.join(differing)}): name another --folder.")
    study.set_user_attr("settings", settings)
    for trial in study.get_trials(states=[TrialState.RUNNING]):
        study.tell(trial.number, state=TrialState.FAIL)
    return study


def search(study: optuna.Study, folder: Path, sweep: Sweep, own: DictConfig, trials: int, seed: int) -> None:
    """Runs trials up to the given number.

    The draw of a trial depends only on the seed and on the finished trials before it, so a killed and resumed study
    equals an uninterrupted one.

    Args:
        own: a configuration with the values of the first trial.
    """
    distributions = {key: _distribution(range_) for key, range_ in sweep.swept.items()}
    while (number := len(ended(study))) < trials:
        study.sampler = optuna.samplers.TPESampler(seed=1000 * seed + number)
        if number == 0 and not study.get_trials(states=[TrialState.WAITING]):
            _enqueue(study, sweep, own)
        trial = study.ask(distributions)
        chosen = [f"{key}={value}" for key, value in trial.params.items()]
        print(f"\n{_name(number)} of {trials}: {' '.join(chosen)}", flush=True)
        metrics = run_overrides([*sweep.fixed, *chosen], folder / _name(number)).metrics
        values = {key: value for key in OBJECTIVES if (value := score(metrics, key)) is not None}
        if len(values) < len(OBJECTIVES):
            trial.set_user_attr(UNSCORED, True)
            study.tell(trial, state=TrialState.FAIL)
            print("no samples to compare: the trial has no place in the table", flush=True)
        else:
            study.tell(trial, list(values.values()))
            print(", ".join(f"{key} {value:.2f}" for key, value in values.items()), flush=True)


def ended(study: optuna.Study) -> list[FrozenTrial]:
    """Returns the trials whose run has ended, in order, without interrupted ones."""
    return [trial for trial in study.trials if trial.state is TrialState.COMPLETE or UNSCORED in trial.user_attrs]


def _name(number: int) -> str:
    """Returns the run directory of a trial, by its index in `ended`."""
    return f"trial_{number:03d}"


def _distribution(range_: Choices | Interval) -> BaseDistribution:
    if isinstance(range_, Choices):
        return CategoricalDistribution(range_.values)
    if isinstance(range_.low, int) and isinstance(range_.high, int):
        return IntDistribution(range_.low, range_.high, log=range_.log)
    return FloatDistribution(range_.low, range_.high, log=range_.log)


def _enqueue(study: optuna.Study, sweep: Sweep, own: DictConfig) -> None:
    """Gives the next trial the configuration's own values, unless one is outside its range."""
    values = {key: OmegaConf.select(own, key) for key in sweep.swept}
    for key, range_ in sweep.swept.items():
        if isinstance(range_, Choices):
            values[key] = str(values[key])
            inside = values[key] in range_.values
        else:
            inside = values[key] is not None and range_.low <= values[key] <= range_.high
        if not inside:
            return
    study.enqueue_trial(values)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path, default=FOLDER, help="folder of the study and its trials")
    parser.add_argument("--trials", type=int, default=20, help="number of trials, including earlier ones")
    parser.add_argument("--seed", type=int, default=0, help="seed of the drawn values; the runs have their own, seed=")
    parser.add_argument("--out", type=Path, help="folder of trials.csv and pareto.png; default: --folder")
    parser.add_argument("overrides", nargs="*", help="overrides of run.py; intervals and lists of values are searched")
    args = parser.parse_intermixed_args(arguments)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        sweep = sweep_of(args.overrides)
        own = check_sweep(Sweep(sweep.fixed, {}))
        if check_sweep(sweep).num_samples < 2:
            raise UserError("num_samples=1: a single sample has no diversity; take 2 or more.")
        with only_writer(args.folder):
            study = open_study(args.folder, sweep, args.seed)
            try:
                search(study, args.folder, sweep, own, args.trials, args.seed)
            finally:
                _report(study, sweep, args.folder, args.out or args.folder)
    except UserError as error:
        sys.exit(f"study: {error}")
    except STOPS as stop:
        print("study: stopped; the same command goes on.", file=sys.stderr)
        sys.exit(stop.code if isinstance(stop, Terminated) else 130)


def _report(study: optuna.Study, sweep: Sweep, folder: Path, out: Path) -> None:
    """Writes the table and the plot of the finished trials."""
    front = {trial.number for trial in study.best_trials}
    points = []
    for number, trial in enumerate(ended(study)):
        if trial.state is TrialState.COMPLETE:
            metrics = json.loads((folder / _name(number) / "metrics.json").read_text(encoding="utf-8"))
            points.append(Point(number, trial.params, metrics, on_front=trial.number in front))
    if points:
        out.mkdir(parents=True, exist_ok=True)
        write_table(points, out / TABLE)
        draw(points, sweep.swept, out / PLOT)
        print(f"\n{len(points)} trials, {len(front)} of them on the front: {out / TABLE}, {out / PLOT}")


if __name__ == "__main__":
    main()
