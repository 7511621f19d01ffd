"""A run that is killed anywhere, from its first file to its last, is finished by the same command."""

import shutil
import signal
from dataclasses import replace
from pathlib import Path

from killing import killed_at
from scripts import scripts
from tiny_run import OVERRIDES

from multimodal_pulse.configuration.compose import compose_job
from multimodal_pulse.interface.api import run_overrides
from multimodal_pulse.results.records import ReferenceFolders, finished
from multimodal_pulse.run.run import run

TINY = [*OVERRIDES, "steps=2", "num_samples=1", "trainer.references_per_group=2"]


[compare] = scripts("kill_safety", "compare")


def test_every_file_survives_a_kill_at_any_moment(tmp_path, monkeypatch):
    """Between two files of the beginning, within a reference, between records.jsonl and metrics.json, ..."""
    monkeypatch.setattr("multimodal_pulse.results.provenance._commit", lambda: None)  # a process, for nothing
    cfg, job = compose_job([*TINY, "references.limit=2", "method=bicubic"], "")

    def run_in(name: str) -> Path:
        run(cfg, replace(job, run_dir=tmp_path / name))
        return tmp_path / name

    whole = run_in("whole")
    assert killed_at(0, lambda: run_in("survivor"), count=tmp_path / "calls") == 0
    total = int((tmp_path / "calls").read_text())
    assert total > 35
    halves = 0
    for fatal in range(1, total + 1):
        assert killed_at(fatal, lambda: run_in("killed")) == signal.SIGKILL
        halves += bool(compare.leftovers(tmp_path / "killed"))
        killed = run_in("killed")
        assert compare.differing(killed, whole) == [] and compare.leftovers(killed) == []
        assert (killed / "provenance.json").exists()
        shutil.rmtree(killed)
    assert halves > 10


def test_the_curves_of_a_group_are_on_the_disk_before_its_first_record(tmp_path, monkeypatch):
    write = ReferenceFolders.write
    curves = tmp_path / "run" / "curves.csv"

    def write_after_the_curves(self, outcome, *rest):
        group = "test_000000 to test_000001" if outcome.reference.name < "test_000002" else "test_000002 to test_000003"
        assert [line.split(",")[:2] for line in curves.read_text().splitlines()][-2:] == [[group, "0"], [group, "1"]]
        return write(self, outcome, *rest)

    monkeypatch.setattr(ReferenceFolders, "write", write_after_the_curves)
    run_overrides([*TINY, "references.limit=4", "tracking=csv"], tmp_path / "run")
    assert len(finished(tmp_path / "run")) == 4
