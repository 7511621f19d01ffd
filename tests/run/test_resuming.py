"""The same command again: what is finished stays, and what does not belong there is refused."""

import shutil

import pytest
from tiny_run import contents, read


def test_a_run_taken_up_again_does_only_what_is_missing(command, photos, tmp_path):
    run_dir = tmp_path / "run"
    arguments = (
        f"hydra.run.dir={run_dir}", "references=folder", f"references.path={photos}", "trainer.references_per_group=1",
        "num_samples=2",
    )  # fmt: skip
    status, _, errors = command(*arguments)
    assert status == 0 and "finished already" not in errors
    first = contents(run_dir / "references")
    grace = run_dir / "references" / "grace"
    for path in grace.iterdir():
        path.unlink()
    grace.rmdir()
    untouched = (run_dir / "references" / "ada" / "record.json").stat().st_mtime_ns

    status, _, errors = command(*arguments)
    assert status == 0 and "note: 1 of 2 references were finished already\n" in errors
    again = contents(run_dir / "references")
    assert (run_dir / "references" / "ada" / "record.json").stat().st_mtime_ns == untouched
    assert again.keys() == first.keys()
    timed = "record.json"
    assert all(again[name] == first[name] for name in first if not name.endswith(timed))
    assert read(run_dir / "metrics.json")["num_references"] == 2

    records = (run_dir / "records.jsonl").read_bytes()
    status, said, errors = command(*arguments)
    assert status == 0 and "mean of 2" in said
    assert "note: everything was finished already; nothing to do\n" in errors
    assert contents(run_dir / "references") == again
    assert (run_dir / "records.jsonl").read_bytes() == records


def test_only_what_is_to_be_searched_is_read(command, photos, tmp_path):
    arguments = (
        "references=folder", f"references.path={photos}", "trainer.references_per_group=1",
        f"hydra.run.dir={tmp_path / 'run'}",
    )  # fmt: skip
    assert command(*arguments)[0] == 0
    (photos / "ada.png").write_bytes((photos / "ada.png").read_bytes()[:500])  # finished: not needed again
    assert command(*arguments)[0] == 0


def test_groups_are_settled_by_the_first_machine_and_stay_on_another(command, machine, tmp_path):
    def arguments(run_dir: str) -> tuple[str, ...]:
        return "references.limit=3", "method=bicubic", f"hydra.run.dir={tmp_path / run_dir}"

    machine(1.7015)  # half of it is the program and the features of one reference
    assert command(*arguments("small"))[0] == 0
    machine(1000)
    assert command(*arguments("large"))[0] == 0
    settled = read(tmp_path / "small" / "plan.json")
    assert (settled["groups"], settled["seconds"]) == ([[0], [1], [2]], None)
    assert read(tmp_path / "large" / "plan.json")["groups"] == [[0, 1, 2]]

    shutil.rmtree(tmp_path / "small" / "references" / "test_000001")
    status, _, errors = command(*arguments("small"))
    assert status == 0 and "2 of 3 references were finished already" in errors
    assert read(tmp_path / "small" / "plan.json") == settled
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


def test_other_references_are_refused_where_auto_has_settled_a_plan(command, photos, tmp_path):
    arguments = ("references=folder", f"references.path={photos}", f"hydra.run.dir={tmp_path / 'run'}", "num_samples=1")
    assert command(*arguments)[0] == 0
    (photos / "third.png").write_bytes((photos / "ada.png").read_bytes())
    status, _, errors = command(*arguments)
    assert status == 1 and "plans 2 references" in errors


def test_another_run_in_the_same_place_is_refused_before_it_is_tracked(command, photos, tmp_path, monkeypatch):
    arguments = (
        "references=folder", f"references.path={photos}", f"hydra.run.dir={tmp_path / 'run'}", "method=bicubic",
        "tracking=wandb", "tracking.mode=disabled",
    )  # fmt: skip
    assert command(*arguments)[0] == 0
    before = contents(tmp_path / "run")
    monkeypatch.setattr("multimodal_pulse.results.tracking.WandbTracker.__enter__", lambda self: pytest.fail("tracked"))
    assert command(*arguments, "seed=1")[0] == 1
    (photos / "third.png").write_bytes((photos / "ada.png").read_bytes())
    status, _, errors = command(*arguments)
    assert status == 1 and "plans 2 references" in errors
    assert contents(tmp_path / "run") == before
