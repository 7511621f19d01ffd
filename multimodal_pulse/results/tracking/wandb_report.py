"""Reports of Weights & Biases about the runs of a folder, as the studio shows them. The only module that imports
wandb_workspaces."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import wandb_workspaces.reports.v2 as wr
import yaml

from multimodal_pulse.base.errors import UserError, listed
from multimodal_pulse.base.files import short
from multimodal_pulse.results.json_files import read_json
from multimodal_pulse.results.tracking.wandb_tracker import flat, refuse_without_key

DISTANCE = "diversity.rms"
AGREEMENT = {"psnr.mean": "PSNR, dB", "lr_psnr.mean": "LR-PSNR, dB"}
"""What the distance between samples is plotted against, by its key in the summary of a W&B run."""
COLUMNS = ("num_references", "num_records", "psnr.mean", "lpips.mean", "lr_psnr.mean", DISTANCE, "realism.mean")
"""The keys of the summary that the table of runs shows, where a run has them."""
CURVES = {"fidelity": "LR error at each step", "loss": "Loss at each step"}
GALLERIES = {
    "samples": "Samples",
    "grid": "Samples beside the reference",
    "mean": "Mean of the samples",
    "spread": "Where the samples differ",
}
LONGEST_TITLE = 128
"""The most characters that W&B's library takes."""


@dataclass(frozen=True)
class TrackedRun:
    """A run directory that was tracked by W&B.

    Attributes:
        name: its name, which the W&B run has too.
        project: the W&B project that its configuration names.
        ids: the W&B runs in it; a resumed run has several.
        uploaded: whether none of them is offline only.
        scores: the summary of the W&B run, from metrics.json.
        galleries: the references whose pictures may have been logged.
    """

    name: str
    project: str
    ids: list[str]
    uploaded: bool
    scores: dict[str, Any]
    galleries: list[str]


@dataclass(frozen=True)
class Runs:
    """The tracked runs of a folder, and the expression that finds them in their W&B project."""

    found: list[TrackedRun]
    filters: str

    @property
    def project(self) -> str:
        """The W&B project that their configuration names."""
        return self.found[0].project

    @property
    def offline(self) -> list[str]:
        """The names of those that W&B does not have yet."""
        return [run.name for run in self.found if not run.uploaded]


def tracked_runs(folder: Path) -> Runs:
    """Returns the runs that W&B has tracked in a folder.

    The runs of a sweep are found by their group, which later runs of the sweep join; all others by their W&B ids.

    Args:
        folder: a sweep, a run directory, or another folder of run directories.

    Raises:
        UserError: there are none in it, or a file is damaged.
    """
    alone = (folder / "config.yaml").is_file()
    places = [folder] if alone else sorted(path.parent for path in folder.glob("*/config.yaml"))
    found = [run for run in map(_tracked_run, places) if run is not None]
    if not found:
        raise UserError(
            f"{short(folder)} has no run that W&B has tracked: give the folder of a sweep or of a run with"
            " tracking=wandb."
        )
    if not alone and (folder / "sweep.csv").is_file():
        return Runs(found, f"Metric('Group') == {folder.resolve().name!r}")
    return Runs(found, f"Metric('ID') in {[name for run in found for name in run.ids]!r}")


def _tracked_run(folder: Path) -> TrackedRun | None:
    """Returns the run in a run directory; None if W&B has not tracked it."""
    path = folder / "config.yaml"
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        tracking = config["tracking"]
    except (yaml.YAMLError, UnicodeDecodeError, TypeError, KeyError) as error:
        raise UserError(f"{short(path)} is damaged, or not this program's.") from error
    logs = sorted(folder.glob("wandb/*run-*-*/run-*.wandb"))
    if "project" not in tracking or not logs:
        return None
    return TrackedRun(
        name=folder.resolve().name,
        project=tracking["project"],
        ids=[log.stem.removeprefix("run-") for log in logs],
        uploaded=not any(
            log.parent.name.startswith("offline-") and not log.with_name(f"{log.name}.synced").exists() for log in logs
        ),
        scores={key: value for key, value in flat(read_json(folder / "metrics.json") or {}) if value is not None},
        galleries=sorted(path.parent.name for path in folder.glob("references/*/grid.png"))[: tracking["limit"]],
    )


