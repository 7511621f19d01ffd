"""Whole runs under each degradation: conditioned starts, consistency with and without noise, drawing again, blind."""

import json
from pathlib import Path

import pytest
import tiny_run
import torch
from PIL import Image

from multimodal_pulse.base.faithfulness import ok_lr_psnr_db
from multimodal_pulse.degradation.candidates import CANDIDATES
from multimodal_pulse.references.noise import estimated_std
from multimodal_pulse.references.pixels import load_rgb, save_png

TINY = [*tiny_run.overrides(tiny_run.GENERATOR), "metrics.lpips_net=null", "tracking=none"]
EXPLORE = ["method=explore", "latent_resampling.draws=50", "latent_resampling.nearest=10", "num_samples=2", "steps=2"]
# The options, with the LR-PSNR that 8 bits and the singular values that are left out allow.
OPTIONS = {
    "bicubic": (["degradation.factor=4"], 8, 60),
    "area": (["degradation.factor=4"], 8, 60),
    "gaussian_blur": (["degradation.factor=4", "degradation.std=2"], 8, 60),
    "motion_blur": (["degradation.factor=1", "degradation.length=4", "degradation.angle=30"], 32, 40),
    "grayscale": ([], 32, 55),
    "inpainting": ([], 32, 90),
    "random_projection": (["degradation.factor=4"], 8, 50),
    "estimate": (["degradation.factor=4", "degradation.choice=vertical_motion"], 8, 40),
}


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("MULTIMODAL_PULSE_CACHE", str(tmp_path / "cache"))


