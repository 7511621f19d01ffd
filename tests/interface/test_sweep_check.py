"""Every run of a sweep is checked before the first one begins."""

import pytest
import torch
from light_command import lightly
from tiny_run import run, sweep_rows

from multimodal_pulse.references.pixels import save_png


@pytest.mark.parametrize(
    ("swept", "words"),
    [
        (["seed=range(3,3)"], "the sweep has no runs: there is no value in seed=range(3,3)."),
        (["seed=0,1", "steps=range(5,1)"], "the sweep has no runs: there is no value in steps=range(5,1)."),
        (["method=glob(xyz*)"], "the sweep has no runs: there is no value in method=glob(xyz*)."),
        (
            ["method=report", "noise.lr_std=0.1,-1"],
            "noise.lr_std=-1: noise.lr_std=-1.0: it must be finite and at least 0.",
        ),
        (["method=combined,resampling,pulse", "noise.lr_std=0.1"], "1 more of the 3 runs cannot be done either."),
        (["num_samples=1,2", "optimizer.lr=1,inf"], "num_samples=1 optimizer.lr=inf: optimizer.lr=inf: it must be"),
        (["references=image", "references.path=photos/ada.png,nowhere.png"], "nowhere.png does not exist."),
        (["references=image", "references.path=photos/ada.png,broken.png"], "broken.png cannot be read"),
        # Only the objects themselves refuse the following.
        (["consistency=exact", "consistency.rounds=5,0"], "consistency.rounds=0 must be at least 1"),
        (["method=report", "noise.synthesis_resolutions=[8],[64]"], "noise.synthesis_resolutions=[64]"),
        (["method=report", "objective.l2_weight=1,-1"], "objective.l2_weight=-1.0 must not be negative"),
        (["references=image", "references.path=photos/ada.png,tiny.png"], "tiny.png is 7 x 7 pixels"),
    ],
)
def test_a_sweep_that_cannot_be_done_is_refused_before_anything_is_searched(
    swept, words, command, photos, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.png").write_bytes((photos / "ada.png").read_bytes()[:500])
    save_png(torch.zeros(3, 7, 7), tmp_path / "tiny.png")
    status, said, errors = command("-m", *swept, f"hydra.sweep.dir={tmp_path / 'sweep'}")
    assert (status, said) == (1, "")
    assert errors.startswith("multimodal-pulse: ") and errors.count("\n") == 1
    assert words in errors
    assert not (tmp_path / "sweep").exists()


def test_values_are_checked_without_torch(tmp_path):
    done = lightly("-m", "method=report", "noise.lr_std=0.1,-1", f"hydra.sweep.dir={tmp_path / 'sweep'}")
    assert done.returncode == 1
    assert done.stderr == ("multimodal-pulse: noise.lr_std=-1: noise.lr_std=-1.0: it must be finite and at least 0.\n")


def test_the_sweep_that_an_experiment_names_is_checked_too(capsys, tmp_path):
    assert run("-m", "experiment=figure3", "steps=1", "lr_noise=none", f"hydra.sweep.dir={tmp_path}") == 1
    assert "noise.lr_std" in capsys.readouterr().err


def test_a_sweep_that_can_be_done_is_done(command, tmp_path):
    status, _, errors = command(
        "-m", "method=bicubic", "consistency=none,exact", "seed=range(2)", f"hydra.sweep.dir={tmp_path}"
    )
    assert status == 0, errors
    assert len(sweep_rows(tmp_path)) == 4
