"""Whole runs through the command line and through Python, with a random generator of 32 x 32 and a few steps."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from PIL import Image
from places import CONF

import multimodal_pulse
from multimodal_pulse.base.errors import UserError
from multimodal_pulse.configuration.compose import compose_job
from multimodal_pulse.degradation.bicubic import Bicubic
from multimodal_pulse.generator import untrained
from multimodal_pulse.interface.api import run_overrides
from multimodal_pulse.interface.cli import _refuse_lost_paths, main
from multimodal_pulse.references.pixels import save_png
from multimodal_pulse.results.report import Forecast
from multimodal_pulse.run.build import RENDERING_SLOTS, RENDERING_TARGETS, build_references, load_renderer, torch_device

TINY: dict[str, Any] = {
    "generator": "untrained",
    "generator.resolution": 32,
    "generator.z_dim": 4,
    "generator.w_dim": 4,
    "generator.mapping_layers": 1,
    "generator.channel_max": 8,
    "degradation.factor": 4,
    "steps": 3,
    "metrics.lpips_net": None,
    "tracking": "none",
}
OVERRIDES = [f"{key}={'null' if value is None else value}" for key, value in TINY.items()]


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory):
    """The statistics of W, computed once for all runs here; and one thread, which is faster for so small a network."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MULTIMODAL_PULSE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
    torch.set_num_threads(threads)


