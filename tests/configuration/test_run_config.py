"""What a job of a sweep is called, and how a run directory refuses another configuration."""

import shlex

import pytest

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.configuration.compose import compose_config
from multimodal_pulse.configuration.overrides import (
    as_argument,
    folder_of_sweep_job,
    own_overrides,
    with_paths_as_they_are,
)
from multimodal_pulse.configuration.run_config import as_begun, refuse_another_config, write_config_once


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


@pytest.mark.parametrize(
    ("own", "name"),
    [
        (["shard.index=5"], "shard-5"),
        ([], "shard-5"),  # one of them, started again alone
        (["shard.index=5", "seed=1"], "3-combined-shard.index-5-seed-1"),
        (["method=combined"], "3-combined"),
    ],
)
def test_the_folder_of_a_shard_is_the_same_whichever_shards_are_started(own, name):
    assert folder_of_sweep_job(3, "combined", own, shard=5) == name


NAMES = (
    "plain.png", "größe.png", "写真.png", "a=b.png", "a#b.png", "a{b}.png", "a[1].png", "[1].png", "it's.png",
    "a b.png", 'say "hi".png', "a\\b.png", "a\\", 'a\\"b.png', "a,b.png", "a (1).png", "a$b.png", "${x}.png",
    "a\\${x}.png", "a:b.png", "true", "3", "1e5", "007", "~x", "*.png", "a'b\"c.png", " a ", "@", "a%b", "!$x`y`.png",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_suggested_argument_can_be_pasted_whatever_the_name(name):
    """Read by a shell and by Hydra, it is the name again."""
    [argument] = shlex.split(as_argument("references.path", name))
    assert str(compose_config(["references=folder", argument]).references.path) == name


def test_an_argument_has_no_quotes_that_it_does_not_need():
    assert as_argument("references.path", "outputs/a-1") == "references.path=outputs/a-1"


@pytest.mark.parametrize("name", NAMES)
def test_a_path_is_taken_as_it_is_if_the_file_exists(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).touch()
    [argument] = with_paths_as_they_are([f"references.path={name}"])
    assert str(compose_config(["references=folder", argument]).references.path) == name


def test_other_paths_and_other_keys_stay_as_they_were_typed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a b").touch()
    (tmp_path / "c#d").touch()
    for argument in (
        "references.path=null", "references.path='a b'", 'references.path="a b"', "references.path=choice(a,b)",
        "references.path=a,b", "hydra.run.dir=out/${now:%Y}", "noise.lr_mask=", "seed=a b", "method", "method=glob(*)",
    ):  # fmt: skip
        assert with_paths_as_they_are([argument]) == [argument]
    assert with_paths_as_they_are(["references.path=a b,c#d"]) == ['references.path="a b","c#d"']
    assert with_paths_as_they_are(["references.path=größe.png"]) == ['references.path="größe.png"']
    monkeypatch.setenv("HOME", str(tmp_path))
    assert with_paths_as_they_are(["references.path=~/a b"]) == [f'references.path="{tmp_path}/a b"']


def refusal(run_dir, *overrides):
    with pytest.raises(UserError) as refused:
        refuse_another_config(run_dir, compose_config(overrides))
    return str(refused.value)


def test_a_method_that_was_renamed_is_the_same_run(tmp_path):
    cfg = compose_config(["method=report"])
    cfg.method = "combined"  # the name of the same options in earlier versions
    write_config_once(tmp_path, cfg, [])
    refuse_another_config(tmp_path, compose_config(["method=report"]))
    assert refusal(tmp_path, "method=combined")
    assert refusal(tmp_path, "method=report", "seed=1")


def test_another_configuration_is_told_by_three_keys_that_a_user_sets(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_config_once(tmp_path / "run", compose_config(), [])
    said = refusal(tmp_path / "run", "method=pulse", "num_samples=4", "seed=1", "optimizer.lr=1")
    assert said.startswith("run holds a run with another configuration (method: explore there, pulse now; ")
    assert "seed: 0 there, 1 now" in said
    assert said.count(" there, ") == 3 and " more)" in said and "_target_" not in said and "${" not in said
    assert said.endswith(
        "give this one a hydra.run.dir of its own, or go on with that one by the arguments in run/overrides.yaml."
    )
    said = refusal(tmp_path / "run", "references=folder", "references.path=photos", "optimizer.lr=1")
    assert "references.path: not set there, photos now; " in said


def test_a_run_goes_on_with_the_lpips_that_it_was_begun_with(tmp_path):
    auto = compose_config()
    assert as_begun(tmp_path, auto).metrics.lpips_net == "auto"  # nothing has begun
    write_config_once(tmp_path, compose_config(["metrics.lpips_net=squeeze"]), [])
    assert as_begun(tmp_path, auto).metrics.lpips_net == "squeeze" and auto.metrics.lpips_net == "auto"
    refuse_another_config(tmp_path, as_begun(tmp_path, auto))
    other = as_begun(tmp_path, compose_config(["metrics.lpips_net=alex"]))
    with pytest.raises(UserError, match=r"metrics\.lpips_net: squeeze there, alex now"):
        refuse_another_config(tmp_path, other)
    write_config_once(tmp_path / "without", compose_config(["metrics.lpips_net=null"]), [])
    with pytest.raises(UserError, match=r"metrics\.lpips_net: None there, auto now"):
        refuse_another_config(tmp_path / "without", as_begun(tmp_path / "without", auto))


def test_a_class_is_told_where_nothing_else_differs(tmp_path):
    write_config_once(tmp_path, compose_config(["method=report"]), [])
    said = refusal(tmp_path, "method=report", "latent_resampling=none")
    assert "(latent_resampling._target_: " in said and "more" not in said


@pytest.mark.parametrize("content", ["- a\n- b\n", "a: [1\n", "just text"])
def test_somebody_elses_config_is_refused(content, tmp_path):
    (tmp_path / "config.yaml").write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=r"config\.yaml is not this program's"):
        refuse_another_config(tmp_path, compose_config())
