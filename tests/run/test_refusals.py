"""Input that cannot be used is refused in one line, and a refused run leaves nothing behind."""

from pathlib import Path

import pytest
import torch
from PIL import Image
from tiny_run import OVERRIDES, read

from multimodal_pulse.base.errors import UserError


@pytest.fixture
def folder(tmp_path, photos, monkeypatch) -> Path:
    """A working directory with pictures that cannot be used, and without a key for W&B."""
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and nothing more")
    Image.new("RGB", (7, 7)).save(tmp_path / "tiny.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["trainer=gpu"], ["trainer=gpu", "trainer=cpu"]),
        (["references=image", "references.path=nowhere.png"], ["nowhere.png"]),
        (["references=image", "references.path=broken.png"], ["broken.png"]),
        (["references=image", "references.path=tiny.png"], ["tiny.png is 7 x 7 pixels", "at least 8 on each side"]),
        (["references=folder", "references.path=nowhere"], ["nowhere"]),
        (["degradation.factor=5"], ["degradation.factor=5", "32"]),
        (["method=masked_lr_noise", "noise.lr_mask=tiny.png"], ["noise.lr_mask", "7 x 7", "8 x 8", "32 x 32"]),
        (["method=masked_lr_noise", "noise.lr_mask=nowhere.png"], ["nowhere.png"]),
        (["method=masked_lr_noise", "references=image", "references.path=photos/ada.png"], ["noise.lr_mask"]),
        (["method=report", "noise.synthesis_resolutions=[64]"], ["noise.synthesis_resolutions", "64", "32"]),
        (["generator.resolution=100"], ["generator", "100"]),
        (["generator=file", "generator.path=nowhere.safetensors"], ["nowhere.safetensors"]),
        (["references.as=hr", "references=image", "references.path=tiny.png"], ["references.as=hr"]),
        (["tracking=wandb", "tracking.mode=online"], ["tracking.mode=offline"]),
        (["method=report", "objective.l2_weight=-1"], ["objective.l2_weight=-1"]),
        (["consistency=exact", "consistency.rounds=0"], ["consistency.rounds=0"]),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing_behind(arguments, words, command, folder, monkeypatch):
    """Status 1, before LPIPS is asked for, which may take long."""
    if "trainer=gpu" in arguments and torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    monkeypatch.setattr("multimodal_pulse.run.run.build_lpips", lambda *settings: pytest.fail("asked for"))
    base = OVERRIDES if "generator=file" not in arguments else ["tracking=none"]
    status, said, errors = command(*arguments, "metrics.lpips_net=alex", "hydra.run.dir=run", base=base)
    assert (status, said) == (1, "")
    assert errors.startswith("multimodal-pulse: ") and errors.count("\n") == 1
    assert [word for word in words if word not in errors] == []
    assert not (folder / "run").exists()


@pytest.mark.parametrize("kept", [20, 500])  # broken in the header, and behind it
def test_a_broken_picture_in_a_folder_is_named_before_anything_is_searched(
    kept, command, run_of_photos, photos, tmp_path, monkeypatch
):
    (photos / "broken.png").write_bytes((photos / "ada.png").read_bytes()[:kept])
    with monkeypatch.context() as patch:
        patch.setattr("multimodal_pulse.run.run.build_lpips", lambda *settings: pytest.fail("asked for"))
        status, said, errors = command(*run_of_photos, "metrics.lpips_net=alex")
    assert status == 1
    assert "broken.png" in errors and errors.count("\n") == 1 and said == ""
    assert not (tmp_path / "run").exists()
    (photos / "broken.png").unlink()
    assert command(*run_of_photos)[0] == 0
    assert read(tmp_path / "run" / "metrics.json")["num_references"] == 2


def test_what_wandb_does_not_accept_leaves_the_run_directory_free(command, tmp_path, monkeypatch):
    def refuse(self):
        raise UserError("W&B refused the run (no such entity); tracking=csv does without it.")

    run_dir = f"hydra.run.dir={tmp_path / 'run'}"
    with monkeypatch.context() as patch:
        patch.setattr("multimodal_pulse.results.tracking.WandbTracker.__enter__", refuse)
        status, _, errors = command(run_dir, "tracking=wandb", "steps=1")
    assert status == 1 and errors.count("\n") == 1
    assert command(run_dir, "steps=1")[0] == 0
