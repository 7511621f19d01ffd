"""Ctrl-C: what is finished stays, and the same command does the rest."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from tiny_run import read, sweep_rows


@pytest.fixture
def ctrl_c_heard() -> Iterator[None]:
    """A background job may be started with SIGINT ignored; these tests need Python's own handler."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c_heard")
def test_ctrl_c_leaves_what_is_finished_and_ends_with_130(command, photos, tmp_path, monkeypatch):
    from multimodal_pulse.results.records import ReferenceFolders

    write = ReferenceFolders.write

    def interrupt_after_the_first(self, outcome, *rest):
        folder = write(self, outcome, *rest)
        os.kill(os.getpid(), signal.SIGINT)
        return folder

    monkeypatch.setattr(ReferenceFolders, "write", interrupt_after_the_first)
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

    def stopped_in_the_second(*arguments):
        if (tmp_path / "sweep" / "1-bicubic-seed-1").exists():
            os.kill(os.getpid(), signal.SIGINT)
        return evaluate(*arguments)

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
