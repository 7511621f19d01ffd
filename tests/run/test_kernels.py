"""`trainer.kernels`: where the fused operators are used, what is said and recorded, and what happens without them."""

import shutil
from pathlib import Path

import pytest
import tiny_run
import torch
import yaml
from safetensors.torch import load_file
from tiny_run import contents, read

from multimodal_pulse.generator.ops import build
from multimodal_pulse.generator.ops.build import library

WIDE = ["generator.channel_max=16", "references.limit=1", "method=resampling", "num_samples=2"]
needs_compiler = pytest.mark.skipif(
    not (shutil.which("c++") or shutil.which("g++")), reason="there is no C++ compiler here"
)


@pytest.fixture
def broken_compiler(tmp_path, monkeypatch) -> None:
    path = tmp_path / "broken-c++"
    path.write_text('#!/bin/sh\necho "sorry: error: no luck today" >&2\nexit 1\n')
    path.chmod(0o755)
    monkeypatch.setenv("CXX", str(path))
    monkeypatch.setenv("MULTIMODAL_PULSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("multimodal_pulse.generator.ops.fused.library", library.__wrapped__)


def kernels_of(run_dir: Path) -> tuple[str, dict]:
    """What config.yaml and provenance.json say."""
    config = yaml.safe_load((run_dir / "config.yaml").read_text())
    return config["trainer"]["kernels"], read(run_dir / "provenance.json")["kernels"]


@needs_compiler
def test_a_search_with_fused_operators_finds_what_the_plain_one_finds(tmp_path, command):
    for kernels in ("plain", "fused"):
        status, _, err = command(*WIDE, f"trainer.kernels={kernels}", f"hydra.run.dir={tmp_path / kernels}")
        assert status == 0, err
        assert kernels_of(tmp_path / kernels) == (kernels, {"chosen": kernels, "because": None})
    plain, fused = (load_file(next((tmp_path / k).rglob("latents.safetensors"))) for k in ("plain", "fused"))
    torch.testing.assert_close(fused["w_plus"], plain["w_plus"], rtol=1e-3, atol=1e-3)


@needs_compiler
def test_render_draws_the_same_pixels(tmp_path, command):
    assert command(*WIDE, "trainer.kernels=fused", f"hydra.run.dir={tmp_path}")[0] == 0
    [folder] = tmp_path.glob("references/*")
    before = contents(folder)
    for name in before:
        if name.endswith(".png") and name not in ("hr.png", "lr.png"):
            (folder / name).unlink()
    assert tiny_run.run("render", folder) == 0
    after = contents(folder)
    assert {name for name in before if before[name] != after.get(name)} == set()


@needs_compiler
def test_auto_takes_them_where_they_pay_and_a_resumed_run_keeps_them(tmp_path, command, monkeypatch):
    run_dir = tmp_path / "run"
    status, _, err = command(*WIDE, f"hydra.run.dir={run_dir}")
    assert status == 0 and kernels_of(run_dir) == ("fused", {"chosen": "fused", "because": "they pay on a processor"})
    assert "fused" not in err.replace("note: building the fused operators (once)\n", "")
    shutil.rmtree(next(run_dir.glob("references/*")))
    monkeypatch.setattr(
        "multimodal_pulse.generator.ops.fused.library", lambda: (_ for _ in ()).throw(build.BuildError("gone"))
    )
    status, _, err = command(*WIDE, f"hydra.run.dir={run_dir}")
    assert status == 1 and "trainer.kernels=fused: they cannot be built (gone)" in err


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ("generator.channel_max=8", "a layer has fewer than 16 channels"),
        ("trainer.precision=64-true", "they do not compute in 64-true"),
    ],
)
def test_auto_leaves_them_out_where_they_do_not_pay(setting, reason, tmp_path, command):
    assert command(*WIDE, setting, f"hydra.run.dir={tmp_path}")[0] == 0
    assert kernels_of(tmp_path) == ("plain", {"chosen": "plain", "because": reason})


def test_a_build_that_fails_is_one_line_and_the_run_goes_on(tmp_path, command, broken_compiler):
    status, _, err = command(*WIDE, f"hydra.run.dir={tmp_path / 'run'}")
    assert status == 0
    [said] = [line for line in err.splitlines() if "cannot be built" in line]
    assert "(broken-c++ says: sorry: error: no luck today)" in said and "trainer.kernels=plain" in said
    chosen, provenance = kernels_of(tmp_path / "run")
    assert chosen == provenance["chosen"] == "plain" and "no luck today" in provenance["because"]


def test_fused_operators_that_are_asked_for_and_cannot_be_had_end_the_run(tmp_path, command, broken_compiler):
    run_dir = tmp_path / "run"
    status, _, err = command(*WIDE, "trainer.kernels=fused", f"hydra.run.dir={run_dir}")
    assert status == 1 and "no luck today" in err and "trainer.kernels=auto" in err and not run_dir.exists()


def test_a_baseline_builds_nothing(tmp_path, command, broken_compiler):
    status, _, err = command("method=bicubic", "references.limit=1", f"hydra.run.dir={tmp_path / 'run'}")
    assert status == 0 and "built" not in err
