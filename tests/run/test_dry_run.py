"""Dry runs: the plan and the forecast that they leave."""

import pytest
import yaml
from tiny_run import read, sweep_rows


def test_a_dry_run_leaves_a_plan_by_which_the_run_goes(command, machine, tmp_path):
    run_dir = tmp_path / "run"
    arguments = ("references.limit=5", "num_samples=2", "steps=21", f"hydra.run.dir={run_dir}", "tracking=csv")
    machine(1.7045)  # half of it is the program and the features of two references
    dry = ("dry_run=true", "trainer.price_per_hour=2.5")
    status, said, errors = command(*arguments, *dry)
    assert status == 0, errors
    assert "100%, step 20/20" in errors and "run: " not in errors
    lines = said.splitlines()
    assert [line.split(":")[0] for line in lines] == ["dry run", "time", "memory", "cost", "plan"]
    plan = read(run_dir / "plan.json")
    assert plan["references"] == [f"test_{number:06d}" for number in range(5)]
    assert plan["groups"] == [[0, 1], [2, 3], [4]]
    assert "5 references in 3 groups of 2, 2 samples of each, 21 steps" in lines[0]
    assert plan["seconds"] > 0 and " at 2.5 an hour" in lines[3]
    assert f"hydra.run.dir={run_dir}" in lines[4]
    assert {path.name for path in run_dir.iterdir()} == {"plan.json", "config.yaml", "overrides.yaml"}

    assert command(*arguments, *dry)[0] == 0  # and again
    planned = (run_dir / "plan.json").read_text(encoding="utf-8")
    machine(1000)
    status, _, errors = command(*arguments)
    assert status == 0 and "finished already" not in errors
    assert (run_dir / "plan.json").read_text(encoding="utf-8") == planned
    assert read(run_dir / "metrics.json")["num_references"] == 5
    record = read(run_dir / "references" / "test_000000" / "record.json")
    assert record["group"] == plan["references"][:2] and record["records"][0]["steps"] == 21
    assert yaml.safe_load((run_dir / "config.yaml").read_text())["dry_run"] is False
    assert not any("dry_run" in line for line in (run_dir / "overrides.yaml").read_text().splitlines())

    status, said, errors = command(*arguments, "dry_run=true")  # nothing is left
    assert status == 0 and "0 references in 0 groups of 0" in said and "nothing to do" in errors


def test_a_dry_run_takes_no_more_steps_than_the_run_and_tracks_nothing(command, tmp_path, monkeypatch):
    monkeypatch.setattr("multimodal_pulse.results.tracking.CsvTracker.__enter__", lambda self: pytest.fail("tracked"))
    run_dir = tmp_path / "run"
    shard = ("shard.count=2", "shard.index=1", "references.limit=3", "trainer.references_per_group=1")
    status, said, errors = command("dry_run=true", "num_samples=1", *shard, f"hydra.run.dir={run_dir}", "tracking=csv")
    assert status == 0, errors
    assert "step 3/3" in errors and "1 reference (shard 1 of 2) in 1 group of 1, 1 sample of each" in said


def test_no_sample_leaves_a_trial_early(command, tmp_path):
    arguments = ("method=report", "num_samples=1", "target_lr_psnr=1", f"hydra.run.dir={tmp_path / 'run'}")
    status, _, errors = command(*arguments, "dry_run=true")
    assert status == 0 and "step 3/3" in errors
    assert yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["target_lr_psnr"] == 1
    assert command(*arguments)[0] == 0
    record = read(tmp_path / "run" / "references" / "test_000000" / "record.json")
    assert record["records"][0]["steps"] == 1


@pytest.mark.parametrize("overrides", [("method=bicubic",), ("method=bicubic", "search=mean_image")])
def test_a_dry_run_of_a_method_that_does_not_search(overrides, command, tmp_path):
    status, said, errors = command(*overrides, "dry_run=true", f"hydra.run.dir={tmp_path / 'run'}")
    assert status == 0, errors
    assert said.startswith("dry run: bicubic, 1 reference in 1 group of 1, 1 sample of each")


def test_a_sweep_of_dry_runs_has_a_table_without_scores(command, tmp_path):
    arguments = ("-m", "seed=0,1", "method=bicubic", f"hydra.sweep.dir={tmp_path / 'sweep'}")
    status, said, errors = command(*arguments, "dry_run=true")
    assert status == 0, errors
    assert said.count("dry run: bicubic") == 2
    assert "\n0 seed=0" in said and not any(row["psnr"] for row in sweep_rows(tmp_path / "sweep"))
    assert command(*arguments)[0] == 0
    assert all(row["psnr"] for row in sweep_rows(tmp_path / "sweep"))


def test_a_dry_run_that_is_killed_leaves_nothing_in_the_way(command, tmp_path):
    run_dir = tmp_path / "run"
    (run_dir / ".partial-trial" / "rehearsal" / "references").mkdir(parents=True)
    assert command("steps=1", "num_samples=1", f"hydra.run.dir={run_dir}")[0] == 0
    assert not list(run_dir.rglob(".partial-*"))
