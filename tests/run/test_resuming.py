"""The same command again: what is finished stays, and what does not belong there is refused."""

import hashlib
import json
import shutil

import pytest
import torch
from tiny_run import contents, read

from multimodal_pulse.references.pixels import save_png


def test_a_resumed_run_does_only_what_is_missing(command, run_of_photos, tmp_path):
    run_dir, arguments = tmp_path / "run", (*run_of_photos, "num_samples=2")
    status, _, errors = command(*arguments)
    assert status == 0 and "finished already" not in errors
    first = contents(run_dir / "references")
    shutil.rmtree(run_dir / "references" / "grace")
    untouched = (run_dir / "references" / "ada" / "record.json").stat().st_mtime_ns

    status, _, errors = command(*arguments)
    assert status == 0 and "note: 1 of 2 references were finished already\n" in errors
    again = contents(run_dir / "references")
    assert (run_dir / "references" / "ada" / "record.json").stat().st_mtime_ns == untouched
    assert again.keys() == first.keys()
    assert all(again[name] == first[name] for name in first if not name.endswith("record.json"))  # it has the seconds
    assert read(run_dir / "metrics.json")["num_references"] == 2

    records = (run_dir / "records.jsonl").read_bytes()
    status, said, errors = command(*arguments)
    assert status == 0 and "mean of 2" in said
    assert "note: everything was finished already; nothing to do\n" in errors
    assert contents(run_dir / "references") == again
    assert (run_dir / "records.jsonl").read_bytes() == records


def test_a_photograph_that_was_replaced_after_its_search_is_refused_by_name(command, run_of_photos, photos, tmp_path):
    arguments = (*run_of_photos, "method=bicubic")
    assert command(*arguments)[0] == 0
    before = contents(tmp_path / "run")
    plan, record = before["plan.json"], read(tmp_path / "run" / "references" / "ada" / "record.json")
    ada = (photos / "ada.png").read_bytes()
    digest = hashlib.sha256(ada).hexdigest()
    assert record["file"] == json.loads(plan)["files"]["ada"] == {"path": str(photos / "ada.png"), "sha256": digest}

    (photos / "ada.png").write_bytes((photos / "grace.png").read_bytes())
    status, said, errors = command(*arguments)
    assert (status, said) == (1, "") and errors.count("\n") == 1
    assert f"{photos / 'ada.png'} has changed since {tmp_path / 'run'} was searched" in errors
    assert contents(tmp_path / "run") == before

    (photos / "grace.png").write_bytes(ada)
    assert f"{photos / 'ada.png'}, {photos / 'grace.png'} have changed" in command(*arguments)[2]
    (photos / "grace.png").write_bytes((photos / "ada.png").read_bytes())
    (photos / "ada.png").write_bytes(ada)
    assert command(*arguments)[0] == 0
    assert contents(tmp_path / "run") == before


def test_a_photograph_that_was_replaced_before_its_search_is_taken_as_it_is_now(
    command, run_of_photos, photos, tmp_path
):
    arguments = (*run_of_photos, "method=bicubic")
    assert command(*arguments)[0] == 0
    shutil.rmtree(tmp_path / "run" / "references" / "ada")
    (photos / "ada.png").write_bytes((photos / "grace.png").read_bytes())
    assert command(*arguments)[0] == 0
    plan = read(tmp_path / "run" / "plan.json")
    assert plan["files"]["ada"]["sha256"] == plan["files"]["grace"]["sha256"]
    files = tmp_path / "run" / "references"
    assert (files / "ada" / "lr.png").read_bytes() == (files / "grace" / "lr.png").read_bytes()
    assert command(*arguments)[0] == 0


def test_a_mask_that_was_replaced_is_refused_by_name(command, tmp_path):
    mask = tmp_path / "mask.png"
    arguments = (
        "method=masked_lr_noise",
        f"noise.lr_mask={mask}",
        "num_samples=1",
        f"hydra.run.dir={tmp_path / 'run'}",
    )
    save_png(torch.ones(1, 32, 32), mask)
    assert command(*arguments)[0] == 0
    save_png(torch.full((1, 32, 32), 0.5), mask)
    status, _, errors = command(*arguments)
    assert status == 1 and errors.count("\n") == 1
    assert f"noise.lr_mask={mask} has changed since" in errors
    save_png(torch.ones(1, 32, 32), mask)
    assert "nothing to do" in command(*arguments)[2]


def test_a_run_of_a_version_without_fingerprints_is_resumed(command, run_of_photos, photos, tmp_path):
    arguments = (*run_of_photos, "method=bicubic")
    assert command(*arguments)[0] == 0
    plan = tmp_path / "run" / "plan.json"
    plan.write_text(json.dumps({key: value for key, value in read(plan).items() if key != "files"}))
    assert command(*arguments)[0] == 0


def test_only_what_is_to_be_searched_is_read(command, run_of_photos, photos):
    assert command(*run_of_photos)[0] == 0
    (photos / "ada.png").write_bytes((photos / "ada.png").read_bytes()[:500])  # finished: not needed again
    assert command(*run_of_photos)[0] == 0


def test_the_first_machine_chooses_the_groups_and_another_one_keeps_them(command, machine, tmp_path):
    def arguments(run_dir: str) -> tuple[str, ...]:
        return "references.limit=3", "method=bicubic", f"hydra.run.dir={tmp_path / run_dir}"

    machine(1.7015)  # half of it is the program and the features of one reference
    assert command(*arguments("small"))[0] == 0
    machine(1000)
    assert command(*arguments("large"))[0] == 0
    planned = read(tmp_path / "small" / "plan.json")
    assert (planned["groups"], planned["seconds"]) == ([[0], [1], [2]], None)
    assert read(tmp_path / "large" / "plan.json")["groups"] == [[0, 1, 2]]

    shutil.rmtree(tmp_path / "small" / "references" / "test_000001")
    status, _, errors = command(*arguments("small"))
    assert status == 0 and "2 of 3 references were finished already" in errors
    assert read(tmp_path / "small" / "plan.json") == planned
    assert read(tmp_path / "small" / "metrics.json")["num_references"] == 3


def test_another_configuration_in_the_same_place_is_refused_by_its_keys(command, tmp_path):
    run_dir = f"hydra.run.dir={tmp_path / 'run'}"
    assert command(run_dir, "method=bicubic")[0] == 0
    before = contents(tmp_path / "run")
    status, _, errors = command(run_dir, "method=bicubic", "seed=1", "consistency=exact")
    assert status == 1
    assert "seed: 0 there, 1 now" in errors and "consistency.rounds: not set there, 100 now" in errors
    assert "steps" not in errors
    assert errors.count("\n") == 1
    assert contents(tmp_path / "run") == before


def test_another_run_in_the_same_place_is_refused_before_it_is_tracked(
    command, run_of_photos, photos, tmp_path, monkeypatch
):
    arguments = (*run_of_photos, "method=bicubic", "tracking=wandb", "tracking.mode=disabled")
    assert command(*arguments)[0] == 0
    before = contents(tmp_path / "run")
    monkeypatch.setattr("multimodal_pulse.results.tracking.WandbTracker.__enter__", lambda self: pytest.fail("tracked"))
    assert command(*arguments, "seed=1")[0] == 1
    (photos / "third.png").write_bytes((photos / "ada.png").read_bytes())
    status, _, errors = command(*arguments)
    assert status == 1 and "plans 2 references" in errors
    assert contents(tmp_path / "run") == before
