"""The shards of one evaluation, run through the command line in this process, and what `merge` makes of them."""

import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from killing import killed_at
from scripts import scripts
from tiny_run import OVERRIDES, run

from multimodal_pulse.base.files import PARTIAL, only_writer
from multimodal_pulse.results.merge import merge as merge_folders

TINY = [*OVERRIDES, "num_samples=2", "references.limit=5", "trainer.references_per_group=2"]
COUNT = 2
NAMES = [f"test_{number:06d}" for number in range(5)]
OF_SHARD = {0: [NAMES[0], NAMES[1], NAMES[4]], 1: [NAMES[2], NAMES[3]]}


[compare] = scripts("kill_safety", "compare")


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """`whole`, the run of one process, and `shard-0` and `shard-1` of the same evaluation."""
    folder = tmp_path_factory.mktemp("made")
    assert run(*TINY, f"hydra.run.dir={folder / 'whole'}") == 0
    for index in range(COUNT):
        shard = (f"shard.count={COUNT}", f"shard.index={index}", f"hydra.run.dir={folder / f'shard-{index}'}")
        assert run(*TINY, *shard) == 0
    return folder


@pytest.fixture
def shards(made, tmp_path) -> list[Path]:
    """Copies of the two shards, to be spoiled."""
    for index in range(COUNT):
        shutil.copytree(made / f"shard-{index}", tmp_path / f"shard-{index}")
    return [tmp_path / f"shard-{index}" for index in range(COUNT)]


@pytest.fixture
def merged(tmp_path) -> Path:
    """Where they are merged if no other place is given."""
    return tmp_path / "merged"


@pytest.fixture
def merge(capsys) -> Callable[..., tuple[int, str, str]]:
    """`multimodal-pulse merge`: (exit status, stdout, stderr)."""

    def run_merge(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        status = run("merge", *arguments)
        return status, *capsys.readouterr()

    return run_merge


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in compare.files(folder)}


