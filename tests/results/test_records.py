import dataclasses
import importlib.metadata
import json
import math
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from killing import killed_at
from PIL import Image
from safetensors.torch import load_file

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.base.files import PARTIAL
from multimodal_pulse.degradation.bicubic import Bicubic
from multimodal_pulse.metrics import evaluate
from multimodal_pulse.metrics.functional import lr_psnr
from multimodal_pulse.metrics.lpips import NullLpips
from multimodal_pulse.references.base import Reference, degraded
from multimodal_pulse.references.pixels import load_rgb
from multimodal_pulse.results.json_files import write_json
from multimodal_pulse.results.plan import Plan, refuse_another_run, write_plan, write_plan_once
from multimodal_pulse.results.provenance import write_provenance
from multimodal_pulse.results.records import ReferenceFolders, derive, finished, metrics_of, read_entries
from multimodal_pulse.search.outcome import Outcome, round_samples

DEGRADATION = Bicubic(4)
ABSENT = NullLpips("alex", "not there")
K = 2


def outcome(name: str, seed: int = 0, noisy: bool = True) -> Outcome:
    generator = torch.Generator().manual_seed(seed)
    reference = degraded(name, torch.rand(3, 16, 16, generator=generator), DEGRADATION)
    assert reference.hr is not None
    targets = reference.lr.repeat(K, 1, 1, 1)
    if noisy:
        targets += 0.1 * torch.randn(targets.shape, generator=generator)
    found = (reference.hr + 0.05 * torch.randn(K, 3, 16, 16, generator=generator)).clamp(0, 1)
    samples, lr_before_rounding = round_samples(found, DEGRADATION)
    return Outcome(
        reference=reference,
        targets=targets,
        mask=torch.eye(4)[None],
        samples=samples,
        lr_found=lr_before_rounding,
        lr_before_rounding=lr_before_rounding,
        latents={"w_plus": torch.randn(K, 6, 8, generator=generator), "noise.0": torch.zeros(1, 1, 4, 4)},
        fidelity_trace=torch.ones(3, K),
        best_step=[1, 2],
        steps=3,
        seconds=4.0,
    )


def write(folders: ReferenceFolders, found: Outcome) -> Path:
    scores = evaluate(found, DEGRADATION, ABSENT)
    picture = Image.new("RGB", (8, 8), "white")
    return folders.write(found, scores, DEGRADATION(found.samples), {"grid.png": picture})


@pytest.fixture
def folders(tmp_path: Path) -> ReferenceFolders:
    return ReferenceFolders(tmp_path, {"generator": "tiny"}, ABSENT.state)


EXPECTED_FILES = [
    "grid.png", "hr.png", "latents.safetensors", "lr.png", "lr_noisy_00.png", "lr_noisy_01.png", "mask.png",
    "record.json", "sr_00.png", "sr_00_lr.png", "sr_01.png", "sr_01_lr.png",
]  # fmt: skip


def test_a_folder_holds_everything_and_the_record_is_of_the_saved_files(folders: ReferenceFolders):
    found = outcome("face")
    folder = write(folders, found)
    assert sorted(path.name for path in folder.iterdir()) == EXPECTED_FILES
    lr = load_rgb(folder / "lr.png")
    assert torch.equal(lr, found.reference.lr)
    record = json.loads((folder / "record.json").read_text())
    assert record["settings"] == {"generator": "tiny"}
    for sample in record["records"]:
        saved = load_rgb(folder / f"sr_{sample['sample']:02d}.png")
        assert sample["lr_psnr"] == pytest.approx(float(lr_psnr(saved[None], lr, DEGRADATION)), abs=1e-4)
    latents = load_file(folder / "latents.safetensors")
    assert {name: tensor.tolist() for name, tensor in latents.items()} == {
        name: tensor.tolist() for name, tensor in found.latents.items()
    }
    assert finished(folders.run_dir) == {"face"}


