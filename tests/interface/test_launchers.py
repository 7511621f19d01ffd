"""Two shards by each of Hydra's launchers, as a user starts them, and then the merge: what one process would find."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.core.config_store import ConfigStore
from places import CONF, ROOT
from scripts import scripts
from tiny_run import OVERRIDES, run, sweep_rows

from multimodal_pulse.base.errors import Terminated
from multimodal_pulse.interface.messages import STOPPED
from multimodal_pulse.interface.sweep_jobs import LOST

TINY = [*OVERRIDES, "num_samples=2", "references.limit=5", "trainer.references_per_group=2"]
SHARDS = ["shard.count=2", "shard.index=range(2)"]
SECONDS = 300
"""Before a launcher counts as stuck; on an idle machine each takes 10 to 20."""
RAY_ATTEMPTS = 3


[compare] = scripts("kill_safety", "compare")


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """The run of one process."""
    folder = tmp_path_factory.mktemp("one") / "whole"
    assert run(*TINY, f"hydra.run.dir={folder}") == 0
    return folder


@pytest.fixture
def ray_folder() -> Iterator[Path]:
    """Where a Ray keeps its sockets, whose paths must be short."""
    folder = Path(tempfile.mkdtemp(prefix="ray-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def launch(*arguments: str, sweep: Sequence[str] = SHARDS, **environment: str) -> subprocess.CompletedProcess[str]:
    """`python run.py -m ...` in a process of its own, which starts others."""
    command = [sys.executable, "run.py", "-m", *TINY, *arguments, *sweep]
    return subprocess.run(
        command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, timeout=SECONDS
    )


def check(done: subprocess.CompletedProcess[str], sweep: Path, whole: Path, capsys) -> None:
    """The shards and a common table lie in the sweep's folder, a second start finds them, and together they are the
    whole.
    """
    assert done.returncode == 0, done.stdout + done.stderr
    assert {path.name for path in sweep.iterdir()} >= {"shard-0", "shard-1"}
    assert [(row["folder"], bool(row["psnr"])) for row in sweep_rows(sweep)] == [("shard-0", True), ("shard-1", True)]
    assert run("-m", *TINY, *SHARDS, f"hydra.sweep.dir={sweep}") == 0
    assert capsys.readouterr().err.count("nothing to do") == 2
    assert run("merge", sweep / "shard-0", sweep / "shard-1") == 0
    assert compare.differing(sweep / "merged", whole) == []


def test_joblib(whole, tmp_path, capsys):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher", reason="the extra `launchers` is not installed")
    done = launch("hydra/launcher=joblib", "hydra.launcher.n_jobs=2", f"hydra.sweep.dir={tmp_path}")
    check(done, tmp_path, whole, capsys)


def test_submitit(whole, tmp_path, capsys):
    """The local executor, which runs what Slurm would be given, in processes of its own."""
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher", reason="the extra `launchers` is not installed")
    done = launch("hydra/launcher=submitit_local", "hydra.launcher.timeout_min=5", f"hydra.sweep.dir={tmp_path}")
    check(done, tmp_path, whole, capsys)


@pytest.mark.parametrize("launcher", ["joblib", "submitit_local"])
def test_a_sweep_has_the_same_table_whoever_runs_it(launcher, command, tmp_path):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher", reason="the extra `launchers` is not installed")
    arguments = ("method=bicubic", "references.limit=1", f"hydra.sweep.dir={tmp_path / launcher}")
    swept = ("seed=0,1", "degradation.factor=2,4")
    done = launch(f"hydra/launcher={launcher}", *arguments, sweep=swept)
    assert done.returncode == 0, done.stderr
    assert command("-m", *arguments[:-1], *swept, f"hydra.sweep.dir={tmp_path / 'here'}")[0] == 0
    rows, expected = (
        [{key: value for key, value in row.items() if key != "seconds"} for row in sweep_rows(tmp_path / folder)]
        for folder in (launcher, "here")
    )
    assert rows == expected and [bool(row["psnr"]) for row in rows] == [True, True, True, True]
    assert done.stdout.splitlines()[-1] == f"sweep:   {tmp_path / launcher}, with this table in sweep.csv"
    assert not list((tmp_path / launcher).glob(".jobs-*"))


class Forking(BasicLauncher):
    """Runs each job in a process of its own, as the launchers do that come with an extra; the last one is killed.

    Args:
        stopped: raised when all are over, as by a signal while the launcher waits.
    """

    def __init__(self, stopped: BaseException | None) -> None:
        super().__init__()
        self.stopped = stopped

    def launch(self, job_overrides, initial_job_idx):
        sys.stdout.flush()
        for number, overrides in enumerate(job_overrides):
            child = os.fork()
            if not child:
                try:
                    if number == len(job_overrides) - 1:
                        sys.modules["multimodal_pulse.run.scoring"].evaluate = lambda *scored: os.kill(os.getpid(), 9)
                    super().launch([overrides], initial_job_idx + number)
                finally:
                    os._exit(0)
            os.waitpid(child, 0)
        if self.stopped:
            raise self.stopped
        return []


@pytest.mark.parametrize(("stopped", "error"), [(None, LOST), (Terminated(signal.SIGTERM), STOPPED)])
def test_a_run_that_its_process_did_not_survive_stands_in_the_table(stopped, error, command, tmp_path, monkeypatch):
    def forking(**parts: Any) -> Forking:
        launcher = Forking(stopped)
        launcher.setup(**parts)
        return launcher

    monkeypatch.setattr("hydra.core.plugins.Plugins.instantiate_launcher", lambda self, **parts: forking(**parts))
    ConfigStore.instance().store(group="hydra/launcher", name="forking", node={"_target_": "Forking"})
    import multimodal_pulse.run.run  # noqa: F401 (so that the forked processes need not import PyTorch)

    sweep = tmp_path / "sweep"
    command("-m", "hydra/launcher=forking", "method=bicubic", "seed=0,1,2", f"hydra.sweep.dir={sweep}")
    rows = sweep_rows(sweep)
    assert [(row["seed"], row["folder"], bool(row["psnr"]), row["error"]) for row in rows] == [
        ("0", "0-bicubic-seed-0", True, ""), ("1", "1-bicubic-seed-1", True, ""),
        ("2", "2-bicubic-seed-2", False, error),
    ]  # fmt: skip


def test_ray(whole, ray_folder, tmp_path, capsys):
    """A cluster of this machine alone, without its dashboard, which reports nothing to anybody."""
    pytest.importorskip("hydra_plugins.hydra_ray_launcher", reason="the extra `ray` is not installed")
    for _ in range(RAY_ATTEMPTS):
        done = launch(
            "hydra/launcher=ray", "+hydra.launcher.ray.init.num_cpus=2",
            "+hydra.launcher.ray.init.include_dashboard=false", f"+hydra.launcher.ray.init._temp_dir={ray_folder}",
            f"hydra.sweep.dir={tmp_path}", RAY_USAGE_STATS_ENABLED="0", RAY_AUTH_MODE="disabled",
        )  # fmt: skip
        if "node timed out during startup" not in done.stderr:
            check(done, tmp_path, whole, capsys)
            return
    pytest.skip(f"Ray did not start in {RAY_ATTEMPTS} attempts: its agent has 15 seconds, and this machine is busy")


def test_a_ray_cluster_that_runs_already_is_not_asked_for_memory():
    """hydra-ray-launcher sets a default of its own where there is none, and `ray.init` then refuses to connect."""
    pytest.importorskip("hydra_plugins.hydra_ray_launcher", reason="the extra `ray` is not installed")
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("config", ["hydra/launcher=ray_cluster"], return_hydra_config=True)
    settings = cfg.hydra.launcher.ray
    settings.init.setdefault("object_store_memory", 78643200)  # what the launcher does
    assert settings.init == {"address": "auto", "object_store_memory": None} and settings.remote == {"num_gpus": 1}


def test_a_launcher_that_is_not_installed_is_told_with_its_extra(capsys):
    assert run("-m", "hydra/launcher=pbs", "seed=0,1") == 1
    said = capsys.readouterr().err
    assert said.startswith(
        "multimodal-pulse: hydra/launcher=pbs is not an option of hydra/launcher: choose one of basic"
    )
    assert "The extra `launchers` of this package adds joblib and submitit" in said and said.count("\n") == 1