def edit_json(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_two_shards_and_one_process_give_the_same_bit_for_bit(made):
    """Groups of two, the last of one."""
    for index, names in OF_SHARD.items():
        found = made / f"shard-{index}" / "references"
        assert sorted(path.name for path in found.iterdir()) == names
        for name in names:
            assert compare.differing(found / name, made / "whole" / "references" / name) == []


def test_what_is_merged_is_what_one_process_would_have_left(made, shards, merge, merged):
    before = [contents(shard) for shard in shards]
    status, said, errors = merge(*reversed(shards))
    assert (status, errors) == (0, "")
    assert compare.differing(merged, made / "whole") == []
    assert [contents(shard) for shard in shards] == before
    assert (merged / "config.yaml").read_bytes() == (made / "whole" / "config.yaml").read_bytes()
    lines = [json.loads(line) for line in (merged / "records.jsonl").read_text().splitlines()]
    assert [(line["reference"], line["sample"]) for line in lines] == [(name, k) for name in NAMES for k in range(2)]
    assert "mean of 5" in said and said.endswith(f"run:     {merged}\n")
    provenance = json.loads((merged / "provenance.json").read_text())
    assert [shard["folder"] for shard in provenance["shards"]] == ["../shard-0", "../shard-1"]
    assert {"commit", "versions", "device", "weights_sha256", "seed"} <= provenance.keys()


def test_a_merged_picture_takes_no_room_and_outlives_its_shard(shards, merge, merged):
    merge(*shards)
    picture = merged / "references" / NAMES[0] / "sr_00.png"
    original = shards[0] / "references" / NAMES[0] / "sr_00.png"
    assert picture.samefile(original)
    before = picture.read_bytes()
    shutil.rmtree(shards[0])
    assert picture.read_bytes() == before


def test_files_are_copied_where_there_are_no_links(made, shards, merge, monkeypatch, merged):
    def refuse(*arguments):
        raise OSError("another file system")

    monkeypatch.setattr(os, "link", refuse)
    assert merge(*shards)[0] == 0
    assert compare.differing(merged, made / "whole") == []
    name = f"references/{NAMES[0]}/sr_00.png"
    assert not (merged / name).samefile(shards[0] / name)


def test_the_same_command_without_shards_finds_nothing_to_do(shards, merge, capsys, merged):
    merge(*shards)
    before = contents(merged)
    assert run(*TINY, f"hydra.run.dir={merged}") == 0
    assert "nothing to do" in capsys.readouterr().err
    assert contents(merged) == before


def test_the_files_of_all_shards_stand_in_the_merged_plan(photos, tmp_path, merge, merged):
    tiny = [*OVERRIDES, "references=folder", f"references.path={photos}", "method=bicubic"]
    tiny += ["trainer.references_per_group=1"]
    assert run(*tiny, f"hydra.run.dir={tmp_path / 'whole'}") == 0
    for index in range(COUNT):
        folder = tmp_path / f"shard-{index}"
        assert run(*tiny, f"shard.count={COUNT}", f"shard.index={index}", f"hydra.run.dir={folder}") == 0
    assert merge(tmp_path / "shard-0", tmp_path / "shard-1")[0] == 0
    assert (merged / "plan.json").read_bytes() == (tmp_path / "whole" / "plan.json").read_bytes()
    (photos / "grace.png").write_bytes((photos / "ada.png").read_bytes())
    assert run(*tiny, f"hydra.run.dir={merged}") == 1


def test_another_folder_can_be_named_and_a_second_merge_does_what_is_missing(made, shards, merge, tmp_path):
    out = tmp_path / "elsewhere" / "whole"
    assert merge("--out", out, *shards)[0] == 0
    kept = (out / "references" / NAMES[1]).stat().st_mtime_ns
    shutil.rmtree(out / "references" / NAMES[0])
    for name in ("metrics.json", "plan.json"):
        (out / name).unlink()
    (out / f"{PARTIAL}1-metrics.json").write_text("{")
    (out / "references" / f"{PARTIAL}{NAMES[0]}").mkdir()
    assert merge(*shards, f"--out={out}")[0] == 0
    assert compare.differing(out, made / "whole") == [] and compare.leftovers(out) == []
    assert (out / "references" / NAMES[1]).stat().st_mtime_ns == kept


def test_a_single_complete_run_is_merged_too(made, merge, tmp_path):
    assert merge(made / "whole", "--out", tmp_path / "out")[0] == 0
    assert compare.differing(tmp_path / "out", made / "whole") == []


def refused(merge, *arguments: object) -> str:
    """What a merge says that is refused in one line and writes nothing."""
    folders = [argument for argument in arguments if isinstance(argument, Path)]
    before = {path: contents(path) for path in folders}
    out = folders[0].parent / "merged"
    there = contents(out)
    status, said, errors = merge(*arguments)
    assert (status, said, errors.count("\n")) == (1, "", 1) and errors.startswith("multimodal-pulse: ")
    assert {path: contents(path) for path in folders} == before
    assert contents(out) == there and out.exists() == bool(there)
    return errors


def test_a_missing_shard_is_named(shards, merge):
    assert "not everything is there: shard 0 of 2. " in refused(merge, shards[1])


def test_missing_references_are_named_with_their_shard(shards, merge):
    for name in (NAMES[4], NAMES[2]):
        shutil.rmtree(shards[0 if name == NAMES[4] else 1] / "references" / name)
    said = refused(merge, *shards)
    assert f"not everything is there: {NAMES[4]} in {shards[0]}; {NAMES[2]} in {shards[1]}. " in said


def test_a_reference_that_could_not_be_used_is_no_gap_and_is_told(made, shards, merge, tmp_path, merged):
    whole = tmp_path / "whole"
    shutil.copytree(shards[1], whole)
    shutil.rmtree(shards[1] / "references" / NAMES[2])
    reason = "photo.jpg is cut off"
    edit_json(shards[1] / "metrics.json", unusable={NAMES[2]: reason, NAMES[3]: "repaired since"})
    status, said, errors = merge(*shards)
    assert status == 1 and "mean of 4" in said
    assert f"note: 1 reference cannot be used and is left out:\n  {reason}\n" in errors
    assert errors.endswith("start their shards again, and then this merge.\n") and "repaired since" not in errors
    metrics = json.loads((merged / "metrics.json").read_text())
    assert metrics["unusable"] == {NAMES[2]: reason} and metrics["num_references"] == 4

    shutil.rmtree(shards[1])
    whole.rename(shards[1])
    status, _, errors = merge(*shards)
    assert (status, errors) == (0, "")
    assert compare.differing(merged, made / "whole") == []


def test_the_same_shard_twice_is_refused(shards, merge):
    again = shards[0].parent / "again"
    shutil.copytree(shards[0], again)
    assert f"{shards[0]} and {again} are both shard 0 of 2" in refused(merge, *shards, again)
    assert f"{shards[0]} and {shards[0]} are both shard 0 of 2" in refused(merge, shards[0], shards[0], shards[1])


def test_a_reference_in_two_shards_is_named(shards, merge):
    shutil.copytree(shards[0] / "references" / NAMES[1], shards[1] / "references" / NAMES[1])
    assert f"{shards[0]} and {shards[1]} overlap: both have {NAMES[1]}." in refused(merge, *shards)


def test_differing_configurations_are_refused_by_their_keys(shards, merge):
    config = yaml.safe_load((shards[1] / "config.yaml").read_text())
    (shards[1] / "config.yaml").write_text(yaml.safe_dump(config | {"seed": 7}))
    said = refused(merge, *shards)
    assert f"are not shards of one evaluation (seed: 0 in {shards[0]}, 7 in {shards[1]})" in said
    assert "shard.index" not in said


def test_another_number_of_shards_is_another_evaluation(shards, merge):
    config = yaml.safe_load((shards[1] / "config.yaml").read_text())
    (shards[1] / "config.yaml").write_text(yaml.safe_dump(config | {"shard": {"index": 1, "count": 3}}))
    assert "(shard.count: 2 in " in refused(merge, *shards)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"groups": [[0], [1], [2], [3], [4]]}, "5 references in 3 groups and 5 references in 5 groups."),
        ({"references": [*NAMES[:4], "other"]}, f"({NAMES[4]} in one where the other has other)."),
    ],
)
def test_differing_plans_are_refused(change, words, shards, merge):
    edit_json(shards[1] / "plan.json", **change)
    said = refused(merge, *shards)
    assert "have different plans" in said and words in said


