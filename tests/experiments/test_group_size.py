"""The measurement of a group's memory: one point of it, and its table."""

import csv
import json
import subprocess

import pytest
from places import ROOT
from scripts import scripts

FOLDER = ROOT / "experiments" / "group_size"
[group_size] = scripts("group_size", "group_size")


def test_a_point_is_a_run_of_the_program():
    row = group_size.measure("tiny", 1, 2)
    assert (row.generator, row.references, row.num_samples, row.images) == ("tiny", 1, 2, 2)
    assert row.kept_mb == pytest.approx(0.636, rel=0.01)
    assert 850 < row.estimated_mb < 860 and row.measured_mb > 100


def test_rows_of_other_generators_stay_and_all_stand_in_order(tmp_path, monkeypatch, capsys):
    def run(command, **keywords):
        generator, references, num_samples = json.loads(command[-1])
        row = group_size.Row(generator, references, num_samples, references * num_samples, 10.0, 1100.0, 1000.0, 5.0)
        return subprocess.CompletedProcess(command, 0, stdout=f"noise\n{json.dumps(vars(row))}\n")

    monkeypatch.setattr(group_size.subprocess, "run", run)
    out = tmp_path / "rows.csv"
    for generator in ("portraits", "tiny"):
        group_size.main(["--generators", generator, "--out", str(out)])
    points = [(name, *point) for name in ("tiny", "portraits") for point in group_size.POINTS[name]]
    with out.open(newline="") as file:
        rows = [(row["generator"], int(row["references"]), int(row["num_samples"])) for row in csv.DictReader(file)]
    assert rows == points
    assert "| `portraits` | 8 x 4 | 10 | 1100 | 1000 | +10 % | 5.0 |" in capsys.readouterr().out


def test_the_committed_figures_are_within_the_bounds_that_the_readme_states():
    with (FOLDER / "group_size.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["generator"] for row in rows} == set(group_size.GENERATORS)
    for row in rows:
        assert 0.9 < float(row["estimated_mb"]) / float(row["measured_mb"]) < 1.25, row