def entry(folder: Path) -> dict:
    return json.loads((folder / "record.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("option", OPTIONS)
def test_a_degradation_works_from_its_option_to_the_pictures(command, option, tmp_path):
    settings, side, decibels = OPTIONS[option]
    arguments = (*EXPLORE, f"degradation={option}", *settings, f"hydra.run.dir={tmp_path / 'run'}")
    status, _, errors = command(*arguments, base=TINY)
    assert status == 0, errors
    folder = tmp_path / "run" / "references" / "test_000000"
    assert Image.open(folder / "lr.png").size == (side, side) == Image.open(folder / "sr_00_lr.png").size
    records = entry(folder)["records"]
    assert min(record["lr_psnr"] for record in records) > decibels
    assert min(record["lr_psnr"] - record["lr_psnr_found"] for record in records) > 5  # consistency did something
    drawn = {name: load_rgb(folder / name) for name in ("sr_00_lr.png", "sr_01.png")}
    assert tiny_run.run("render", folder) == 0
    for name, picture in drawn.items():
        assert (load_rgb(folder / name) - picture).abs().max() < 1.5 / 255, name  # up to the rounding to 8 bits


def test_samples_keep_off_the_noise_of_a_reference(command, tmp_path):
    rng = torch.Generator().manual_seed(0)
    save_png(0.5 + 0.1 * torch.randn(3, 8, 8, generator=rng), tmp_path / "noisy.png")
    image = ["references=image", f"references.path={tmp_path / 'noisy.png'}", "degradation.factor=4"]
    worst = {}
    for consistency in (["exact"], ["noisy", "consistency.noise_std=0.1"]):
        run_dir = tmp_path / consistency[0]
        chosen = (f"consistency={consistency[0]}", *consistency[1:], f"hydra.run.dir={run_dir}")
        assert command(*EXPLORE, *image, *chosen, base=TINY)[0] == 0
        found = entry(run_dir / "references" / "noisy")
        worst[consistency[0]] = max(record["lr_psnr"] for record in found["records"])
    assert worst["exact"] > 60 and worst["noisy"] < 30
    assert any("what consistency=noisy takes for noise" in remark for remark in found["remarks"])


@pytest.mark.parametrize(("given", "source"), [("0.1", "given"), ("estimate", "estimated")])
def test_noise_that_is_stated_changes_the_search_the_verdicts_and_the_record(command, given, source, tmp_path):
    rng = torch.Generator().manual_seed(0)
    save_png(0.5 + 0.1 * torch.randn(3, 8, 8, generator=rng), tmp_path / "noisy.png")
    image = ["references=image", f"references.path={tmp_path / 'noisy.png'}", "degradation.factor=4"]
    run_dir = tmp_path / "run"
    status, _, errors = command(
        *EXPLORE, *image, f"references.noise_std={given}", f"hydra.run.dir={run_dir}", base=TINY
    )
    assert status == 0 and f"references.noise_std={given}: samples come as near to their reference" in errors
    folder = run_dir / "references" / "noisy"
    found = entry(folder)
    std = found["noise"]["std"]
    expected = {"given": 0.1, "estimated": estimated_std(load_rgb(tmp_path / "noisy.png"))}
    assert found["noise"]["source"] == source and std == pytest.approx(expected[source], rel=0.05)
    for record in found["records"]:
        assert record["lr_psnr"] < 40  # not projected
        assert record["status"] == ("ok" if record["lr_psnr"] >= ok_lr_psnr_db(std, 3 * 8 * 8) else "loose")
    drawn = (folder / "sr_01.png").read_bytes(), (folder / "grid.png").read_bytes()
    assert tiny_run.run("render", folder) == 0
    assert ((folder / "sr_01.png").read_bytes(), (folder / "grid.png").read_bytes()) == drawn
    again = (*EXPLORE, *image, f"references.noise_std={given}", f"hydra.run.dir={run_dir}")
    assert "nothing to do" in command(*again, base=TINY)[2]


def test_noise_in_grey_levels_is_refused(command, tmp_path):
    arguments = ("references=image", f"references.path={tmp_path}/a.png", "references.noise_std=10")
    status, _, errors = command(*arguments, base=TINY)
    assert status == 1 and "references.noise_std=10: it must be a standard deviation from 0 to 1" in errors


def test_a_hiding_mask_that_was_replaced_is_refused_by_name(command, tmp_path):
    mask = tmp_path / "mask.png"
    arguments = (
        "method=bicubic",
        "degradation=inpainting",
        f"degradation.mask={mask}",
        f"hydra.run.dir={tmp_path}/run",
    )
    picture = torch.zeros(1, 32, 32)
    picture[:, :8] = 1
    save_png(picture, mask)
    assert command(*arguments, base=TINY)[0] == 0
    lr = load_rgb(tmp_path / "run" / "references" / "test_000000" / "lr.png")
    assert torch.equal(lr[:, :8], torch.zeros(3, 8, 32)) and (lr[:, 8:] > 0).any()
    save_png(1 - picture, mask)
    status, _, errors = command(*arguments, base=TINY)
    assert status == 1 and f"degradation.mask={mask} has changed since" in errors


def test_a_mask_that_does_not_exist_is_refused_at_once(command, tmp_path):
    status, _, errors = command("degradation=inpainting", f"degradation.mask={tmp_path}/none.png", base=TINY)
    assert status == 1 and f"degradation.mask={tmp_path}/none.png does not exist." in errors


# --- a blind start -----------------------------------------------------------------------------------------------


@pytest.fixture
def blind(tmp_path) -> tuple[str, ...]:
    """The arguments of a blind run of a photograph of 8 x 8 pixels."""
    save_png(torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(0)), tmp_path / "small.png")
    image = ("references=image", f"references.path={tmp_path / 'small.png'}")
    return (*EXPLORE, *image, "degradation=estimate", "degradation.factor=4", f"hydra.run.dir={tmp_path / 'run'}")


def test_a_blind_run_says_what_it_found_records_it_and_is_resumed(command, blind, tmp_path):
    status, _, errors = command(*blind, base=TINY)
    assert status == 0, errors
    folder = tmp_path / "run" / "references" / "small"
    found = entry(folder)["settings"]["degradation"]["choice"]
    assert found in CANDIDATES
    assert f"degradation=estimate: {found} explains the reference best, by " in errors
    before = (folder / "sr_00.png").read_bytes()
    assert tiny_run.run("render", folder) == 0 and (folder / "sr_00.png").read_bytes() == before
    assert "nothing to do" in command(*blind, base=TINY)[2]


def test_an_original_has_no_degradation_to_find(command, photos, tmp_path):
    arguments = ("references=folder", f"references.path={photos}", "degradation=estimate", "degradation.factor=4")
    status, _, errors = command(*EXPLORE, *arguments, f"hydra.run.dir={tmp_path / 'run'}", base=TINY)
    assert status == 1 and errors.count("\n") == 1
    assert "ada is an original, which this program degrades itself" in errors
    assert not (tmp_path / "run").exists()


def test_a_candidate_that_does_not_exist_is_refused(command):
    status, _, errors = command("degradation=estimate", "degradation.choice=lens", base=TINY)
    assert status == 1 and "degradation.choice=lens must be one of bicubic, area, " in errors