def test_differing_weights_are_refused(shards, merge):
    edit_json(shards[1] / "provenance.json", weights_sha256="ab" * 32)
    assert "different weights" in refused(merge, *shards)


def test_shards_of_different_commits_are_merged_with_a_note(shards, merge, merged):
    edit_json(shards[1] / "provenance.json", commit="another")
    status, _, errors = merge(*shards)
    assert status == 0 and errors == "note: not all shards have the same commit: see provenance.json\n"
    provenance = json.loads((merged / "provenance.json").read_text())
    assert "commit" not in provenance and provenance["shards"][1]["commit"] == "another"


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda shard: (shard / "config.yaml").unlink(), "is no run directory"),
        (lambda shard: (shard / "config.yaml").write_text("[]"), "is not this program's"),
        (lambda shard: (shard / "plan.json").unlink(), "has no plan.json"),
        (lambda shard: (shard / "plan.json").write_text("{"), "plan.json is damaged"),
    ],
)
def test_what_is_no_shard_is_refused(spoil, words, shards, merge):
    spoil(shards[1])
    assert words in refused(merge, *shards)


@pytest.mark.parametrize("arguments", [[], ["--out", "there"], ["a", "--over", "b"]])
def test_mistaken_arguments_end_with_the_help(arguments, merge):
    status, _, errors = merge(*arguments)
    assert status == 1 and errors.endswith("multimodal-pulse merge --help says more.\n") and errors.count("\n") == 1


def test_a_folder_with_something_else_in_it_is_refused(made, shards, merge, merged):
    merged.mkdir()
    (merged / "thesis.tex").write_text("precious")
    assert "is not empty (thesis.tex): choose another folder with --out" in refused(merge, *shards)
    (merged / "thesis.tex").unlink()
    shutil.copy(made / "shard-0" / "config.yaml", merged)
    assert "holds something else (shard.count: 2 there, 1 here)" in refused(merge, *shards)


def test_references_of_another_run_are_not_taken_for_these(made, shards, merge, merged):
    shutil.copytree(made / "whole", merged)
    said = refused(merge, *shards)  # the same pictures, found at another time
    assert f"has a {NAMES[0]} that is of none of these shards" in said


def test_only_one_process_writes_to_a_run_directory(shards, merge, capsys, merged):
    with only_writer(merged):
        status, _, errors = merge(*shards)
        assert status == 1 and "another process is at work in" in errors
    with only_writer(shards[0]):
        shard = ("shard.count=2", "shard.index=0", f"hydra.run.dir={shards[0]}")
        assert run(*TINY, *shard) == 1
        assert f"another process is at work in {shards[0]}" in capsys.readouterr().err
    assert merge(*shards)[0] == 0


def test_a_merge_that_was_killed_anywhere_is_completed_by_the_next(made, shards, merge, tmp_path):
    before = [contents(shard) for shard in shards]
    assert killed_at(0, lambda: merge_folders(shards, tmp_path / "survivor"), count=tmp_path / "calls") == 0
    total = int((tmp_path / "calls").read_text())
    assert total > 100
    halves = 0
    for fatal in [*range(1, 20), *range(20, total - 8, total // 5), *range(total - 7, total + 1)]:
        out = tmp_path / f"out-{fatal}"
        assert killed_at(fatal, lambda out=out: merge_folders(shards, out)) == signal.SIGKILL
        halves += bool(compare.leftovers(out))
        assert merge(*shards, "--out", out)[0] == 0
        assert compare.differing(out, made / "whole") == [] and compare.leftovers(out) == []
        shutil.rmtree(out)
    assert halves > 5
    assert [contents(shard) for shard in shards] == before