def front(points: Mapping[str, tuple[float, float]]) -> list[str]:
    """Returns the names of the points that no other beats in both coordinates (the Pareto front), by the first one."""
    return sorted(
        (
            name
            for name, (x, y) in points.items()
            if not any(a >= x and b >= y and (a, b) != (x, y) for a, b in points.values())
        ),
        key=lambda name: points[name],
    )


def make_report(runs: Runs, project: str, title: str, **entity: str) -> wr.Report:
    """Returns the report, which is not saved yet.

    Args:
        runs: what it is about.
        project: the W&B project that has the runs, and gets the report.
        title: of at most 128 characters.
        **entity: `entity`, who has the project; without it W&B is asked for that of the key.
    """
    keys = {key for run in runs.found for key in run.scores}
    columns = ["run:displayName", "config:method.value", *(f"summary:{key}" for key in COLUMNS if key in keys)]

    def grid(panels: Iterable[Any]) -> wr.PanelGrid:
        # Without a project of its own a set of runs has that of the report; W&B would be asked for any other.
        table = wr.Runset(name="Runs", filters=runs.filters, visible_columns=columns, lock_columns=True)
        return wr.PanelGrid(runsets=[table], panels=_side_by_side(panels))

    plotted = [key for key in AGREEMENT if {key, DISTANCE} <= keys]
    names = sorted({name for run in runs.found for name in run.galleries})
    return wr.Report(
        project=project,
        title=title,
        width="fluid",
        blocks=[
            wr.H2("Runs"),
            wr.P("What differs between the runs; the table below has their means."),
            grid([wr.RunComparer(diff_only="split")]),
            wr.H2("Distance against agreement"),
            *(wr.P(_front_in_words(runs.found, key)) for key in plotted),
            grid(_scatter(key) for key in plotted) if plotted else wr.P("No run has both scores."),
            wr.H2("Curves"),
            grid(_curve(curve, words, len(runs.found)) for curve, words in CURVES.items()),
            wr.H2("Pictures"),
            grid(
                wr.MediaBrowser(title=words, media_keys=[f"{kind}/{name}" for name in names])
                for kind, words in GALLERIES.items()
            ),
        ],
        **entity,
    )


def _scatter(key: str) -> wr.ScatterPlot:
    return wr.ScatterPlot(
        title=f"distance, grey levels, and {AGREEMENT[key]}", x=wr.SummaryMetric(DISTANCE), y=wr.SummaryMetric(key)
    )


def _curve(name: str, words: str, runs: int) -> wr.LinePlot:
    # The key of a curve ends in the label of its group, so an expression finds those of all groups.
    return wr.LinePlot(title=words, x="step", metric_regex=f"^{name}/", log_y=name == "fidelity", max_runs_to_show=runs)


def _front_in_words(runs: Sequence[TrackedRun], key: str) -> str:
    both = {run.name: (run.scores[DISTANCE], run.scores[key]) for run in runs if {DISTANCE, key} <= run.scores.keys()}
    axes = f"distance and {AGREEMENT[key].removesuffix(', dB')}"
    return f"The Pareto front of {axes} over {len(both)} runs, when this report was made: {listed(front(both))}."


def _side_by_side(panels: Iterable[Any]) -> list[Any]:
    """Places panels in two columns of W&B's 24 units of width, a single one over all of it."""
    placed = list(panels)
    width = 24 // min(len(placed), 2)
    for number, panel in enumerate(placed):
        panel.layout = wr.Layout(x=width * (number % 2), y=10 * (number // 2), w=width, h=10)
    return placed


def specification(report: wr.Report) -> dict[str, Any]:
    """Returns what W&B's server would get, as JSON's types; needs no network if the entity is given."""
    return report._to_model().model_dump(mode="json", by_alias=True, exclude_none=True)


def publish(runs: Runs, project: str, title: str, entity: str | None = None) -> str:
    """Saves the report at W&B and returns its address; for the arguments see `make_report`.

    Raises:
        UserError: there is no key, no network, or W&B refuses the report.
    """
    refuse_without_key("a W&B report", "see its specification by --dry-run")
    print("note: connecting to W&B, for 30 s at the most if there is no network", file=sys.stderr, flush=True)
    try:
        report = make_report(runs, project, title, **({} if entity is None else {"entity": entity}))
        address = report.save().url
    except Exception as error:  # of the library, of W&B and of the network
        reason = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
        raise UserError(f"W&B has not taken the report ({reason}); --dry-run prints it without a network.") from error
    if runs.offline:
        print(f"note: not in the report until `wandb sync` uploads them: {listed(runs.offline)}", file=sys.stderr)
    return address