@pytest.fixture
def command(monkeypatch, capsys):
    """Runs the command in this process: (exit status, stdout, stderr)."""

    def run(*arguments: str, base: Sequence[str] = OVERRIDES) -> tuple[int, str, str]:
        flags = [argument for argument in arguments if argument.startswith("-")]
        overrides = [argument for argument in arguments if argument not in flags]
        monkeypatch.setattr(sys, "argv", ["multimodal-pulse", *flags, *base, *overrides])
        status = 0
        try:
            main()
        except SystemExit as stopped:
            status = int(stopped.code or 0)
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def photos(tmp_path) -> Path:
    """A folder of two originals of 32 x 32."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, seed in (("ada", 0), ("grace", 1)):
        save_png(torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(seed)), folder / f"{name}.png")
    return folder


def read(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_run_leaves_what_the_design_lists_and_says_where(command, tmp_path):
    run_dir = tmp_path / "run"
    status, said, errors = command(f"hydra.run.dir={run_dir}", "num_samples=2", "film_frames=2", "tracking=csv")
    assert status == 0, errors
    folder = run_dir / "references" / "test_000000"
    assert f"picture: {folder / 'grid.png'}" in said and f"run:     {run_dir}\n" in said
    assert errors.count(f"run: {run_dir}\n") == 1
    assert "test_000000" in said and "LR-PSNR" in said
    assert "Lightning" not in errors and "GPU" not in errors and "Warning" not in errors

    assert {path.name for path in run_dir.iterdir()} == {
        "config.yaml", "overrides.yaml", "provenance.json", "plan.json", "records.jsonl", "metrics.json", "references",
        "curves.csv",
    }  # fmt: skip
    assert {path.name for path in folder.iterdir()} == {
        "hr.png", "lr.png", "lr_noisy_00.png", "lr_noisy_01.png", "sr_00.png", "sr_01.png", "sr_00_lr.png",
        "sr_01_lr.png", "grid.png", "film.png", "latents.safetensors", "record.json",
    }  # fmt: skip
    records = [json.loads(line) for line in (run_dir / "records.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(record["reference"], record["sample"], record["steps"]) for record in records] == [
        ("test_000000", 0, 3),
        ("test_000000", 1, 3),
    ]
    metrics = read(run_dir / "metrics.json")
    assert (metrics["num_references"], metrics["num_samples"]) == (1, 2)
    assert metrics["diversity"]["rms"] > 0
    assert read(run_dir / "plan.json")["references"] == ["test_000000"]
    assert read(run_dir / "provenance.json")["seed"] == 0
    curves = (run_dir / "curves.csv").read_text(encoding="utf-8").splitlines()
    assert curves[0].startswith("references,step,loss,fidelity") and len(curves) == 4
    assert [line.split(",")[:2] for line in curves[1:]] == [["test_000000", str(step)] for step in range(3)]


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


def test_shards_take_whole_groups_and_make_the_whole_together(command, photos, tmp_path):
    common = ("references=folder", f"references.path={photos}", "trainer.references_per_group=1", "num_samples=1")
    assert command(*common, f"hydra.run.dir={tmp_path / 'whole'}")[0] == 0
    for index in (0, 1):
        shard = ("shard.count=2", f"shard.index={index}", f"hydra.run.dir={tmp_path / f'shard{index}'}")
        assert command(*common, *shard)[0] == 0
    whole = contents(tmp_path / "whole" / "references")
    shards = [contents(tmp_path / f"shard{index}" / "references") for index in (0, 1)]
    assert {name.split("/")[0] for name in shards[0]} == {"ada"}
    assert {name.split("/")[0] for name in shards[1]} == {"grace"}
    together = shards[0] | shards[1]
    assert together.keys() == whole.keys()
    assert all(together[name] == whole[name] for name in whole if name.endswith(".png"))


def test_a_sweep_has_a_folder_for_each_run_and_survives_a_refused_one(command, tmp_path):
    status, said, errors = command(
        "-m", "method=lr_noise,bicubic,synthesis_noise", "num_samples=1", "noise.lr_std=0.1",
        f"hydra.sweep.dir={tmp_path / 'sweep'}",
    )  # fmt: skip
    assert status == 1
    assert errors.count("noise.lr_std is set, but lr_noise=none") == 2
    assert "Traceback" not in errors and "Error executing job" not in errors
    assert {path.name for path in (tmp_path / "sweep").iterdir()} == {"multirun.yaml", "sweep.csv", "0-lr_noise"}
    assert read(tmp_path / "sweep" / "0-lr_noise" / "metrics.json")["num_references"] == 1
    table = said[said.index("\njob ") :].splitlines()[1:]
    assert [line.split()[:3] for line in table[1:4]] == [
        ["0", "method=lr_noise", table[1].split()[2]],
        ["1", "method=bicubic", "failed"],
        ["2", "method=synthesis_noise", "failed"],
    ]
    assert table[-1] == f"sweep:   {tmp_path / 'sweep'}, with this table in sweep.csv"
    rows = sweep_rows(tmp_path / "sweep")
    assert [(row["job"], row["method"], row["folder"], bool(row["psnr"])) for row in rows] == [
        ("0", "lr_noise", "0-lr_noise", True), ("1", "bicubic", "1-bicubic", False),
        ("2", "synthesis_noise", "2-synthesis_noise", False),
    ]  # fmt: skip
    assert "noise.lr_std is set" in rows[1]["error"] and rows[0]["error"] == ""

    status, said, errors = command("-m", "method=bicubic", "seed=0,1", f"hydra.sweep.dir={tmp_path / 'two'}")
    assert status == 0, errors
    assert {path.name for path in (tmp_path / "two").iterdir()} >= {"0-bicubic-seed-0", "1-bicubic-seed-1"}
    assert said.count("picture: ") == 2
    metrics = read(tmp_path / "two" / "1-bicubic-seed-1" / "metrics.json")
    assert [(row["seed"], float(row["lr_psnr_worst"])) for row in sweep_rows(tmp_path / "two")][1] == (
        "1",
        metrics["lr_psnr"]["min"],
    )


def sweep_rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "sweep.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_sweep_of_one_run_has_its_table_too(command, tmp_path):
    status, said, errors = command("-m", "method=bicubic", f"hydra.sweep.dir={tmp_path / 'sweep'}")
    assert status == 0, errors
    assert "\n0 method=bicubic " in said
    [row] = sweep_rows(tmp_path / "sweep")
    assert row["folder"] == "0-bicubic" and float(row["psnr"]) > 0


def test_another_process_names_the_folders_of_a_sweep_alike():
    code = (
        "from hydra import compose, initialize_config_dir\n"
        "from hydra.core.hydra_config import HydraConfig\n"
        "from omegaconf import open_dict\n"
        "from multimodal_pulse.interface.cli import CommandLine\n"
        "CommandLine().arguments = ['-m', 'method=lr_noise', 'noise.lr_std=.2', 'seed=0,1']\n"  # a launcher brings it
        f"with initialize_config_dir({str(CONF)!r}, version_base='1.3'):\n"
        "    cfg = compose('config', ['method=lr_noise', 'noise.lr_std=0.2', 'seed=1'], return_hydra_config=True)\n"
        "with open_dict(cfg):\n"
        "    cfg.hydra.job.num = 3\n"
        "HydraConfig.instance().set_config(cfg)\n"
        "print(cfg.hydra.sweep.subdir)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("3-lr_noise-seed-1\n", "")


def test_a_sweep_that_is_stopped_while_torch_is_imported_has_its_table(tmp_path):
    (tmp_path / "torch.py").write_text("raise KeyboardInterrupt", encoding="utf-8")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        f"sys.argv = ['multimodal-pulse', '-m', 'seed=0,1', 'hydra.sweep.dir={tmp_path / 'sweep'}']\n"
        "from multimodal_pulse.interface.cli import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    said = done.stderr
    assert done.returncode == 130 and said.startswith("multimodal-pulse: stopped") and said.count("\n") == 1
    assert [(row["seed"], row["error"]) for row in sweep_rows(tmp_path / "sweep")] == [("0", "stopped")]


def test_a_run_that_fails_in_a_launchers_process_says_why_where_the_command_was_given(command, tmp_path, monkeypatch):
    processes = iter([("login", 7), ("node", 7)])
    monkeypatch.setattr("multimodal_pulse.interface.cli._process", lambda: next(processes))
    sweep = tmp_path / "sweep"
    status, _, errors = command("-m", "shard.count=2", "shard.index=2,1", f"hydra.sweep.dir={sweep}")
    why = "shard.index=2, shard.count=2: the shards are 0 to 1."
    assert status == 1 and errors.endswith(f"multimodal-pulse: {sweep / 'shard-2'} failed: {why}\n")


@pytest.mark.parametrize(
    ("paths", "absolute"),
    [
        (["hydra.sweep.dir=sweep"], "hydra.sweep.dir={here}/sweep"),
        (
            ["hydra.sweep.dir={here}/sweep", "references=folder", "references.path=photos"],
            "references.path={here}/photos",
        ),
    ],
)
def test_a_relative_path_is_refused_where_a_launcher_works_in_another_folder(paths, absolute, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "node").mkdir()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("config", [path.format(here=tmp_path) for path in paths], return_hydra_config=True)
    _refuse_lost_paths(cfg, cfg.hydra)
    monkeypatch.chdir(tmp_path / "node")
    with pytest.raises(UserError) as refused:
        _refuse_lost_paths(cfg, cfg.hydra)
    assert str(refused.value) == (
        f"the launcher's processes are in {tmp_path / 'node'} and not in {tmp_path}: write"
        f" {absolute.format(here=tmp_path)}."
    )


def test_a_launcher_that_loses_its_worker_ends_with_one_line(command, tmp_path, monkeypatch):
    class Losing:
        def launch(self, *arguments, **keywords):
            raise RuntimeError("a worker\nwas killed")

    monkeypatch.setattr("hydra.core.plugins.Plugins.instantiate_launcher", lambda *arguments, **keywords: Losing())
    status, _, errors = command("-m", "hydra/launcher=basic", "seed=0,1", f"hydra.sweep.dir={tmp_path / 'sweep'}")
    assert status == 1
    assert errors == (
        "multimodal-pulse: the launcher gave up (RuntimeError: a worker was killed): the same command with the same"
        " hydra.sweep.dir does the rest.\n"
    )


def test_a_single_run_has_no_table_of_a_sweep(command, tmp_path):
    status, said, _ = command("method=bicubic", f"hydra.run.dir={tmp_path / 'run'}")
    assert status == 0 and "\njob " not in said and not (tmp_path / "sweep.csv").exists()


# --- groups, references that cannot be used, dry runs ----------------------------------------------------------------


@pytest.fixture
def machine(monkeypatch):
    """Sets how much memory the machine has."""
    return lambda gigabytes: monkeypatch.setattr(
        "multimodal_pulse.search.group_size.memory_bytes", lambda device: int(gigabytes * 1e9)
    )


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


def test_other_references_are_refused_where_auto_has_settled_a_plan(command, photos, tmp_path):
    arguments = ("references=folder", f"references.path={photos}", f"hydra.run.dir={tmp_path / 'run'}", "num_samples=1")
    assert command(*arguments)[0] == 0
    (photos / "third.png").write_bytes((photos / "ada.png").read_bytes())
    status, _, errors = command(*arguments)
    assert status == 1 and "plans 2 references" in errors


@pytest.fixture
def release(tmp_path) -> Path:
    """CelebAMask-HQ with five test images of 32 x 32."""
    folder = tmp_path / "release"
    (folder / "CelebA-HQ-img").mkdir(parents=True)
    rows = ["idx orig_idx orig_file"] + [f"{idx} {idx + 9} {idx + 10:06d}.jpg" for idx in range(5)]
    (folder / "CelebA-HQ-to-CelebA-mapping.txt").write_text("\n".join(rows), encoding="utf-8")
    codes = "".join(f"{number:06d}.jpg 2\n" for number in range(1, 20))
    (folder / "list_eval_partition.txt").write_text(codes, encoding="utf-8")
    mend(folder, *range(5))
    return folder


def mend(release: Path, *numbers: int) -> None:
    """Writes these images whole."""
    for idx in numbers:
        pixels = torch.rand(32, 32, 3, generator=torch.Generator().manual_seed(idx)).mul(255).byte().numpy()
        Image.fromarray(pixels).save(release / "CelebA-HQ-img" / f"{idx}.jpg", quality=95)


def cut(release: Path, *numbers: int) -> None:
    """Cuts these images short."""
    for idx in numbers:
        path = release / "CelebA-HQ-img" / f"{idx}.jpg"
        path.write_bytes(path.read_bytes()[:-200])


def test_what_cannot_be_used_is_named_and_left_out_until_it_is_mended(command, release, tmp_path):
    run_dir = tmp_path / "run"
    arguments = (
        "references=celeba_hq", f"references.path={release}", "references.expected=null", "num_samples=1",
        "trainer.references_per_group=2", f"hydra.run.dir={run_dir}",
    )  # fmt: skip
    cut(release, 1, 2)
    status, said, errors = command(*arguments)
    assert status == 1 and "mean of 3" in said
    assert errors.index("note: 2 references cannot be used and are left out:") < errors.index("3/3 references")
    last = errors.splitlines()[-1]
    assert last.startswith("multimodal-pulse: 2 references could not be used (00001, 00002): ")
    metrics = read(run_dir / "metrics.json")
    assert metrics["num_references"] == 3
    assert {name: "jpg" in reason for name, reason in metrics["unusable"].items()} == {"00001": True, "00002": True}
    assert read(run_dir / "plan.json")["groups"] == [[0, 1], [2, 3], [4]]
    groups = {path.parent.name: read(path)["group"] for path in (run_dir / "references").glob("*/record.json")}
    assert groups == {"00000": ["00000"], "00003": ["00003"], "00004": ["00004"]}

    before = contents(run_dir / "references")
    status, _, errors = command(*arguments)
    assert status == 1 and "everything else was finished already; nothing to do" in errors
    assert contents(run_dir / "references") == before

    mend(release, 1)
    cut(release, 0)  # finished, and not missed
    status, _, errors = command(*arguments)
    assert status == 1 and "(00002)" in errors.splitlines()[-1]
    assert list(read(run_dir / "metrics.json")["unusable"]) == ["00002"]
    assert read(run_dir / "references" / "00001" / "record.json")["group"] == ["00001"]

    mend(release, 0, 2)
    status, _, errors = command(*arguments)
    assert status == 0, errors
    assert read(run_dir / "metrics.json")["unusable"] == {}
    assert read(run_dir / "references" / "00002" / "record.json")["group"] == ["00002", "00003"]
    after = contents(run_dir / "references")
    assert all(after[name] == before[name] for name in before)


def test_a_sweep_goes_on_after_a_run_with_a_reference_that_cannot_be_used(command, release, tmp_path):
    cut(release, 3)
    status, said, errors = command(
        "-m", "seed=0,1", "references=celeba_hq", f"references.path={release}", "references.expected=null",
        "method=bicubic", f"hydra.sweep.dir={tmp_path / 'sweep'}",
    )  # fmt: skip
    assert status == 1 and errors.count("1 reference could not be used (00003)") == 2
    assert "Traceback" not in errors
    rows = sweep_rows(tmp_path / "sweep")
    assert all(float(row["psnr"]) > 0 and "could not be used" in row["error"] for row in rows)
    assert [line.split()[:2] for line in said.splitlines()[-5:-2]][1:] == [["0", "seed=0"], ["1", "seed=1"]]


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
    settled = (run_dir / "plan.json").read_text(encoding="utf-8")
    machine(1000)
    status, _, errors = command(*arguments)
    assert status == 0 and "finished already" not in errors
    assert (run_dir / "plan.json").read_text(encoding="utf-8") == settled
    assert read(run_dir / "metrics.json")["num_references"] == 5
    record = read(run_dir / "references" / "test_000000" / "record.json")
    assert record["group"] == plan["references"][:2] and record["records"][0]["steps"] == 21
    assert yaml.safe_load((run_dir / "config.yaml").read_text())["dry_run"] is False
    assert not any("dry_run" in line for line in (run_dir / "overrides.yaml").read_text().splitlines())

    status, said, errors = command(*arguments, "dry_run=true")  # nothing is left
    assert status == 0 and "0 references in 0 groups of 0" in said and "nothing to do" in errors


def test_a_dry_run_takes_no_more_steps_than_the_run_and_tracks_nothing(command, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "multimodal_pulse.results.tracking.trackers.CsvTracker.__enter__", lambda self: pytest.fail("tracked")
    )
    run_dir = tmp_path / "run"
    shard = ("shard.count=2", "shard.index=1", "references.limit=3", "trainer.references_per_group=1")
    status, said, errors = command("dry_run=true", "num_samples=1", *shard, f"hydra.run.dir={run_dir}", "tracking=csv")
    assert status == 0, errors
    assert "step 3/3" in errors and "1 reference (shard 1 of 2) in 1 group of 1, 1 sample of each" in said


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


@pytest.mark.parametrize("method", ["pulse", "resampling", "masked_lr_noise", "synthesis_noise", "batch_diversity"])
def test_every_other_method_runs(method, command, tmp_path):
    run_dir = tmp_path / "run"
    status, _, errors = command(f"method={method}", "num_samples=2", "steps=2", f"hydra.run.dir={run_dir}")
    assert status == 0, errors
    assert read(run_dir / "metrics.json")["num_samples"] == 2
    assert (run_dir / "references" / "test_000000" / "mask.png").exists() == (method == "masked_lr_noise")


@pytest.mark.parametrize(
    ("overrides", "shard", "number"),
    [([], 0, 0), ([], 3, 3), ([], 5, 1), (["trainer.device=2"], 1, 2)],
)
def test_each_shard_of_a_machine_has_a_gpu_of_its_own(overrides, shard, number, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    cfg, _ = compose_job(["trainer=gpu", *overrides], "unused")
    assert torch_device(cfg.trainer, shard) == torch.device("cuda", number)


def test_a_gpu_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    cfg, _ = compose_job(["trainer=gpu", "trainer.device=4"], "unused")
    with pytest.raises(UserError, match=r"trainer\.device=4, but the CUDA devices here are 0 to 3\."):
        torch_device(cfg.trainer, 0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["trainer=gpu"], ["trainer=gpu", "trainer=cpu"]),
        (["references=image", "references.path=nowhere.png"], ["nowhere.png"]),
        (["references=image", "references.path=broken.png"], ["broken.png"]),
        (["references=image", "references.path=tiny.png"], ["tiny.png", "32 x 32", "8 x 8"]),
        (["references=folder", "references.path=nowhere"], ["nowhere"]),
        (["degradation.factor=5"], ["degradation.factor=5", "32"]),
        (["method=masked_lr_noise", "noise.lr_mask=tiny.png"], ["noise.lr_mask", "7 x 7", "8 x 8", "32 x 32"]),
        (["method=masked_lr_noise", "noise.lr_mask=nowhere.png"], ["nowhere.png"]),
        (["method=masked_lr_noise", "references=image", "references.path=ada.png"], ["noise.lr_mask"]),
        (["noise.synthesis_resolutions=[64]"], ["noise.synthesis_resolutions", "64", "32"]),
        (["generator.resolution=100"], ["generator", "100"]),
        (["references.as=hr", "references=image", "references.path=tiny.png"], ["references.as=hr"]),
        (["tracking=wandb", "tracking.mode=online"], ["tracking.mode=offline"]),
    ],
)
def test_bad_input_ends_with_status_1_and_one_line_that_names_it(arguments, words, command, tmp_path, monkeypatch):
    if "trainer=gpu" in arguments and torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and nothing more")
    Image.new("RGB", (7, 7)).save(tmp_path / "tiny.png")
    Image.new("RGB", (32, 32)).save(tmp_path / "ada.png")
    status, _, errors = command(*arguments)
    assert status == 1
    for word in words:
        assert word in errors
    assert errors.startswith("multimodal-pulse: ") and errors.count("\n") == 1


def test_a_generator_file_that_is_not_there_is_named(command):
    status, _, errors = command("generator=file", "generator.path=nowhere.safetensors", "tracking=none", base=())
    assert status == 1
    assert errors.startswith("multimodal-pulse: ") and "nowhere.safetensors" in errors and errors.count("\n") == 1


@pytest.mark.parametrize("kept", [20, 500])  # broken in the header, and behind it
def test_a_broken_picture_in_a_folder_is_named_before_anything_is_searched(kept, command, photos, tmp_path):
    arguments = (
        "references=folder", f"references.path={photos}", "trainer.references_per_group=1",
        f"hydra.run.dir={tmp_path / 'run'}",
    )  # fmt: skip
    (photos / "broken.png").write_bytes((photos / "ada.png").read_bytes()[:kept])
    status, said, errors = command(*arguments)
    assert status == 1
    assert "broken.png" in errors and errors.count("\n") == 1 and said == ""
    assert not (tmp_path / "run").exists()
    (photos / "broken.png").unlink()
    assert command(*arguments)[0] == 0
    assert read(tmp_path / "run" / "metrics.json")["num_references"] == 2


def test_only_what_is_to_be_searched_is_read(command, photos, tmp_path):
    arguments = (
        "references=folder", f"references.path={photos}", "trainer.references_per_group=1",
        f"hydra.run.dir={tmp_path / 'run'}",
    )  # fmt: skip
    assert command(*arguments)[0] == 0
    (photos / "ada.png").write_bytes((photos / "ada.png").read_bytes()[:500])  # finished: not needed again
    assert command(*arguments)[0] == 0


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        (["tracking=wandb", "tracking.mode=online"], ["tracking=wandb"]),
        (["objective.l2_weight=-1"], []),
        (["degradation.factor=5"], []),
        (["consistency=exact", "consistency.rounds=0"], ["consistency=exact"]),
        (["noise.synthesis_resolutions=[64]"], ["noise.synthesis_resolutions=[32]"]),
    ],
)
def test_a_refused_command_leaves_its_run_directory_to_the_corrected_one(wrong, right, command, tmp_path, monkeypatch):
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    run_dir = f"hydra.run.dir={tmp_path / 'run'}"
    status, _, errors = command(run_dir, *wrong)
    assert status == 1 and errors.count("\n") == 1
    assert not (tmp_path / "run").exists()
    status, _, errors = command(run_dir, *right, "steps=1")
    assert status == 0, errors


def test_what_wandb_does_not_accept_leaves_the_run_directory_free(command, tmp_path, monkeypatch):
    def refuse(self):
        raise UserError("W&B refused the run (no such entity); tracking=csv does without it.")

    run_dir = f"hydra.run.dir={tmp_path / 'run'}"
    with monkeypatch.context() as patch:
        patch.setattr("multimodal_pulse.results.tracking.trackers.WandbTracker.__enter__", refuse)
        status, _, errors = command(run_dir, "tracking=wandb", "steps=1")
    assert status == 1 and errors.count("\n") == 1
    assert command(run_dir, "steps=1")[0] == 0


def test_another_run_in_the_same_place_is_refused_before_it_is_tracked(command, photos, tmp_path, monkeypatch):
    arguments = (
        "references=folder", f"references.path={photos}", f"hydra.run.dir={tmp_path / 'run'}", "method=bicubic",
        "tracking=wandb", "tracking.mode=disabled",
    )  # fmt: skip
    assert command(*arguments)[0] == 0
    before = contents(tmp_path / "run")
    monkeypatch.setattr(
        "multimodal_pulse.results.tracking.trackers.WandbTracker.__enter__", lambda self: pytest.fail("tracked")
    )
    assert command(*arguments, "seed=1")[0] == 1
    (photos / "third.png").write_bytes((photos / "ada.png").read_bytes())
    status, _, errors = command(*arguments)
    assert status == 1 and "plans 2 references" in errors
    assert contents(tmp_path / "run") == before


@pytest.mark.parametrize(
    "wrong",
    [
        ["tracking=wandb", "tracking.mode=online"],
        ["objective.l2_weight=-1"],
        ["consistency=exact", "consistency.rounds=0"],
        ["references=folder", "references.path=photos"],
    ],
)
def test_a_configuration_is_refused_before_lpips_is_asked_for(wrong, command, photos, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    (photos / "broken.png").write_bytes((photos / "ada.png").read_bytes()[:500])
    monkeypatch.setattr("multimodal_pulse.run.run.build_lpips", lambda *settings: pytest.fail("asked for"))
    status, _, errors = command(*wrong, "metrics.lpips_net=alex")
    assert status == 1 and errors.count("\n") == 1


def test_bicubic_needs_no_statistics_of_the_generator(command, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "multimodal_pulse.generator.spaces.sphere.w_statistics", lambda generator: pytest.fail("computed")
    )
    assert command("method=bicubic", f"hydra.run.dir={tmp_path / 'run'}")[0] == 0


def test_the_mean_image_has_the_statistics_it_needs(command, tmp_path):
    assert command("method=bicubic", "search=mean_image", f"hydra.run.dir={tmp_path / 'run'}")[0] == 0


@pytest.mark.parametrize(
    ("knows", "option", "notice"),
    [
        ("rendered portraits", "references=folder", "knows rendered portraits, and the references are photographs"),
        ("photographs/faces", "references=portraits", "knows photographs of faces, and the references are rendered"),
        ("photographs", "references=portraits", "knows photographs, and the references are rendered portraits"),
        ("photographs/cats", "references=folder", None),
        ("photographs", "references=folder", None),
        ("rendered portraits", "references=portraits", None),
        (None, "references=portraits", None),
        (None, "references=folder", None),
    ],
)
def test_references_of_another_domain_than_the_generators_are_announced(knows, option, notice, photos):
    path = [f"references.path={photos}"] if option == "references=folder" else []
    cfg, _ = compose_job([option, *path], "unused")
    generator = untrained(32, channel_max=8)
    generator.domain = knows
    notices = build_references(cfg.references, generator, Bicubic(4), picture=None).notices
    assert [notice in said for said in notices] == [True] * (notice is not None)


@pytest.fixture
def ctrl_c_heard() -> Iterator[None]:
    """A background job may be started with SIGINT ignored; these tests need Python's own handler."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c_heard")