def test_only_what_exists_is_written(folders: ReferenceFolders):
    found = outcome("face", noisy=False)
    blind = dataclasses.replace(found, reference=Reference("face", found.reference.lr, None), mask=None, latents={})
    names = {path.name for path in write(folders, blind).iterdir()}
    assert names == set(EXPECTED_FILES) - {
        "hr.png", "mask.png", "latents.safetensors", "lr_noisy_00.png", "lr_noisy_01.png"
    }  # fmt: skip


def test_a_finished_reference_stays_as_it_is(folders: ReferenceFolders):
    folder = write(folders, outcome("face"))
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    write(folders, outcome("face", seed=1))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize("name", ["../face", "a/b", ".face", ""])
def test_a_name_that_would_leave_the_folder_is_refused(folders: ReferenceFolders, name: str):
    with pytest.raises(ValueError, match="name of a folder"):
        write(folders, outcome(name))


def test_a_kill_while_writing_loses_the_reference_at_most(tmp_path: Path):
    """Children die by SIGKILL at calls that reach the disk: the first, the last three and five between."""
    found = outcome("face")
    scores, downsampled = evaluate(found, DEGRADATION, ABSENT), DEGRADATION(found.samples)
    calls = ("fsync", "replace", "rename")

    def write_to(run_dir: Path) -> ReferenceFolders:
        folders = ReferenceFolders(run_dir, {}, ABSENT.state)
        folders.write(found, scores, downsampled, {"grid.png": Image.new("RGB", (8, 8))})
        return folders

    assert killed_at(0, lambda: write_to(tmp_path / "whole"), tmp_path / "count", calls) == 0
    total = int((tmp_path / "count").read_text())
    assert total == len(EXPECTED_FILES) + 3  # the flush of each file and of the folder, the rename, the parent's flush
    for fatal in sorted({1, *range(total // 6, total, total // 6), total - 2, total - 1, total}):
        run_dir = tmp_path / str(fatal)
        assert killed_at(fatal, lambda run_dir=run_dir: write_to(run_dir), calls=calls) == signal.SIGKILL
        # The last call is the flush of the parent folder, after the rename.
        assert finished(run_dir) == ({"face"} if fatal == total else set())
        folders = write_to(run_dir)
        assert not list(run_dir.rglob(f"{PARTIAL}*"))
        assert sorted(path.name for path in (folders.folder / "face").iterdir()) == EXPECTED_FILES
        assert derive(folders.run_dir, ["face"])["num_records"] == K


def test_the_tables_are_derived_from_the_folders(folders: ReferenceFolders):
    names = ["b", "a", "c", "missing"]
    for seed, name in enumerate(names[:3]):
        write(folders, outcome(name, seed))
    metrics = derive(folders.run_dir, names)
    lines = [json.loads(line) for line in (folders.run_dir / "records.jsonl").read_text().splitlines()]
    assert [(line["reference"], line["sample"]) for line in lines] == [(n, k) for n in names[:3] for k in range(K)]
    assert list(lines[0]) == [
        "reference", "sample", "psnr", "ssim", "lpips", "lr_psnr", "steps", "best_step", "seconds", "status",
        "lr_psnr_float", "lr_psnr_found", "lr_psnr_ntire", "realistic",
    ]  # fmt: skip
    psnr = np.array([line["psnr"] for line in lines]).reshape(3, K).mean(1)
    assert metrics["psnr"] == {"mean": pytest.approx(psnr.mean()), "std": pytest.approx(psnr.std())}
    assert metrics["lr_psnr"]["min"] == min(line["lr_psnr"] for line in lines)
    assert metrics["lpips"] == {"mean": None, "std": None} and metrics["diversity"]["lpips"] is None
    assert (metrics["num_references"], metrics["num_samples"], metrics["num_records"]) == (3, K, 3 * K)
    assert metrics["seconds"] == pytest.approx(12.0)
    assert sum(metrics["status"].values()) == 3 * K
    assert metrics["lpips_backbone"]["weights"] == "absent" and metrics["psnr_cap"]["db"] == 100.0
    assert json.loads((folders.run_dir / "metrics.json").read_text()) == metrics


def test_failed_samples_are_null_in_the_files_never_nan(folders: ReferenceFolders):
    found = outcome("face")
    samples = found.samples.clone()
    samples[1] = math.nan
    folder = write(folders, dataclasses.replace(found, samples=samples))
    metrics = derive(folders.run_dir, ["face"])
    assert metrics["status"] == {"ok": 1, "loose": 0, "failed": 1} and metrics["psnr"]["mean"] is not None
    assert torch.equal(load_rgb(folder / "sr_01.png"), torch.zeros(3, 16, 16))
    for path in (folder / "record.json", folders.run_dir / "records.jsonl", folders.run_dir / "metrics.json"):
        assert "NaN" not in path.read_text() and "Infinity" not in path.read_text()


def test_tables_of_a_run_without_any_result(folders: ReferenceFolders):
    metrics = derive(folders.run_dir, ["a"])
    assert metrics["num_references"] == metrics["num_samples"] == 0
    assert metrics["psnr"] == {"mean": None, "std": None} and metrics["lpips_backbone"] is None
    assert (folders.run_dir / "records.jsonl").read_text() == ""


def test_records_of_an_earlier_version_are_read_and_summarised(folders: ReferenceFolders):
    """As they were before the scorecard grew: no key of what it measures besides."""
    folder = write(folders, outcome("face"))
    record = json.loads((folder / "record.json").read_text())
    for sample in record["records"]:
        del sample["lr_psnr_float"], sample["lr_psnr_found"], sample["lr_psnr_ntire"]
    del record["mean_image_psnr"]
    record["diversity"] = {name: record["diversity"][name] for name in ("rms", "lpips")}
    write_json(folder / "record.json", record)
    [entry] = read_entries(folders.run_dir, ["face"])
    assert [(sample["lr_psnr_float"], sample["lr_psnr_ntire"]) for sample in entry["records"]] == [(None, None)] * K
    assert entry["records"][0]["lr_psnr"] == record["records"][0]["lr_psnr"]
    metrics = derive(folders.run_dir, ["face"])
    assert metrics["psnr"]["mean"] is not None and metrics["failures"]["lr_psnr_below_27"] is not None
    assert metrics["lr_psnr_ntire"]["mean"] is metrics["diversity"]["pixel_std"] is None
    assert metrics["failures"]["lr_psnr_ntire_below_45"] is None


def test_groups_are_fixed_before_shards_and_resuming():
    plan = Plan.of(list("abcde"), references_per_group=2)
    assert plan.groups == [[0, 1], [2, 3], [4]]
    assert plan.pending({"a", "b", "c"}) == [[2, 3], [4]]
    assert plan.pending(set(), index=0, count=2) + plan.pending(set(), index=1, count=2) == [[0, 1], [4], [2, 3]]
    with pytest.raises(ValueError, match="'a'"):
        Plan.of(["a", "b", "a"], 1)


def test_the_plan_is_written_once_and_another_is_refused(tmp_path: Path):
    plan = Plan.of(["a", "b", "c"], 2, seconds=12.5)
    write_plan_once(tmp_path, plan)
    content = (tmp_path / "plan.json").read_text()
    assert json.loads(content) == {"references": ["a", "b", "c"], "groups": [[0, 1], [2]], "seconds": 12.5}
    write_plan_once(tmp_path, dataclasses.replace(plan, seconds=99.0))
    assert (tmp_path / "plan.json").read_text() == content
    refuse_another_run(tmp_path, plan, weights_sha256=None)
    for other in (Plan.of(["a", "b", "c"], 1), Plan.of(["a", "b"], 2)):
        with pytest.raises(UserError, match="directory of its own"):
            refuse_another_run(tmp_path, other, weights_sha256=None)


def test_a_plan_that_was_written_is_read_again(tmp_path: Path):
    assert Plan.read(tmp_path) is None
    plan = Plan.of(["a", "b", "c"], 2)
    write_plan_once(tmp_path, plan)
    assert Plan.read(tmp_path) == plan
    write_plan(tmp_path, dataclasses.replace(plan, seconds=2.5))
    written = Plan.read(tmp_path)
    assert written == plan and written.seconds == 2.5
    for content in ("{", '{"references": []}', "[]"):
        (tmp_path / "plan.json").write_text(content)
        with pytest.raises(UserError, match=r"plan\.json is damaged"):
            Plan.read(tmp_path)


def test_what_is_unusable_is_searched_in_no_group_and_missed_in_none():
    plan = Plan.of(list("abcdefg"), references_per_group=3)
    assert plan.pending(set(), unusable={1}) == [[0, 2], [3, 4, 5], [6]]
    assert plan.pending({"a", "c"}, unusable={1: "damaged"}) == [[3, 4, 5], [6]]
    assert plan.pending({"a", "c"}) == [[0, 1, 2], [3, 4, 5], [6]]  # repaired: the whole group again
    assert plan.pending(set(), unusable={6}) == [[0, 1, 2], [3, 4, 5]]
    assert plan.pending(set(), index=1, count=2, unusable={3, 4, 5}) == []


def test_a_record_names_the_group_it_was_searched_in(folders: ReferenceFolders):
    for name, halved in (("a", False), ("b", True)):
        folder = write(folders, dataclasses.replace(outcome(name), group=["a", "b"], halved=halved))
        record = json.loads((folder / "record.json").read_text())
        assert (record["group"], record["halved"]) == (["a", "b"], halved)


def test_the_metrics_say_why_a_reference_is_missing(folders: ReferenceFolders):
    write(folders, outcome("a"))
    assert derive(folders.run_dir, ["a", "b"])["unusable"] == {}
    metrics = derive(folders.run_dir, ["a", "b"], {"b": "b.jpg is cut short"})
    assert metrics["num_references"] == 1 and metrics["unusable"] == {"b": "b.jpg is cut short"}
    assert json.loads((folders.run_dir / "metrics.json").read_text()) == metrics
    assert {**metrics, "unusable": {}} == metrics_of(read_entries(folders.run_dir, ["a", "b"]), {})


def test_unfinished_folders_do_not_count(folders: ReferenceFolders):
    write(folders, outcome("face"))
    for name in (f"{PARTIAL}other", "empty"):
        (folders.folder / name).mkdir()
    (folders.folder / f"{PARTIAL}other" / "record.json").write_text("{}")
    assert finished(folders.run_dir) == {"face"}


def test_a_run_is_not_taken_up_again_with_other_weights(tmp_path: Path):
    made_with = {"seed": 0, "device": torch.device("cpu"), "generator": "tiny", "choices": {}}
    plan = Plan.of(["a"], 1)
    refuse_another_run(tmp_path, plan, weights_sha256="ab12")
    write_provenance(tmp_path, weights_sha256="ab12", **made_with)
    refuse_another_run(tmp_path, plan, weights_sha256="ab12")
    for other in ("cd34", None):
        with pytest.raises(UserError, match="other weights"):
            refuse_another_run(tmp_path, plan, weights_sha256=other)
    assert [path.name for path in tmp_path.iterdir()] == ["provenance.json"]


def test_a_group_is_called_by_its_references():
    plan = Plan.of(list("abcde"), references_per_group=2)
    assert [plan.label(group) for group in plan.groups] == ["a to b", "c to d", "e"]


def test_provenance_names_what_the_run_was_made_with(tmp_path: Path):
    choices = {"precision": {"chosen": "32-true", "because": None}, "kernels": {"chosen": "plain", "because": None}}
    device = torch.device("cpu")
    write_provenance(tmp_path, seed=0, device=device, weights_sha256="ab12", generator="tiny", choices=choices)
    content = json.loads((tmp_path / "provenance.json").read_text())
    assert content["seed"] == 0 and content["weights_sha256"] == "ab12" and content["generator"] == "tiny"
    assert content["versions"]["torch"] == importlib.metadata.version("torch")
    assert content["device"].startswith("cpu") and "commit" in content and choices.items() <= content.items()


def test_json_has_plain_finite_values(tmp_path: Path):
    write_json(
        tmp_path / "a.json", {"a": [math.nan, -math.inf, 1.5], "b": torch.tensor([1.0, math.nan]), "c": tmp_path}
    )
    content = json.loads((tmp_path / "a.json").read_text())
    assert content == {"a": [None, None, 1.5], "b": [1.0, None], "c": str(tmp_path)}
