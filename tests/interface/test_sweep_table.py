"""Sweeps by Hydra: a folder for each run, and one table of all of them."""

import subprocess
import sys

import pytest
from hydra import compose, initialize_config_dir
from places import CONF
from tiny_run import read, sweep_rows

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.configuration.compose import compose_config
from multimodal_pulse.configuration.run_config import write_config_once
from multimodal_pulse.interface.hydra_runs import _refuse_lost_paths


def test_a_sweep_has_a_folder_for_each_run_and_survives_a_refused_one(command, tmp_path):
    sweep = tmp_path / "sweep"
    for folder in ("1-bicubic", "2-synthesis_noise"):  # of another run, which only the run itself can find
        write_config_once(sweep / folder, compose_config(["seed=7"]), [])
    status, said, errors = command(
        "-m", "method=lr_noise,bicubic,synthesis_noise", "num_samples=1", f"hydra.sweep.dir={sweep}"
    )
    assert status == 1
    assert errors.count("holds a run with another configuration") == 2
    assert "Traceback" not in errors and "Error executing job" not in errors
    assert read(sweep / "0-lr_noise" / "metrics.json")["num_references"] == 1
    table = said[said.index("\njob ") :].splitlines()[1:]
    assert [line.split()[:3] for line in table[1:4]] == [
        ["0", "method=lr_noise", table[1].split()[2]],
        ["1", "method=bicubic", "failed"],
        ["2", "method=synthesis_noise", "failed"],
    ]
    assert table[-1] == f"sweep:   {sweep}, with this table in sweep.csv"
    rows = sweep_rows(sweep)
    assert [(row["job"], row["method"], row["folder"], bool(row["psnr"])) for row in rows] == [
        ("0", "lr_noise", "0-lr_noise", True), ("1", "bicubic", "1-bicubic", False),
        ("2", "synthesis_noise", "2-synthesis_noise", False),
    ]  # fmt: skip
    assert "holds a run with another configuration" in rows[1]["error"] and rows[0]["error"] == ""

    status, said, errors = command("-m", "method=bicubic", "seed=0,1", f"hydra.sweep.dir={tmp_path / 'two'}")
    assert status == 0, errors
    assert {path.name for path in (tmp_path / "two").iterdir()} >= {"0-bicubic-seed-0", "1-bicubic-seed-1"}
    assert said.count("picture: ") == 2
    metrics = read(tmp_path / "two" / "1-bicubic-seed-1" / "metrics.json")
    assert [(row["seed"], float(row["lr_psnr_worst"])) for row in sweep_rows(tmp_path / "two")][1] == (
        "1",
        metrics["lr_psnr"]["min"],
    )


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
        "from multimodal_pulse.interface.hydra_runs import CommandLine\n"
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


def test_a_run_that_fails_in_a_launchers_process_says_why_where_the_command_was_given(command, tmp_path, monkeypatch):
    processes = iter([("login", 7), ("node", 7)])
    monkeypatch.setattr("multimodal_pulse.interface.hydra_runs._process", lambda: next(processes))
    sweep = tmp_path / "sweep"
    write_config_once(sweep / "shard-1", compose_config(["seed=7"]), [])
    status, _, errors = command("-m", "shard.count=2", "shard.index=0,1", f"hydra.sweep.dir={sweep}")
    last = errors.splitlines()[-1]
    assert status == 1
    assert last.startswith(
        f"multimodal-pulse: {sweep / 'shard-1'} failed: {sweep / 'shard-1'} holds a run with another"
    )


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
