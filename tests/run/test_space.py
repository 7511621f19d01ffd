"""A disk or a memory that is full, or too small for what is planned."""

import json
import re
import shutil

import pytest
import torch
from small_disk import on_a_small_disk
from tiny_run import OVERRIDES, read

from multimodal_pulse.base.files import PARTIAL
from multimodal_pulse.configuration.compose import compose_job
from multimodal_pulse.generator import untrained
from multimodal_pulse.run.build import build_parts
from multimodal_pulse.run.run import run
from multimodal_pulse.run.space import bytes_of_reference
from multimodal_pulse.search.group_size import kept_bytes, most_samples, search_bytes

SEARCH = [*OVERRIDES, "method=resampling", "references.limit=4", "trainer.references_per_group=1"]


def test_a_disk_that_fills_up_is_named_and_what_is_finished_stays(command, tmp_path):
    """The estimate, rather too low, lets it begin."""
    small, arguments = tmp_path / "small", (*SEARCH, f"hydra.run.dir={tmp_path / 'small' / 'run'}")
    done = on_a_small_disk("304k", small, *arguments)
    last = done.stderr.splitlines()[-1]
    assert done.returncode == 1 and "Traceback" not in done.stderr and "Errno" not in done.stderr
    finished = sorted(path.name for path in (small / "run" / "references").iterdir())
    names = [f"test_{number:06d}" for number in range(4)]
    assert finished == names[: len(finished)] and 0 < len(finished) < 4
    assert f"small-disk/run/references/{names[len(finished)]} cannot be written: it needs more than" in last
    assert " kB left. Make room there; the same command in the same place does the rest." in last
    assert read(small / "run" / "metrics.json")["num_references"] == len(finished)
    lines = (small / "run" / "records.jsonl").read_text().splitlines()
    assert [json.loads(line)["reference"] for line in lines[::4]] == finished
    assert not list(small.rglob(f"{PARTIAL}*"))
    assert command(*arguments, base=())[0] == 0
    assert read(small / "run" / "metrics.json")["num_references"] == 4


def test_a_disk_that_is_too_small_for_the_plan_is_refused_before_the_search(tmp_path):
    done = on_a_small_disk("120k", tmp_path / "small", *SEARCH, f"hydra.run.dir={tmp_path / 'small' / 'run'}")
    assert done.returncode == 1 and done.stderr.count("multimodal-pulse: ") == 1
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


@pytest.mark.parametrize("settings", [["num_samples=100000000"], ["num_samples=100000000", "dry_run=true"]])
def test_more_samples_than_fit_are_refused_with_the_most_that_do(settings, command, tmp_path):
    """In the memory of this machine, whatever it is; what is named is taken."""
    arguments = ("method=resampling", f"hydra.run.dir={tmp_path / 'run'}")
    status, said, errors = command(*arguments, *settings)
    assert (status, said) == (1, "") and errors.count("\n") == 1
    found = re.search(
        r"num_samples=100000000 do not fit into this machine's memory: (\d+) are the most that do", errors
    )
    assert found and not (tmp_path / "run").exists()
    assert int(found[1]) == most_samples(untrained(32, 0, 4, 4, 1, 2048, 8), torch.device("cpu"), "32-true") > 100


def test_a_memory_for_a_few_samples_takes_these_and_no_more(command, machine, tmp_path):
    generator = untrained(32, 0, 4, 4, 1, 2048, 8)
    kept = kept_bytes(generator.architecture)
    machine(search_bytes(generator, 3.5 * kept) / 1e9)
    arguments = ("method=resampling", "trainer.references_per_group=4", "references.limit=2")
    status, _, errors = command(*arguments, "num_samples=4", f"hydra.run.dir={tmp_path / 'four'}")
    assert status == 1 and "num_samples=4 do not fit into this machine's memory: 3 are the most that do," in errors
    status, _, errors = command(*arguments, "num_samples=2", f"hydra.run.dir={tmp_path / 'two'}")
    assert status == 1 and "groups of 2 references with 2 samples each do not fit" in errors
    assert "trainer.references_per_group=1 is the most that does." in errors
    arguments = ("method=resampling", "trainer.references_per_group=1", "references.limit=2", "num_samples=2")
    assert command(*arguments, f"hydra.run.dir={tmp_path / 'two'}")[0] == 0
    status, _, errors = command(*arguments, "film_frames=3", f"hydra.run.dir={tmp_path / 'film'}")
    assert status == 0, errors
    machine(search_bytes(generator, 0.5 * kept) / 1e9)
    assert "not even one sample" in command(*arguments, f"hydra.run.dir={tmp_path / 'none'}")[2]
    assert "nothing to do" in command(*arguments, f"hydra.run.dir={tmp_path / 'two'}")[2]
    assert command("method=bicubic", f"hydra.run.dir={tmp_path / 'bicubic'}")[0] == 0


def test_a_film_counts_in_the_memory(machine):
    generator = untrained(32, 0, 4, 4, 1, 2048, 8)
    kept = kept_bytes(generator.architecture)
    machine(search_bytes(generator, 100.1 * kept) / 1e9)
    frames = round(1.5 * kept / (12 * 32 * 32))
    assert most_samples(generator, torch.device("cpu"), "32-true", frames) == pytest.approx(50, abs=1)
    assert most_samples(generator, torch.device("cpu"), "64-true") == 50
    assert most_samples(generator, torch.device("cuda"), "32-true") > 150
