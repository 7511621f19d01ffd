import csv
import dataclasses
import json
import logging
import math
import os
import subprocess
import sys
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
import tiny_run
import torch
import wandb
import yaml
from PIL import Image
from wandb_files import forget_wandb_settings, read_run, read_table

from multimodal_pulse.metrics import Diversity, SampleRecord, Scores
from multimodal_pulse.results.tracking import CsvTracker, NullTracker, WandbTracker

RECORDS = [
    SampleRecord("face", 0, 20.0, 0.5, None, 31.25, 3, 1, 0.5, "ok", realistic=True),
    SampleRecord("face", 1, 23.0, 0.25, None, 30.25, 3, 2, 0.5, "ok", realistic=False),
    SampleRecord("face", 2, None, None, None, None, 3, 2, 0.5, "failed"),
]
SPREAD = Diversity(rms=12.0, lpips=None)
METRICS = {"num_references": 1, "psnr": {"mean": 20.0, "std": 0.0}, "lpips": {"mean": None}}
SAMPLES = torch.stack([*torch.rand(2, 3, 8, 8), torch.full((3, 8, 8), math.nan)])


def entry(name: str) -> dict[str, Any]:
    """The content of a record.json."""
    return {
        "reference": name,
        "records": [vars(record) | {"reference": name} for record in RECORDS],
        "diversity": dataclasses.asdict(SPREAD),
        "seconds": 1.5,
        "settings": {"seed": 0},
        "lpips_backbone": {"weights": "absent"},
        "realism_backbone": {"weights": "absent"},
        "calibration": 0.5,
        "remarks": ["A remark."],
        "weights_sha256": None,
    }


def track(tracker: NullTracker, groups: int = 1) -> None:
    with tracker:
        for group in range(groups):
            for step in range(3):
                tracker.log_step(f"group_{group}", step, {"fidelity": 1 / (step + 1), "loss": float(group)})
            scores = Scores([dataclasses.replace(record, reference=f"face_{group}") for record in RECORDS], SPREAD)
            page = Image.new("RGB", (40, 20), "white")
            tracker.log_reference(scores, SAMPLES, {"grid.png": page, "mean.png": page, "spread.png": page})
        tracker.log_tables([entry(f"face_{group}") for group in range(groups)], METRICS)
    tracker.close()


