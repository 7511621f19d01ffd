"""What the page offers becomes overrides of the command line, and nothing else does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.configuration.compose import compose_job
from multimodal_pulse.configuration.validation import check_config
from multimodal_pulse.studio.choices import (
    KINDS,
    KNOBS,
    METHODS,
    OF_A_VARIATION,
    faces_override,
    of_upload,
    of_variation,
    offered,
    overrides_of,
    reference_name,
)
from multimodal_pulse.studio.limits import TooMuchError


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", METHODS)
def test_every_method_runs_with_every_knob_that_it_shows_at_both_ends(method, kind):
    settings = next(known for known in offered()["methods"] if known["name"] == method)["settings"][kind]
    assert "num_samples" in settings
    for end in ("lowest", "highest"):
        values = {knob.key: getattr(knob, end) for knob in KNOBS if knob.key in settings}
        cfg, job = compose_job([*KINDS[kind], *overrides_of(method, values, kind, scribbled=True)], "")
        check_config(cfg, job.choices, job.overrides)
        assert cfg.num_samples == values["num_samples"]
    assert overrides_of(method, settings, kind, True) == [f"method={method}"]  # what is as it was is not repeated


@pytest.mark.parametrize(
    ("method", "knobs", "message"),
    [
        ("nothing", {}, "no method 'nothing'"),
        ("explore", {"noise.lr_std": 0.1}, "explore has no knob 'noise.lr_std'"),
        ("explore", {"hydra.run.dir": 1}, "no knob"),
        ("explore", {"num_samples": 2.5}, "Samples must be a whole number"),
        ("explore", {"num_samples": True}, "must be a number"),
        ("explore", {"steps": "$(x)"}, "must be a number"),
        ("explore", {"seed": -1}, "Seed must be from 0"),
        ("combined", {"noise.lr_std": float("nan")}, "must be from 0 to 0.5"),
    ],
)
def test_everything_else_is_refused(method, knobs, message):
    with pytest.raises(UserError, match=message):
        overrides_of(method, knobs, "portrait")


def test_a_variation_starts_from_what_its_method_says(tmp_path):
    overrides = of_variation(tmp_path / "references" / "a", 2, tmp_path / "mask.png", {"num_samples": 3, "steps": 40})
    cfg, _ = compose_job(overrides, "")
    assert (cfg.num_samples, cfg.steps, cfg.vary.sample) == (3, 40, 2) and "steps=40" not in overrides
    cfg, _ = compose_job(overrides[:4], "")
    assert {"num_samples": cfg.num_samples, "steps": cfg.steps, "seed": cfg.seed} == OF_A_VARIATION
    with pytest.raises(UserError, match="vary has no knob"):
        of_variation(tmp_path, 0, tmp_path, {"noise.lr_std": 0.1})


def test_what_a_method_starts_from_suits_the_picture():
    explore = next(known for known in offered()["methods"] if known["name"] == "explore")["settings"]
    assert (explore["portrait"]["steps"], explore["photograph"]["steps"]) == (20, 40)
    assert overrides_of("explore", {"steps": 20}, "photograph") == ["method=explore", "steps=20"]


def test_a_scribble_brings_the_knob_of_its_noise():
    assert overrides_of("explore", {"noise.lr_std": 0.2}, "portrait", True) == ["method=explore", "noise.lr_std=0.2"]
    with pytest.raises(UserError, match="Scribble first"):
        overrides_of("masked_lr_noise", {}, "photograph")


def test_a_thousand_samples_are_too_many():
    with pytest.raises(TooMuchError, match="Samples must be from 1 to 16, and 1000 was asked for"):
        overrides_of("explore", {"num_samples": 1000}, "portrait")


@given(st.text(max_size=80))
def test_of_an_uploads_name_plain_letters_are_left(name):
    plain = reference_name(name)
    assert plain and not set(plain) - set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
    assert len(plain) <= 60


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("../../etc/passwd.png", "passwd"),
        (r"C:\Photos\ada lovelace.JPG", "ada-lovelace"),
        ("2024.png", "picture-2024"),
        ("1e5.png", "picture-1e5"),
        ("null.png", "null"),
        ("", "picture"),
    ],
)
def test_names_of_uploads(name, plain):
    assert reference_name(name) == plain


def test_a_path_is_taken_as_it_is(tmp_path):
    file = tmp_path / "a b,${c}='d'" / "upload"
    cfg, _ = compose_job(of_upload(file, "a", None), "")
    assert str(cfg.references.path) == str(file)


@pytest.mark.parametrize("name", ["null", "true", "1e5", "1_000", "nan", "e5", "0x1f", "ada"])
def test_a_name_stays_a_name(name, tmp_path):
    plain = reference_name(f"{name}.png")
    cfg, _ = compose_job(of_upload(tmp_path / "upload", plain, None), "")
    assert cfg.references.name == plain and isinstance(cfg.references.name, str)


def test_frames():
    assert faces_override([[1, 2.26, 30, -4]]) == "references.faces=[[1,2.3,30,-4]]"
    for wrong in ([], [[1, 2]], [["x", 1, 2, 3]], [[1, 2, 3, 4]] * 17):
        with pytest.raises(UserError):
            faces_override(wrong)
