"""The report of W&B: its specification, against what real offline runs have logged; nothing here has a server."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import tiny_run
import yaml
from hypothesis import given
from hypothesis import strategies as st
from wandb_files import forget_wandb_settings, read_run, records_of

wr = pytest.importorskip("wandb_workspaces.reports.v2", reason="the extra wandb-report is not installed")

from wandb_workspaces.reports.v2 import internal  # noqa: E402

from multimodal_pulse.results.tracking.wandb_report import front  # noqa: E402


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real sweep of two runs that were tracked offline, in a project of their own."""
    folder = tmp_path_factory.mktemp("sweeps") / 'it\'s "mine"'
    quoted = str(folder).replace("'", "\\'")
    with pytest.MonkeyPatch.context() as patch:
        forget_wandb_settings(patch, folder)
        settings = ["tracking=wandb", "tracking.project=faces", "num_samples=2", "method=lr_noise"]
        words = [*tiny_run.OVERRIDES, *settings, "noise.lr_std=0.05,0.2", f"hydra.sweep.dir='{quoted}'"]
        assert tiny_run.run("-m", *words) == 0
    return folder


@pytest.fixture(autouse=True)
def _nothing_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forget_wandb_settings(monkeypatch, tmp_path)


@pytest.fixture
def dry(capsys: pytest.CaptureFixture[str]):
    """Runs the command without a key and without a network, and returns the specification that it prints."""

    def printed(*arguments: object) -> dict[str, Any]:
        assert tiny_run.run("wandb-report", *arguments, "--dry-run") == 0
        return json.loads(capsys.readouterr().out)

    return printed


