"""What a job of a sweep is called."""

import pytest

from multimodal_pulse.job import compose_config, folder_of_sweep_job, own_overrides


@pytest.mark.parametrize(
    ("overrides", "command", "own"),
    [
        (["steps=3", "seed=1"], ["-m", "steps=3", "seed=0,1"], ["seed=1"]),
        (["method=pulse", "seed=1"], ["-m", "experiment=methods"], ["method=pulse", "seed=1"]),
        (["method=pulse", "seed=1"], ["-m", "method=pulse", "seed=1"], []),
        (["method=pulse"], ["method=pulse", "-m", "method=pulse,combined"], ["method=pulse"]),
        ([], ["-m"], []),
        (["noise.lr_std=0.2", "seed=1"], ["-m", "noise.lr_std=.2", "seed=0,1"], ["seed=1"]),
        (["noise.lr_std=0.1", "seed=1"], ["-m", "noise.lr_std=1e-1", "seed=range(0,2)"], ["seed=1"]),
        (["noise.synthesis_resolutions=[64,128]"], ["-m", "noise.synthesis_resolutions=[64, 128]"], []),
        (
            ["noise.synthesis_resolutions=[64]"],
            ["-m", "noise.synthesis_resolutions=[64],[64, 128]"],
            ["noise.synthesis_resolutions=[64]"],
        ),
        (["references.path='a b'"], ["--multirun", "references.path='a b'", "--config-dir=."], []),
    ],
)
def test_a_jobs_own_overrides_are_those_that_the_sweep_chose(overrides, command, own):
    assert own_overrides(overrides, command) == own


@pytest.mark.parametrize(
    ("own", "name"),
    [
        ([], "3-combined"),
        (["method=combined", "seed=1"], "3-combined-seed-1"),
        (["noise.lr_std=0.2", "seed=-1"], "3-combined-noise.lr_std-0.2-seed--1"),
        (["references.path=../a b/ü.png"], "3-combined-references.path-..-a-b--.png"),
        (["noise.synthesis_resolutions=[64,128]"], "3-combined-noise.synthesis_resolutions--64-128-"),
        (["references.path=" + "x" * 300], ("3-combined-references.path-" + "x" * 300)[:100]),
    ],
)
def test_a_folder_is_named_by_number_method_and_what_the_sweep_chose(own, name):
    assert folder_of_sweep_job(3, "combined", own) == name
    assert compose_config(["references=folder", f"references.path=sweep/{name}"]).references.path == f"sweep/{name}"
