"""Weights & Biases where something is missing or fails: the home folder, the network, its own process."""

import errno
import logging
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tiny_run
import wandb
from places import ROOT
from wandb.proto.wandb_internal_pb2 import Record
from wandb_files import forget_wandb_settings, log_entries, read_run, records_of

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.results.tracking import NullTracker, WandbTracker
from multimodal_pulse.results.tracking.trackers import ForgivingTracker

METRICS = {"num_references": 1, "psnr": {"mean": 20.0, "std": 0.0}}


def track(tracker: NullTracker) -> None:
    with tracker:
        for step in range(3):
            tracker.log_step("group", step, {"fidelity": 1 / (step + 1)})
        tracker.log_tables([], METRICS)
    tracker.close()


def test_a_file_that_is_being_written_is_read_as_far_as_it_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """W&B's process writes while `records_of` reads, and may have written any part of a record."""
    forget_wandb_settings(monkeypatch, tmp_path)
    track(WandbTracker(tmp_path / "run"))
    path = next((tmp_path / "run").rglob("*.wandb"))
    whole = [record.SerializeToString() for record in records_of(path)]
    log = path.read_bytes()[7:]
    for end in range(0, len(log), 3):
        found = [Record.FromString(data).SerializeToString() for data in log_entries(log[:end])]
        assert found == whole[: len(found)]