def grids(report: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return (block["metadata"] for block in report["spec"]["blocks"] if block["type"] == "panel-grid")


def panels(report: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """The settings of all panels of a kind."""
    found = [panel for grid in grids(report) for panel in grid["panelBankSectionConfig"]["panels"]]
    return [panel["config"] for panel in found if panel["viewType"] == kind]


def filters(report: dict[str, Any]) -> set[tuple[str, str, str, str]]:
    """The filters of all sets of runs: what section and key, how compared, with what (as JSON)."""
    sets = [runs for grid in grids(report) for runs in grid["runSets"]]
    assert sets and all("project" not in runs for runs in sets)  # the report's own
    every = [(runs["filters"]["filters"]) for runs in sets]
    return {(f["key"]["section"], f["key"]["name"], f["op"], json.dumps(f["value"])) for [f] in every}


def logs(folder: Path) -> list[Path]:
    return sorted(folder.rglob("run-*.wandb"))


def test_it_finds_the_runs_by_the_project_and_the_group_that_were_logged(sweep, dry):
    report = dry(sweep, "--entity", "me")
    logged = [read_run(path) for path in logs(sweep)]
    assert len(logged) == 2
    assert {run["project"] for run in logged} == {report["project"]["name"]} == {"faces"}
    assert report["project"]["entityName"] == "me" and report["displayName"] == sweep.name
    [group] = {run["group"] for run in logged}
    assert filters(report) == {("run", "group", "=", json.dumps(group))}


def test_its_axes_curves_and_columns_are_keys_that_were_logged(sweep, dry):
    report = dry(sweep)
    for run in (read_run(path) for path in logs(sweep)):
        plots = panels(report, "Scatter Plot")
        axes = [(plot["xAxis"].removeprefix("summary:"), plot["yAxis"].removeprefix("summary:")) for plot in plots]
        assert axes == [("diversity.rms", "psnr.mean"), ("diversity.rms", "lr_psnr.mean")]
        assert all(isinstance(run["summary"][key], float) for pair in axes for key in pair)
        steps = [row for row in run["history"] if "step" in row]
        curves = panels(report, "Run History Line Plot")
        assert len(curves) == 2 and len(steps) == 3
        for curve in curves:
            assert curve["xAxis"] == "step" and curve["useMetricRegex"]
            for row in steps:
                assert [key for key in row if re.search(curve["metricRegex"], key)]
        for grid in grids(report):
            for column in grid["runSets"][0]["runFeed"]["columnOrder"]:
                section, key = column.split(":")
                if section == "summary":
                    assert isinstance(run["summary"][key], int | float)
                elif section == "config":
                    assert run["config"][key.removesuffix(".value")] == "lr_noise"
                else:
                    assert column == "run:displayName"


@pytest.mark.parametrize(("absent", "left"), [("psnr", ["summary:lr_psnr.mean"]), ("diversity", [])])
def test_a_score_that_no_run_has_is_neither_plotted_nor_in_the_table(absent, left, sweep, dry, tmp_path):
    """Photographs without an original have no PSNR, a single sample has no distance."""
    run = shutil.copytree(sorted(sweep.glob("*-lr_noise*"))[0], tmp_path / "run", symlinks=True)
    metrics = tiny_run.read(run / "metrics.json")
    metrics[absent] = dict.fromkeys(metrics[absent])  # null, as metrics.json has it
    (run / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
    report = dry(run)
    assert [plot["yAxis"] for plot in panels(report, "Scatter Plot")] == left
    assert f"summary:{absent}." not in json.dumps(report)


def test_its_galleries_are_all_pictures_that_were_logged(sweep, dry):
    shown = [key for browser in panels(dry(sweep), "Media Browser") for key in browser["mediaKeys"]]
    for run in (read_run(path) for path in logs(sweep)):
        rows = {key: value for row in run["history"] for key, value in row.items() if isinstance(value, dict)}
        pictures = [key for key, value in rows.items() if value.get("_type", "").startswith("image")]
        assert sorted(shown) == sorted(pictures) and len(pictures) == 4


def test_a_single_run_is_found_by_its_name_at_wandb(sweep, dry):
    run = sorted(sweep.glob("*-lr_noise*"))[1]
    [path] = logs(run)
    [name] = {record.run.run_id for record in records_of(path)} - {""}
    report = dry(run, "--project", "other", "--title", "Mine")
    assert filters(report) == {("run", "name", "IN", json.dumps([name]))}
    assert (report["project"]["name"], report["displayName"]) == ("other", "Mine")


def test_the_librarys_own_parser_reads_it(sweep, dry):
    sent = dry(sweep)
    read = wr.Report._from_model(internal.ReportViewspec.model_validate(sent | {"spec": json.dumps(sent["spec"])}))
    kinds = {type(panel) for block in read.blocks if isinstance(block, wr.PanelGrid) for panel in block.panels}
    assert kinds == {wr.RunComparer, wr.ScatterPlot, wr.LinePlot, wr.MediaBrowser}
    read.width = sent["spec"]["width"]  # the one thing that it does not read
    assert read._to_model().model_dump(mode="json", by_alias=True, exclude_none=True) == sent


def test_it_names_the_runs_of_the_pareto_front(sweep, dry):
    said = [child["text"] for block in dry(sweep)["spec"]["blocks"] for child in block["children"] if child.get("text")]
    rows = {run.name: tiny_run.read(run / "metrics.json") for run in sweep.glob("*-lr_noise*")}
    for key, word in (("psnr", "PSNR"), ("lr_psnr", "LR-PSNR")):
        points = {name: (row["diversity"]["rms"], row[key]["mean"]) for name, row in rows.items()}
        best = {max(points, key=lambda name, axis=axis: points[name][axis]) for axis in (0, 1)}  # of two: all of it
        [sentence] = [text for text in said if text.startswith(f"The Pareto front of distance and {word} over 2 runs")]
        assert {name for name in points if name in sentence} == best


POINTS = st.dictionaries(st.text(max_size=3), st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1)


@given(POINTS)
def test_the_front_is_what_nothing_beats_and_beats_all_else(points):
    def beats(a: str, b: str) -> bool:
        return points[a] != points[b] and all(x >= y for x, y in zip(points[a], points[b], strict=True))

    found = front(points)
    assert found and not any(beats(a, b) for a in points for b in found)
    assert all(any(beats(a, b) for a in found) for b in points.keys() - set(found))


# --- what needs a server


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]):
    """Runs the command: its exit status, stdout, and the lines on stderr that are no notes."""

    def said(*arguments: object) -> tuple[int, str, list[str]]:
        status, captured = tiny_run.run("wandb-report", *arguments), capsys.readouterr()
        return status, captured.out, [line for line in captured.err.splitlines() if not line.startswith("loading")]

    return said


def test_the_address_is_printed_and_what_is_not_uploaded_is_named(sweep, say, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", 40 * "a")
    sent = []
    monkeypatch.setattr(wr.Report, "save", lambda report: sent.append(report) or SimpleNamespace(url="the address"))
    run = sorted(sweep.glob("*-lr_noise*"))[0]
    status, printed, [connecting, offline] = say(run, "--entity", "me")
    assert (status, printed) == (0, "the address\n") and sent[0].entity == "me"
    assert connecting.startswith("note: connecting to W&B")
    assert offline == f"note: not in the report until `wandb sync` uploads them: {run.name}"
    [log] = logs(run)
    marker = log.with_name(f"{log.name}.synced")  # which `wandb sync` leaves
    marker.touch()
    assert say(run, "--entity", "me")[2] == [connecting]
    marker.unlink()


def test_a_refusal_by_wandb_is_one_sentence(sweep, say, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", 40 * "a")

    def refuse(report: object) -> None:
        raise ValueError("no such project.\nConsider this and that")

    monkeypatch.setattr(wr.Report, "save", refuse)
    status, printed, [_, refused] = say(sweep, "--entity", "me")
    assert (status, printed) == (1, "")
    assert refused.startswith("multimodal-pulse: W&B has not taken the report (no such project); --dry-run ")


def test_without_a_key_nobody_is_asked_for_one(sweep, say):
    status, _, [refused] = say(sweep)
    assert status == 1 and refused.startswith("multimodal-pulse: a W&B report needs a W&B key and none is set up; ")


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (None, "has no run that W&B has tracked"),
        (yaml.safe_dump({"tracking": {"_target_": "CsvTracker"}}), "has no run that W&B has tracked"),
        (yaml.safe_dump({"tracking": {"project": "faces", "limit": 3}}), "has no run that W&B has tracked"),
        ("[", "config.yaml is damaged"),
        ("hello", "config.yaml is damaged"),
    ],
)
def test_a_folder_without_runs_of_wandb_is_refused_in_one_line(config, words, say, tmp_path):
    if config is not None:
        (tmp_path / "config.yaml").write_text(config, encoding="utf-8")
    status, _, [refused] = say(tmp_path, "--dry-run")
    assert status == 1 and words in refused


def test_a_title_that_wandb_would_refuse_is_refused(sweep, say):
    status, _, [refused] = say(sweep, "--dry-run", "--title", 129 * "a")
    assert status == 1 and "129 characters" in refused and "--title" in refused
    assert say(sweep, "--dry-run", "--title", 128 * "a")[0] == 0