def test_ctrl_c_leaves_what_is_finished_and_ends_with_130(command, photos, tmp_path, monkeypatch):
    from multimodal_pulse.results.records import Records

    write = Records.write

    def interrupt_after_the_first(self, outcome, *rest):
        folder = write(self, outcome, *rest)
        os.kill(os.getpid(), signal.SIGINT)
        return folder

    monkeypatch.setattr(Records, "write", interrupt_after_the_first)
    run_dir = tmp_path / "run"
    status, _, errors = command(
        "references=folder", f"references.path={photos}", "trainer.references_per_group=1", f"hydra.run.dir={run_dir}"
    )
    assert status == 130
    assert "Traceback" not in errors
    assert errors.endswith(
        f"\nmultimodal-pulse: stopped. What is finished stays; the same command with hydra.run.dir={run_dir} does the"
        " rest.\n"
    )
    assert read(run_dir / "metrics.json")["num_references"] == 1
    assert [path.name for path in (run_dir / "references").iterdir()] == ["ada"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.usefixtures("ctrl_c_heard")
def test_a_sweep_that_is_stopped_has_a_table_and_is_finished_by_the_same_command(command, tmp_path, monkeypatch):
    from multimodal_pulse.run import scoring

    evaluate = scoring.evaluate
    arguments = ("-m", "method=bicubic", "seed=0,1,2", f"hydra.sweep.dir={tmp_path / 'sweep'}")

    def stopped_in_the_second(outcome, degradation, lpips):
        if (tmp_path / "sweep" / "1-bicubic-seed-1").exists():
            os.kill(os.getpid(), signal.SIGINT)
        return evaluate(outcome, degradation, lpips)

    with monkeypatch.context() as patch:
        patch.setattr(scoring, "evaluate", stopped_in_the_second)
        status, said, errors = command(*arguments)
    assert status == 130 and "Traceback" not in errors
    assert f"multimodal-pulse: stopped. What is finished stays; the same command with {arguments[-1]} does" in errors
    assert any(line.split() == ["1", "seed=1", "stopped"] for line in said.splitlines()) and "\n2 seed=2" not in said
    assert [(bool(row["psnr"]), row["error"]) for row in sweep_rows(tmp_path / "sweep")] == [
        (True, ""),
        (False, "stopped"),
    ]
    status, said, errors = command(*arguments)
    assert status == 0 and errors.count("nothing to do") == 1
    assert [bool(row["psnr"]) for row in sweep_rows(tmp_path / "sweep")] == [True] * 3


@pytest.mark.parametrize("given", [lambda run_dir, folder: run_dir, lambda run_dir, folder: folder], ids=["run", "one"])
def test_render_draws_the_same_pictures_again(given, command, tmp_path, monkeypatch, capsys):
    run_dir = tmp_path / "run"
    assert command(f"hydra.run.dir={run_dir}", "num_samples=2", "consistency=exact")[0] == 0
    folder = run_dir / "references" / "test_000000"
    before = contents(folder)
    for path in (*folder.glob("sr_*.png"), folder / "grid.png"):
        path.unlink()
    monkeypatch.setattr(sys, "argv", ["multimodal-pulse", "render", str(given(run_dir, folder))])
    main()
    assert str(folder / "grid.png") in capsys.readouterr().out
    assert contents(folder).keys() == before.keys()
    for name in ("sr_00.png", "sr_01.png", "grid.png"):
        drawn, original = (torch.tensor(list(picture)) for picture in (contents(folder)[name], before[name]))
        assert torch.equal(drawn, original)


def test_the_options_of_the_slots_that_render_are_those_a_record_may_name():
    conf = CONF
    files = [file for slot in RENDERING_SLOTS for file in (conf / slot).glob("*.yaml")]
    assert {yaml.safe_load(file.read_text(encoding="utf-8"))["_target_"] for file in files} == RENDERING_TARGETS


@pytest.mark.parametrize(
    "foreign",
    [
        {"_target_": "os.system"},
        {"_target_": "multimodal_pulse.generator.load_generator", "path": {"_target_": "os.getcwd"}},
        None,
    ],
)
def test_a_record_calls_nothing_but_options_of_this_program(foreign):
    settings = {
        "generator": foreign,
        "degradation": {"_target_": "multimodal_pulse.degradation.Bicubic", "factor": 4},
        "consistency": {"_target_": "multimodal_pulse.search.NoConsistency"},
    }
    with pytest.raises(UserError, match=r"settings\.generator"):
        load_renderer(settings)


# --- Python ------------------------------------------------------------------------------------------------------


def test_upsample_gives_what_the_command_line_saves(command, photos, tmp_path):
    status, _, errors = command(
        "references=image",
        f"references.path={photos / 'ada.png'}",
        "num_samples=2",
        f"hydra.run.dir={tmp_path / 'cli'}",
    )
    assert status == 0, errors
    result = multimodal_pulse.upsample(photos / "ada.png", num_samples=2, run_dir=tmp_path / "python", **TINY)
    assert result.images.shape == (2, 3, 32, 32)
    assert result.lr.shape == (3, 8, 8)
    assert len(result.lr_psnr) == len(result.records) == 2
    assert result.diversity is not None and result.diversity > 0
    assert result.folder == tmp_path / "python" / "references" / "ada"
    for name in ("sr_00.png", "sr_01.png", "lr.png", "grid.png"):
        assert (result.folder / name).read_bytes() == (tmp_path / "cli" / "references" / "ada" / name).read_bytes()


def test_upsample_works_where_hydra_is_set_up_already(tmp_path):
    image = torch.rand(3, 8, 8)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        result = multimodal_pulse.upsample(image, method="bicubic", run_dir=tmp_path / "run", **TINY)
        assert GlobalHydra.instance().is_initialized()
        assert compose("config", ["seed=3"]).seed == 3
    assert result.images.shape == (1, 3, 32, 32)
    assert result.folder.name == "image"


def test_upsample_refuses_the_run_directory_of_another_picture(tmp_path):
    first, second = torch.rand(2, 3, 8, 8)
    arguments = {"method": "bicubic", "run_dir": tmp_path / "run"} | TINY
    multimodal_pulse.upsample(first, **arguments)
    with pytest.raises(UserError, match=r"references\.path: given-"):
        multimodal_pulse.upsample(second, **arguments)
    assert torch.equal(multimodal_pulse.upsample(first, **arguments).lr, (first * 255).round() / 255)


def test_upsample_puts_a_run_of_its_own_under_outputs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = multimodal_pulse.upsample(torch.rand(3, 8, 8), method="bicubic", **TINY)
    assert result.folder.is_relative_to(tmp_path / "outputs")
    assert repr(result) == f"Result(images=(1, 3, 32, 32), lr=(3, 8, 8), folder={str(result.folder)!r})"
    assert "-bicubic-" in str(result.folder)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"method": "combine"}, "method=combine"),
        ({"stepz": 3}, "Did you mean steps?"),
        ({"num_samples": 0}, "num_samples=0"),
        ({"method": "resampling", "noise.lr_std": 0.1}, "lr_noise=none"),
    ],
)
def test_upsample_refuses_with_the_same_words(arguments, words, tmp_path):
    with pytest.raises(UserError, match=words.replace("?", r"\?")):
        multimodal_pulse.upsample(torch.rand(3, 8, 8), run_dir=tmp_path, **TINY | arguments)


def test_upsample_makes_no_trial_and_run_overrides_does(tmp_path):
    with pytest.raises(UserError, match="run_overrides"):
        multimodal_pulse.upsample(torch.rand(3, 8, 8), run_dir=tmp_path / "run", dry_run=True, **TINY)
    forecast = run_overrides([*OVERRIDES, "dry_run=true", "num_samples=1"], tmp_path / "run")
    assert isinstance(forecast, Forecast) and forecast.entries == ()
    assert forecast.seconds == read(tmp_path / "run" / "plan.json")["seconds"] > 0


def test_upsample_refuses_a_picture_of_another_size(tmp_path):
    with pytest.raises(UserError, match="8 x 8"):
        multimodal_pulse.upsample(torch.rand(3, 9, 9), run_dir=tmp_path / "run", **TINY)
