"""Ctrl-C, SIGTERM and the like: what is finished stays, and the same command does the rest."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from places import ROOT
from tiny_run import OVERRIDES, read, sweep_rows

from multimodal_pulse.base.errors import Terminated
from multimodal_pulse.interface.signals import ENDING, ending_signals_raise

STATUS = {signal.SIGINT: 130} | {number: 128 + number for number in ENDING}
stops = pytest.mark.parametrize("stop", STATUS, ids=lambda stop: stop.name)


@pytest.fixture
def signals_heard() -> Iterator[None]:
    """A background job may be started with some signals ignored; these tests need Python's own handlers."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in STATUS}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@stops
@pytest.mark.parametrize("method", ["combined", "bicubic"])
@pytest.mark.usefixtures("signals_heard")
def test_a_stop_leaves_what_is_finished_and_ends_with_its_status(stop, method, command, photos, tmp_path, monkeypatch):
    from multimodal_pulse.results.records import ReferenceFolders

    write = ReferenceFolders.write

    def interrupt_after_the_first(self, outcome, *rest):
        folder = write(self, outcome, *rest)
        os.kill(os.getpid(), stop)
        return folder

    monkeypatch.setattr(ReferenceFolders, "write", interrupt_after_the_first)
    run_dir = tmp_path / "run"
    status, _, errors = command(
        "references=folder", f"references.path={photos}", "trainer.references_per_group=1", f"method={method}",
        f"hydra.run.dir={run_dir}",
    )  # fmt: skip
    assert status == STATUS[stop]
    assert "Traceback" not in errors
    assert f"\n{errors}".endswith(
        f"\nmultimodal-pulse: stopped. What is finished stays; the same command with hydra.run.dir={run_dir} does the"
        " rest.\n"
    )
    assert read(run_dir / "metrics.json")["num_references"] == 1
    assert [path.name for path in (run_dir / "references").iterdir()] == ["ada"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) is signal.getsignal(signal.SIGHUP) is signal.SIG_DFL


def test_sigterm_in_the_middle_of_a_search_is_heard_at_once(tmp_path):
    """As a batch system sends it, to a process of its own, while a reference has far more steps than time."""
    run_dir = tmp_path / "run"
    search = subprocess.Popen(
        [sys.executable, "run.py", *OVERRIDES, "steps=1000000", f"hydra.run.dir={run_dir}"],
        cwd=ROOT, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while search.poll() is None and not (run_dir / "provenance.json").exists():
        time.sleep(0.1)
    time.sleep(1)  # in a step, as a rule; the end is the same before the first one
    search.terminate()
    _, errors = search.communicate(timeout=60)
    assert search.returncode == 143
    assert errors.endswith(f"; the same command with hydra.run.dir={run_dir} does the rest.\n")
    assert "Traceback" not in errors and read(run_dir / "metrics.json")["num_references"] == 0


@pytest.mark.parametrize("number", ENDING, ids=lambda number: number.name)
@pytest.mark.usefixtures("signals_heard")
def test_a_signal_that_comes_again_does_not_end_the_work_of_the_first(number):
    """As SIGXCPU does every second."""
    done = []
    with pytest.raises(Terminated) as stop, ending_signals_raise():
        try:
            os.kill(os.getpid(), number)
        finally:
            os.kill(os.getpid(), number)
            done.append("tables")
    assert done == ["tables"] and stop.value.code == 128 + number
    assert signal.getsignal(number) is signal.SIG_DFL


def test_a_signal_that_is_ignored_stays_ignored(command, tmp_path):
    """As by nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert command("method=bicubic", f"hydra.run.dir={tmp_path / 'run'}")[0] == 0
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_program_that_calls_the_search_is_ended_by_sigterm_with_its_status(tmp_path):
    """Lightning alone would end it with status 0."""
    code = (
        "import os, signal, sys; sys.path[:0] = [sys.argv[1]]\n"
        "from tiny_run import OVERRIDES\n"
        "from multimodal_pulse.interface.api import run_overrides\n"
        "from multimodal_pulse.search.latent_optimization import LatentOptimization\n"
        "begin = LatentOptimization.on_train_epoch_start\n"
        "LatentOptimization.on_train_epoch_start = lambda self: (begin(self), os.kill(os.getpid(), signal.SIGTERM))\n"
        "run_overrides([*OVERRIDES, 'num_samples=1'], sys.argv[2])\n"
    )
    done = subprocess.run([sys.executable, "-c", code, ROOT / "tests" / "helpers", tmp_path / "run"], cwd=ROOT)
    assert done.returncode == 143
    assert read(tmp_path / "run" / "metrics.json")["num_references"] == 0


@stops
@pytest.mark.usefixtures("signals_heard")
def test_a_sweep_that_is_stopped_has_a_table_and_is_finished_by_the_same_command(stop, command, tmp_path, monkeypatch):
    from multimodal_pulse.run import scoring

    evaluate = scoring.evaluate
    arguments = ("-m", "method=bicubic", "seed=0,1,2", f"hydra.sweep.dir={tmp_path / 'sweep'}")

    def stopped_in_the_second(*arguments):
        if (tmp_path / "sweep" / "1-bicubic-seed-1").exists():
            os.kill(os.getpid(), stop)
        return evaluate(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(scoring, "evaluate", stopped_in_the_second)
        status, said, errors = command(*arguments)
    assert status == STATUS[stop] and "Traceback" not in errors
    assert f"multimodal-pulse: stopped. What is finished stays; the same command with {arguments[-1]} does" in errors
    assert any(line.split() == ["1", "seed=1", "stopped"] for line in said.splitlines()) and "\n2 seed=2" not in said
    assert [(bool(row["psnr"]), row["error"]) for row in sweep_rows(tmp_path / "sweep")] == [
        (True, ""),
        (False, "stopped"),
    ]
    status, said, errors = command(*arguments)
    assert status == 0 and errors.count("nothing to do") == 1
    assert [bool(row["psnr"]) for row in sweep_rows(tmp_path / "sweep")] == [True] * 3


def test_a_sweep_that_is_stopped_while_torch_is_imported_to_check_it_has_begun_nothing(tmp_path):
    (tmp_path / "torch.py").write_text("raise KeyboardInterrupt", encoding="utf-8")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        f"sys.argv = ['multimodal-pulse', '-m', 'seed=0,1', 'hydra.sweep.dir={tmp_path / 'sweep'}']\n"
        "from multimodal_pulse.interface.cli import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    loading, stopped = done.stderr.splitlines()
    assert done.returncode == 130 and loading.startswith("loading PyTorch")
    assert stopped.startswith("multimodal-pulse: stopped")
    assert not (tmp_path / "sweep").exists()
