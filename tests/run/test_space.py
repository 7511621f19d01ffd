"""A disk that is full, or too small for what is planned."""

import json
import shutil

import pytest
from small_disk import on_a_small_disk
from tiny_run import OVERRIDES, read

from multimodal_pulse.base.files import PARTIAL
from multimodal_pulse.configuration.compose import compose_job
from multimodal_pulse.run.build import build_parts
from multimodal_pulse.run.run import run
from multimodal_pulse.run.space import bytes_of_reference

SEARCH = [*OVERRIDES, "method=resampling", "references.limit=4", "trainer.references_per_group=1"]


def test_a_disk_that_fills_up_is_named_and_what_is_finished_stays(command, tmp_path):
    """The estimate, rather too low, lets it begin."""
    small, arguments = tmp_path / "small", (*SEARCH, f"hydra.run.dir={tmp_path / 'small' / 'run'}")
    done = on_a_small_disk("304k", small, *arguments)
    last = done.stderr.splitlines()[-1]
    assert done.returncode == 1 and "Traceback" not in done.stderr and "Errno" not in done.stderr
    assert "small-disk/run/references/test_000002 cannot be written: it needs more than" in last
    assert " kB left. Make room there; the same command in the same place does the rest." in last
    assert sorted(path.name for path in (small / "run" / "references").iterdir()) == ["test_000000", "test_000001"]
    assert read(small / "run" / "metrics.json")["num_references"] == 2
    lines = (small / "run" / "records.jsonl").read_text().splitlines()
    assert [json.loads(line)["reference"] for line in lines[::4]] == ["test_000000", "test_000001"]
    assert not list(small.rglob(f"{PARTIAL}*"))
    assert command(*arguments, base=())[0] == 0
    assert read(small / "run" / "metrics.json")["num_references"] == 4


def test_a_disk_that_is_too_small_for_the_plan_is_refused_before_the_search(tmp_path):
    done = on_a_small_disk("120k", tmp_path / "small", *SEARCH, f"hydra.run.dir={tmp_path / 'small' / 'run'}")
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "small-disk/run needs at least 168 kB for 4 x 4 samples, and its disk has 123 kB left" in done.stderr
    assert not list((tmp_path / "small").iterdir())


def test_only_what_is_still_missing_needs_space(command, tmp_path, monkeypatch):
    arguments = ("references.limit=3", "method=bicubic", f"hydra.run.dir={tmp_path / 'run'}")
    assert command(*arguments)[0] == 0
    shutil.rmtree(tmp_path / "run" / "references" / "test_000001")
    monkeypatch.setattr("multimodal_pulse.run.space.free_bytes", lambda path: 40_000)  # enough for one
    assert command(*arguments)[0] == 0
    assert read(tmp_path / "run" / "metrics.json")["num_references"] == 3


@pytest.mark.parametrize("method", ["combined", "resampling", "pulse", "masked_lr_noise", "bicubic"])
@pytest.mark.parametrize("frames", [0, 3])
def test_the_estimate_is_not_above_what_a_reference_takes(method, frames, tmp_path):
    changes = [f"method={method}", f"film_frames={frames}", "generator.resolution=64", "degradation.factor=8"]
    cfg, job = compose_job([*OVERRIDES, *changes], tmp_path / "run")
    estimate = bytes_of_reference(cfg, build_parts(cfg, None))
    run(cfg, job)
    taken = sum(path.stat().st_size for path in (tmp_path / "run" / "references").rglob("*") if path.is_file())
    assert taken / 5 < estimate < taken
