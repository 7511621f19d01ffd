"""The experiment that kills runs, small: a random generator of 32 x 32, 24 references, real SIGKILLs."""

import random
import sys

import pytest
from scripts import scripts
from tiny_run import OVERRIDES

import multimodal_pulse
import multimodal_pulse.interface.api

TINY = [*OVERRIDES, "num_samples=1", "trainer.references_per_group=2"]


[kill_safety] = scripts("kill_safety", "kill_safety")


def test_a_run_that_was_killed_ends_as_one_that_was_not(tmp_path):
    """Two kills, one of them inside a write."""
    overrides = [*kill_safety.SETTINGS, *TINY, "references.limit=24"]
    multimodal_pulse.interface.api.run_overrides(overrides, tmp_path / "whole")
    run_dir = tmp_path / "killed"
    command = [sys.executable, "run.py", *overrides, f"hydra.run.dir={run_dir}"]
    trial = kill_safety.Trial(command, run_dir, tmp_path / "log")
    kills = kill_safety.kill_a_run(trial, 24, kills=2, in_write=1, group_seconds=0.1, draw=random.Random(0))
    trial.finish()
    assert len(kills) == 2 and any(kill.unfinished for kill in kills)
    assert all(0.05 <= kill.finished / 24 <= 0.95 for kill in kills)
    assert kill_safety.differing(run_dir, tmp_path / "whole") == [] and kill_safety.leftovers(run_dir) == []


@pytest.mark.slow
def test_the_whole_experiment(tmp_path, capsys):
    """Two kills, and one in a merge: nine processes, a minute."""
    arguments = ["--kills", "2", "--in-write", "1", "--out", str(tmp_path / "out"), *TINY, "references.limit=24"]
    with pytest.raises(SystemExit) as ended:
        kill_safety.main(arguments)
    assert ended.value.code == 0, capsys.readouterr().out
    said = (tmp_path / "out" / "result.md").read_text()
    assert "24 references in 12 groups" in said and "Differing files or leftovers: none." in said
    assert ".partial-" in said


def test_what_differs_or_is_left_is_named(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    for run_dir in (one, other):
        (run_dir / "references" / "a").mkdir(parents=True)
        (run_dir / "references" / "a" / "sr_00.png").write_bytes(b"picture")
        (run_dir / "references" / "a" / "record.json").write_text('{"records": [{"psnr": 1.0, "seconds": 2}]}')
        (run_dir / "records.jsonl").write_text('{"psnr": 1.0, "seconds": 2}\n')
        (run_dir / "provenance.json").write_text(f'"{run_dir}"')
    (other / "references" / "a" / "record.json").write_text('{"records": [{"psnr": 1.0, "seconds": 3}]}')
    assert kill_safety.differing(one, other) == [] and kill_safety.leftovers(tmp_path) == []
    (other / "references" / "a" / "sr_00.png").write_bytes(b"pictures")
    (other / "records.jsonl").write_text('{"psnr": 1.5, "seconds": 2}\n')
    (one / "curves.csv").write_text("")
    partial = other / "references" / ".partial-b"
    partial.mkdir()
    assert kill_safety.differing(one, other) == ["curves.csv", "records.jsonl", "references/a/sr_00.png"]
    assert kill_safety.differing(one, other, without=["curves.csv"]) == ["records.jsonl", "references/a/sr_00.png"]
    assert kill_safety.leftovers(tmp_path) == [partial]


def test_a_folder_with_something_in_it_is_not_used(tmp_path):
    (tmp_path / "precious").write_text("")
    with pytest.raises(SystemExit, match="is not empty: remove it"):
        kill_safety.main(["--out", str(tmp_path)])
