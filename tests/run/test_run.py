"""Whole runs through the command line, with a random generator of 32 x 32 and a few steps."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from places import ROOT
from tiny_run import contents, read

from multimodal_pulse.references.pixels import load_rgb, quantise, save_png


def test_a_run_leaves_what_the_design_lists_and_says_where(command, tmp_path):
    run_dir = tmp_path / "run"
    status, said, errors = command(
        "method=report", f"hydra.run.dir={run_dir}", "num_samples=2", "film_frames=2", "tracking=csv"
    )
    assert status == 0, errors
    folder = run_dir / "references" / "test_000000"
    assert f"picture: {folder / 'grid.png'}" in said and f"run:     {run_dir}\n" in said
    assert errors.count(f"run: {run_dir}\n") == 1
    assert "test_000000" in said and "LR-PSNR" in said and "\njob " not in said  # the table of a sweep
    assert "Lightning" not in errors and "GPU" not in errors and "Warning" not in errors

    assert {path.name for path in run_dir.iterdir()} == {
        "config.yaml", "overrides.yaml", "provenance.json", "plan.json", "records.jsonl", "metrics.json", "references",
        "curves.csv",
    }  # fmt: skip
    assert {path.name for path in folder.iterdir()} == {
        "hr.png", "lr.png", "lr_noisy_00.png", "lr_noisy_01.png", "sr_00.png", "sr_01.png", "sr_00_lr.png",
        "sr_01_lr.png", "grid.png", "mean.png", "spread.png", "film.png", "latents.safetensors", "record.json",
    }  # fmt: skip
    records = [json.loads(line) for line in (run_dir / "records.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(record["reference"], record["sample"], record["steps"]) for record in records] == [
        ("test_000000", 0, 3),
        ("test_000000", 1, 3),
    ]
    for record in records:
        for suffix in ("", "_lr"):
            with Image.open(folder / f"sr_{record['sample']:02d}{suffix}.png") as picture:
                assert picture.info == {
                    "reference": "test_000000", "sample": str(record["sample"]), "method": "report", "seed": "0",
                    "LR-PSNR": f"{record['lr_psnr']:.2f} dB",
                }  # fmt: skip
    metrics = read(run_dir / "metrics.json")
    assert (metrics["num_references"], metrics["num_samples"]) == (1, 2)
    assert metrics["diversity"]["rms"] > 0 < metrics["calibration"]["mean"]
    mean = torch.stack([load_rgb(folder / f"sr_0{k}.png") for k in range(2)]).mean(dim=0)
    assert load_rgb(folder / "mean.png").equal(quantise(mean))
    assert metrics["gain"]["mean"] == pytest.approx(metrics["psnr_mean_image"]["mean"] - metrics["psnr"]["mean"])
    assert read(run_dir / "plan.json")["references"] == ["test_000000"]
    assert read(run_dir / "provenance.json")["seed"] == 0
    curves = (run_dir / "curves.csv").read_text(encoding="utf-8").splitlines()
    assert curves[0] == "references,step,loss,fidelity,geodesic_spread,batch_diversity" and len(curves) == 4
    assert [line.split(",")[:2] for line in curves[1:]] == [["test_000000", str(step)] for step in range(3)]


def test_plan_and_record_say_which_file_a_reference_is(command, photos, tmp_path):
    for old, new in (("ada", "a b"), ("grace", "a_b")):
        (photos / f"{old}.png").rename(photos / f"{new}.png")
    run_dir = tmp_path / "run"
    arguments = ("references=folder", f"references.path={photos}", "method=bicubic", f"hydra.run.dir={run_dir}")
    assert command(*arguments)[0] == 0
    files = {name: file["path"] for name, file in read(run_dir / "plan.json")["files"].items()}
    assert files == {"a_b-png": str(photos / "a b.png"), "a_b": str(photos / "a_b.png")}
    for name, path in files.items():
        assert read(run_dir / "references" / name / "record.json")["file"]["path"] == path


@pytest.mark.parametrize("method", ["pulse", "resampling", "masked_lr_noise", "synthesis_noise", "batch_diversity"])
def test_every_other_method_runs(method, command, tmp_path):
    run_dir = tmp_path / "run"
    status, _, errors = command(f"method={method}", "num_samples=2", "steps=2", f"hydra.run.dir={run_dir}")
    assert status == 0, errors
    assert read(run_dir / "metrics.json")["num_samples"] == 2
    assert (run_dir / "references" / "test_000000" / "mask.png").exists() == (method == "masked_lr_noise")


def test_bicubic_needs_no_statistics_of_the_generator(command, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "multimodal_pulse.generator.spaces.sphere.w_statistics", lambda generator: pytest.fail("computed")
    )
    assert command("method=bicubic", f"hydra.run.dir={tmp_path / 'run'}")[0] == 0


def test_render_draws_the_same_pictures_again_for_a_run_and_for_one_reference(command, tmp_path):
    run_dir = tmp_path / "run"
    assert command("method=report", f"hydra.run.dir={run_dir}", "num_samples=2", "consistency=exact")[0] == 0
    folder = run_dir / "references" / "test_000000"
    before, drawn = contents(folder), ("grid.png", "mean.png", "spread.png")
    for given in (run_dir, folder):
        for path in (*folder.glob("sr_*.png"), *(folder / name for name in drawn)):
            path.unlink()
        status, said, _ = command("render", str(given), base=())
        assert status == 0 and str(folder / "grid.png") in said
        after = contents(folder)
        assert after.keys() == before.keys()
        assert all(after[name] == before[name] for name in ("sr_00.png", "sr_01.png", *drawn))


def test_a_reference_that_no_picture_can_have_is_said_in_table_record_and_grid(command, tmp_path):
    board = ((torch.arange(8)[:, None] + torch.arange(8)) % 2).float().expand(3, 8, 8)
    save_png(board, tmp_path / "board.png")
    run_dir = tmp_path / "run"
    given = ("references=image", f"references.path={tmp_path / 'board.png'}", "lr_noise=none", "consistency=exact")
    status, said, errors = command(*given, "num_samples=2", f"hydra.run.dir={run_dir}")
    assert status == 0, errors
    entry = read(run_dir / "references" / "board" / "record.json")
    [remark] = entry["remarks"]
    bound = entry["lr_psnr_bound"]
    assert 8 < bound < 20 and f"at most {bound:.1f} dB" in remark
    assert f"\nnote: {remark}\n" in said and "faithful: 0 of 2 samples" in said
    assert all(record["lr_psnr"] < bound for record in entry["records"])
    with Image.open(run_dir / "references" / "board" / "grid.png") as page:
        top = np.asarray(page)[:110].astype(int)
    assert (top[..., 0] - top[..., 2] > 100).any()  # the remark, in a colour of its own


def test_what_takes_seconds_to_import_waits_until_a_search_needs_it():
    code = (
        "import sys, multimodal_pulse.run.run, multimodal_pulse.results.merge\n"
        "heavy = {'pytorch_lightning', 'torchmetrics', 'torchvision', 'wandb', 'matplotlib', 'scipy'}\n"
        "print(*heavy & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("\n", "")


def test_a_sample_that_fits_takes_no_further_passes_and_its_record_and_the_curves_say_so(command, tmp_path):
    run_dir = tmp_path / "run"
    status, _, errors = command(
        "method=report", "target_lr_psnr=3", f"hydra.run.dir={run_dir}", "num_samples=2", "references.limit=1",
        "tracking=csv",
    )  # fmt: skip
    assert status == 0, errors
    steps = [json.loads(line)["steps"] for line in (run_dir / "records.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(set(steps)) == 1 and steps[0] < 3  # coupled samples leave together
    curves = (run_dir / "curves.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert [line.split(",")[1] for line in curves] == [str(step) for step in range(steps[0])]
    assert "1/1 references" in errors and "100%" in errors.splitlines()[-1]
    status, _, errors = command("method=report", "target_lr_psnr=0", f"hydra.run.dir={tmp_path / 'none'}")
    assert status != 0 and "target_lr_psnr=0" in errors and not (tmp_path / "none" / "plan.json").exists()