def test_opening_it_does_not_import_wandb_launch_and_leaves_wandb_as_it_is(tmp_path: Path):
    program = (
        "import sys\n"
        "from wandb.sdk.wandb_run import Run\n"
        "from multimodal_pulse.results.tracking import WandbTracker\n"
        "before = Run._detect_and_apply_job_inputs\n"
        f"tracker = WandbTracker({str(tmp_path / 'run')!r})\n"
        "with tracker:\n"
        "    assert 'wandb.sdk.launch' not in sys.modules\n"
        "    assert Run._detect_and_apply_job_inputs is before\n"
        "tracker.close()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    records_of(next((tmp_path / "run").rglob("*.wandb")))


@pytest.mark.parametrize("home", [None, "/dev/null"])
def test_a_run_needs_no_home_folder(home: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    forget_wandb_settings(monkeypatch, tmp_path)
    environment = {name: value for name, value in os.environ.items() if name not in ("HOME", "WANDB_SERVICE")}
    environment |= {} if home is None else {"HOME": home}
    tiny = [*tiny_run.OVERRIDES, "tracking=wandb", "num_samples=1", f"hydra.run.dir={tmp_path / 'run'}"]
    command = [sys.executable, "run.py", *tiny]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "run:     " in done.stdout and "Traceback" not in done.stderr
    dated = [line for line in done.stderr.splitlines() if re.match(r"\d{4}/\d\d/\d\d ", line)]
    assert not dated  # lines of W&B's process, when it has no place for its log
    records_of(next((tmp_path / "run").rglob("*.wandb")))


def wandb_processes() -> list[int]:
    listed = subprocess.run(["ps", "-o", "pid=,comm=", "--ppid", str(os.getpid())], capture_output=True, text=True)
    return [int(line.split()[0]) for line in listed.stdout.splitlines() if "wandb-core" in line]


def test_a_run_survives_the_death_of_wandbs_process_and_the_next_one_is_tracked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    forget_wandb_settings(monkeypatch, tmp_path)
    with ForgivingTracker(WandbTracker(tmp_path / "killed")) as tracker:
        for pid in wandb_processes():
            os.kill(pid, signal.SIGKILL)
        for step in range(50):
            tracker.log_step("group", step, {"fidelity": 1.0})
            time.sleep(0.02)
        tracker.log_tables([], METRICS)
    [said] = [record.getMessage() for record in caplog.records if record.name.startswith("multimodal_pulse")]
    assert said.startswith("The tracking has failed and is incomplete (") and said.endswith("); the results stand.")
    caplog.clear()
    track(ForgivingTracker(WandbTracker(tmp_path / "next")))
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert read_run(next((tmp_path / "next").rglob("*.wandb")))["summary"]["psnr.mean"] == 20.0


def test_what_fails_after_the_search_is_a_warning_and_what_is_refused_before_is_an_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    class Failing(NullTracker):
        closed = 0

        def log_tables(self, entries, metrics) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        def close(self) -> None:
            self.closed += 1

    failing = Failing(tmp_path)
    track(ForgivingTracker(failing))
    assert failing.closed == 2  # by the block, and by the test
    [said] = [record.getMessage() for record in caplog.records]
    assert "OSError: [Errno 28] No space left on device" in said

    class Refusing(NullTracker):
        def __enter__(self):
            raise UserError("no")

    with pytest.raises(UserError, match="no"):
        track(ForgivingTracker(Refusing(tmp_path)))


@pytest.mark.parametrize("setting", [("WANDB_MODE", "disabled"), ("WANDB_DISABLED", "true")])
@pytest.mark.parametrize("mode", ["offline", "online"])
def test_the_environment_can_disable_it(setting, mode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    forget_wandb_settings(monkeypatch, tmp_path)
    monkeypatch.setenv(*setting)
    track(WandbTracker(tmp_path / "run", mode=mode))
    assert not list(tmp_path.rglob("*.wandb"))


def test_a_mode_of_the_environment_that_has_no_effect_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    forget_wandb_settings(monkeypatch, tmp_path)
    monkeypatch.setenv("WANDB_MODE", "online")
    track(WandbTracker(tmp_path / "run"))
    said = capsys.readouterr().err
    assert said == "note: WANDB_MODE=online has no effect: tracking.mode=offline decides\n"
    assert os.environ["WANDB_MODE"] == "online"


def test_what_the_environment_says_and_cannot_be_used_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """W&B refuses a mode that it does not know, and fails in the end where its data cannot be written."""
    forget_wandb_settings(monkeypatch, tmp_path)
    (tmp_path / "file").touch()
    monkeypatch.setenv("WANDB_MODE", "nonsense")
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path / "file" / "data"))
    monkeypatch.setenv("WANDB_CACHE_DIR", str(tmp_path / "elsewhere"))
    track(ForgivingTracker(WandbTracker(tmp_path / "run")))
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert read_run(next((tmp_path / "run").rglob("*.wandb")))["summary"]["psnr.mean"] == 20.0
    assert os.environ["WANDB_MODE"] == "nonsense" and os.environ["WANDB_DATA_DIR"] == str(tmp_path / "file" / "data")
    assert (tmp_path / "elsewhere").is_dir()


def test_online_says_what_it_waits_for_before_it_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    forget_wandb_settings(monkeypatch, tmp_path)
    monkeypatch.setenv("WANDB_API_KEY", 40 * "a")
    said_before: list[str] = []

    def unreachable(**settings: object) -> None:
        said_before.append(capsys.readouterr().err)
        raise wandb.Error("Run initialization has timed out after 90.0 sec.")

    monkeypatch.setattr(wandb, "init", unreachable)
    with pytest.raises(UserError, match="timed out after"), WandbTracker(tmp_path, mode="online"):
        pass
    [said] = said_before
    assert said.startswith("note: connecting to W&B at ") and said.count("\n") == 1
    assert said.endswith(", for 90 s at the most; tracking.mode=offline needs no network\n")
    assert "WANDB_CACHE_DIR" not in os.environ and "WANDB_DATA_DIR" not in os.environ


def test_online_without_a_key_is_refused_without_a_question(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    forget_wandb_settings(monkeypatch, tmp_path)
    with pytest.raises(UserError, match="tracking.mode=offline"):
        WandbTracker(tmp_path / "run", mode="online")
    assert not (tmp_path / "run").exists()


def test_a_run_that_wandb_does_not_accept_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(**settings: object) -> None:
        raise wandb.Error("no such entity.\nConsider this and that")

    monkeypatch.setattr(wandb, "init", refuse)
    with pytest.raises(UserError) as refused, WandbTracker(tmp_path):
        pass
    assert str(refused.value) == "W&B refused the run (no such entity); tracking=csv does without it."