def test_none_leaves_nothing(tmp_path: Path):
    track(NullTracker(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_csv_has_one_file_with_a_line_per_step_of_each_group(tmp_path: Path):
    track(CsvTracker(tmp_path), groups=2)
    assert [path.name for path in tmp_path.iterdir()] == ["curves.csv"]
    with (tmp_path / "curves.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["references"], int(row["step"]), float(row["fidelity"]), float(row["loss"])) for row in rows] == [
        (f"group_{group}", step, 1 / (step + 1), group) for group in range(2) for step in range(3)
    ]


def test_csv_has_a_group_on_the_disk_before_its_first_reference_is_recorded(tmp_path: Path):
    lines = "references,step,fidelity\n"
    with CsvTracker(tmp_path) as tracker:
        for group in range(3):
            tracker.log_step(f"group_{group}", 0, {"fidelity": 1.0})
            assert (tmp_path / "curves.csv").exists() == (group > 0)
            tracker.end_group()
            lines += f"group_{group},0,1.0\n"
            assert (tmp_path / "curves.csv").read_text() == lines


def test_csv_keeps_what_was_logged_when_the_run_fails(tmp_path: Path):
    with pytest.raises(KeyboardInterrupt), CsvTracker(tmp_path) as tracker:
        tracker.log_step("group_0", 0, {"fidelity": math.nan})
        raise KeyboardInterrupt
    assert (tmp_path / "curves.csv").read_text() == "references,step,fidelity\ngroup_0,0,nan\n"


def test_csv_of_a_run_taken_up_again_has_each_group_once(tmp_path: Path):
    def log(*points: tuple[str, int]) -> str:
        with CsvTracker(tmp_path) as tracker:
            for label, step in points:
                tracker.log_step(label, step, {"loss": 0.5})
        return (tmp_path / "curves.csv").read_text()

    header = "references,step,loss\n"
    (tmp_path / "curves.csv").write_text("referen")  # killed in the first line
    log(("references", 0), ("a", 0), ("a", 1), ("b", 0))  # stopped in b; a reference may be called as the column is
    with (tmp_path / "curves.csv").open("a") as file:
        file.write("b,1,0")  # and killed while it wrote
    kept = header + "references,0,0.5\na,0,0.5\na,1,0.5\n"
    assert log(("b", 0), ("b", 1), ("c", 0)) == kept + "b,0,0.5\nb,1,0.5\nc,0,0.5\n"
    assert log(("references", 7)) == header + "a,0,0.5\na,1,0.5\nb,0,0.5\nb,1,0.5\nc,0,0.5\nreferences,7,0.5\n"
    assert log() == header + "a,0,0.5\na,1,0.5\nb,0,0.5\nb,1,0.5\nc,0,0.5\nreferences,7,0.5\n"


def test_a_disabled_run_takes_everything_and_writes_nothing(tmp_path: Path):
    track(WandbTracker(tmp_path, {"seed": 0}, mode="disabled"))
    assert not list(tmp_path.rglob("*.wandb"))


def test_offline_jobs_need_nothing_and_keep_everything_apart(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
):
    forget_wandb_settings(monkeypatch, tmp_path)
    for number in range(2):
        track(WandbTracker(tmp_path / str(number), {"seed": number}, group="sweep", limit=2), groups=3)
    assert wandb.run is None
    assert "WANDB_MODE" not in os.environ and "WANDB_ERROR_REPORTING" not in os.environ
    assert capfd.readouterr() == ("", "")
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    for number in range(2):
        [run] = (tmp_path / str(number) / "wandb").glob("offline-run-*")
        content = read_run(next(run.glob("*.wandb")))
        assert content["config"]["seed"] == number and content["group"] == "sweep"
        curve = [(row["step"], row["fidelity/group_1"]) for row in content["history"] if "fidelity/group_1" in row]
        assert curve == [(step, pytest.approx(1 / (step + 1))) for step in range(3)]
        galleries = {key: value for row in content["history"] for key, value in row.items() if "/face_" in key}
        kinds = ("grid", "mean", "samples", "spread")
        assert sorted(galleries) == [f"{kind}/{name}" for kind in kinds for name in ("face_0", "face_1")]
        captions = [
            "sample 0: faithful, 31.2 dB, realistic",
            "sample 1: faithful, 30.2 dB, not realistic",
            "sample 2: failed, no picture",
        ]
        assert galleries["samples/face_0"]["captions"] == captions
        assert all((run / "files" / name).is_file() for name in galleries["samples/face_1"]["filenames"])
        samples, references = read_table(run, "records"), read_table(run, "references")
        assert [row["reference"] for row in references] == ["face_0", "face_1", "face_2"]  # beyond the limit as well
        assert samples == [vars(record) | {"reference": f"face_{n}"} for n in range(3) for record in RECORDS]
        expected = {
            "reference": "face_1", "psnr": 21.5, "ssim": 0.375, "lpips": None, "lr_psnr": 30.75, "lr_psnr_worst": 30.25,
            "best_step": pytest.approx(5 / 3), "diversity.rms": 12.0, "diversity.lpips": None, "seconds": 1.5,
            "calibration": 0.5, "realistic": 0.5,
        }  # fmt: skip
        assert {column: references[1][column] for column in expected} == expected
        assert not {"remarks", "realism_backbone.weights"} & references[1].keys()
        assert content["summary"]["psnr.mean"] == 20.0 and content["summary"]["num_references"] == 1


def test_the_file_of_an_offline_run_has_all_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    forget_wandb_settings(monkeypatch, tmp_path)
    tiny = [*tiny_run.overrides(tiny_run.GENERATOR), "degradation.factor=4", "metrics.lpips_net=null"]
    tiny += ["references.limit=3", "trainer.references_per_group=2", "num_samples=2", "steps=12", "tracking.limit=2"]
    assert tiny_run.run("-m", "method=report", "seed=1", f"hydra.sweep.dir={tmp_path / 'sweep'}", *tiny) == 0
    [folder] = (tmp_path / "sweep").glob("0-report*")
    [run] = (folder / "wandb").glob("offline-run-*")
    content = read_run(next(run.glob("*.wandb")))
    names = [f"test_{number:06d}" for number in range(3)]

    assert content["group"] == "sweep" and content["project"] == "multimodal-pulse"
    assert content["config"]["seed"] == 1 and content["config"]["noise"]["lr_std"] == 0.108

    for label in (f"{names[0]} to {names[1]}", names[2]):  # two groups, so two curves of each kind
        points = [row for row in content["history"] if f"fidelity/{label}" in row]
        assert [row["step"] for row in points] == list(range(12))
        assert all(math.isfinite(row[f"loss/{label}"]) for row in points)
    logged = [item for row in content["history"] for item in row.items()]
    galleries = {key: value for key, value in logged if key.startswith(("grid/", "samples/"))}
    assert sorted(galleries) == [f"{kind}/{name}" for kind in ("grid", "samples") for name in names[:2]]
    assert galleries["samples/test_000001"]["count"] == 2
    shown = Image.open(run / "files" / galleries["samples/test_000001"]["filenames"][1])
    assert shown.tobytes() == Image.open(folder / "references" / "test_000001" / "sr_01.png").tobytes()

    entries = [json.loads((folder / "references" / name / "record.json").read_text()) for name in names]
    assert read_table(run, "records") == [record for entry in entries for record in entry["records"]]
    rows = read_table(run, "references")
    assert [row["reference"] for row in rows] == names
    for row, entry in zip(rows, entries, strict=True):
        for score in ("psnr", "ssim", "lr_psnr"):
            assert row[score] == pytest.approx(fmean(record[score] for record in entry["records"]))
        assert row["lr_psnr_worst"] == min(record["lr_psnr"] for record in entry["records"])
        assert (row["diversity.rms"], row["lpips"], row["seconds"]) == (
            entry["diversity"]["rms"], None, entry["seconds"],
        )  # fmt: skip

    metrics = json.loads((folder / "metrics.json").read_text())
    for key in ("psnr", "ssim", "lr_psnr", "diversity", "status", "failures"):
        for name, value in metrics[key].items():
            assert content["summary"].get(f"{key}.{name}") == value
    assert content["summary"]["num_references"] == 3 and "lpips.mean" not in content["summary"]


@pytest.mark.slow
def test_jobs_in_a_launchers_processes_have_the_sweep_as_their_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher", reason="hydra-joblib-launcher is not installed")
    forget_wandb_settings(monkeypatch, tmp_path)
    arguments = ["method=bicubic", "metrics.lpips_net=null", "seed=0,1", f"hydra.sweep.dir={tmp_path / 'sweep'}"]
    launcher = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
    subprocess.run([sys.executable, "-m", "multimodal_pulse", "-m", *launcher, *arguments], cwd=tmp_path, check=True)
    jobs = [read_run(file) for file in sorted((tmp_path / "sweep").rglob("*.wandb"))]
    assert [(job["group"], job["config"]["seed"]) for job in jobs] == [("sweep", 0), ("sweep", 1)]


def test_a_table_of_more_rows_than_wandb_shows_by_itself_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    forget_wandb_settings(monkeypatch, tmp_path)
    monkeypatch.setattr(wandb.Table, "MAX_ROWS", 10)  # ten thousand, which 2824 references of 4 samples exceed
    entries = [entry(f"face_{number}") for number in range(7)]
    with WandbTracker(tmp_path / "run") as tracker:
        tracker.log_tables(entries, METRICS)
    [run] = (tmp_path / "run" / "wandb").glob("offline-run-*")
    assert [len(read_table(run, name)) for name in ("references", "records")] == [7, 21]
    assert wandb.Table.MAX_ROWS == 10


def test_a_run_without_a_reference_has_empty_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    forget_wandb_settings(monkeypatch, tmp_path)
    with WandbTracker(tmp_path / "run") as tracker:
        tracker.log_tables([], {"num_references": 0})
    [run] = (tmp_path / "run" / "wandb").glob("offline-run-*")
    assert read_table(run, "records") == []


def test_a_run_that_an_agent_starts_belongs_to_its_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    forget_wandb_settings(monkeypatch, tmp_path)
    chosen = {"wandb_version": 1, "noise.lr_std": {"value": 0.05}}
    (tmp_path / "chosen.yaml").write_text(yaml.safe_dump(chosen))
    environment = {"SWEEP_ID": "abc123", "RUN_ID": "run7", "PROJECT": "faces", "SWEEP_PARAM_PATH": "chosen.yaml"}
    for name, value in environment.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    monkeypatch.chdir(tmp_path)
    wandb.teardown()  # it reads the environment once for each process, as an agent's are
    try:
        with WandbTracker(tmp_path / "run", {"noise": {"lr_std": 0.05}}) as tracker:
            assert tracker.run.id == "run7"
    finally:
        wandb.teardown()
    content = read_run(next((tmp_path / "run").rglob("*.wandb")))
    assert (content["sweep"], content["project"], content["config"]["noise.lr_std"]) == ("abc123", "faces", 0.05)


@pytest.mark.parametrize("tracker", [NullTracker, CsvTracker, WandbTracker])
def test_nothing_is_written_before_the_block_is_entered(tracker: type[NullTracker], tmp_path: Path):
    tracker(tmp_path / "run").close()
    assert list(tmp_path.iterdir()) == []
