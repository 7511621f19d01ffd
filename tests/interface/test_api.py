"""The Python call: `upsample` and `run_overrides`."""

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from io import StringIO

import pytest
import pytorch_lightning as pl
import torch
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from PIL import Image
from places import CONF
from tiny_run import OVERRIDES, TINY, read

import multimodal_pulse
from multimodal_pulse.base.errors import UserError
from multimodal_pulse.interface.api import run_overrides
from multimodal_pulse.references.pixels import load_rgb, save_png
from multimodal_pulse.results.report import Forecast


def test_upsample_gives_what_the_command_line_saves(command, photos, tmp_path):
    status, _, errors = command(
        "references=image",
        f"references.path={photos / 'ada.png'}",
        "num_samples=2",
        f"hydra.run.dir={tmp_path / 'cli'}",
    )
    assert status == 0, errors
    result = multimodal_pulse.upsample(photos / "ada.png", num_samples=2, run_dir=tmp_path / "python", **TINY)
    assert result.images.shape == (2, 3, 32, 32)
    assert result.lr.shape == (3, 8, 8)
    assert len(result.lr_psnr) == len(result.records) == 2
    assert result.diversity is not None and result.diversity > 0
    assert result.folder == tmp_path / "python" / "references" / "ada"
    for name in ("sr_00.png", "sr_01.png", "lr.png", "grid.png"):
        assert (result.folder / name).read_bytes() == (tmp_path / "cli" / "references" / "ada" / name).read_bytes()


def test_the_name_of_a_picture_decides_its_samples_however_it_is_given(command, photos, tmp_path):
    original = photos / "ada.png"
    renamed = original.rename(photos / "lovelace.png")
    with Image.open(renamed) as picture:
        pictures = {"file": renamed, "pillow": picture, "tensor": load_rgb(renamed)}
        settings = TINY | {"num_samples": 2}
        by_name = {
            kind: multimodal_pulse.upsample(given, run_dir=tmp_path / kind, **settings, **{"references.name": "ada"})
            for kind, given in pictures.items()
        }
        other = multimodal_pulse.upsample(renamed, run_dir=tmp_path / "other", **settings)
        opened = multimodal_pulse.upsample(picture, run_dir=tmp_path / "opened", **settings)
    status, _, errors = command(
        "references=image", f"references.path={renamed}", "references.name=ada", "num_samples=2",
        f"hydra.run.dir={tmp_path / 'cli'}",
    )  # fmt: skip
    assert status == 0, errors
    of_command = load_rgb(tmp_path / "cli" / "references" / "ada" / "sr_00.png")
    for result in by_name.values():
        assert result.folder.name == "ada"
        assert torch.equal(result.images[0], of_command)
    assert other.folder.name == opened.folder.name == "lovelace"
    assert torch.equal(other.images, opened.images) and not torch.equal(other.images[0], of_command)


def test_upsample_works_where_hydra_is_set_up_already(tmp_path):
    image = torch.rand(3, 8, 8)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        result = multimodal_pulse.upsample(image, method="bicubic", run_dir=tmp_path / "run", **TINY)
        assert GlobalHydra.instance().is_initialized()
        assert compose("config", ["seed=3"]).seed == 3
    assert result.images.shape == (1, 3, 32, 32)
    assert result.folder.name == "image"


def test_upsample_refuses_the_run_directory_of_another_picture(tmp_path):
    first, second = torch.rand(2, 3, 8, 8)
    arguments = {"method": "bicubic", "run_dir": tmp_path / "run"} | TINY
    multimodal_pulse.upsample(first, **arguments)
    with pytest.raises(UserError, match=r"references\.path: given-"):
        multimodal_pulse.upsample(second, **arguments)
    assert torch.equal(multimodal_pulse.upsample(first, **arguments).lr, (first * 255).round() / 255)


def test_upsample_refuses_a_run_directory_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file/run cannot be made, since .*file is a file: choose another one"):
        multimodal_pulse.upsample(torch.rand(3, 8, 8), run_dir=tmp_path / "file" / "run", **TINY)


CALLERS: dict[str, Callable[[], AbstractContextManager]] = {
    "inference_mode": torch.inference_mode,
    "no_grad": torch.no_grad,
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "another default device": lambda: torch.device("meta"),
}


@pytest.mark.parametrize("caller", CALLERS.values(), ids=CALLERS)
def test_upsample_gives_the_same_wherever_it_is_called(caller, tmp_path):
    pixels = torch.rand(3, 8, 8)
    arguments = {"num_samples": 2} | TINY
    expected = multimodal_pulse.upsample(pixels, run_dir=tmp_path / "expected", **arguments)
    with caller():
        inside = torch.rand(3, 8, 8, device="cpu").copy_(pixels)  # itself a tensor of inference mode
        found = multimodal_pulse.upsample(inside, run_dir=tmp_path / "found", **arguments)
    assert torch.equal(found.images, expected.images) and not found.images.is_inference()


def test_upsample_gives_the_same_where_numbers_are_doubles(tmp_path):
    pixels = torch.rand(3, 8, 8)
    expected = multimodal_pulse.upsample(pixels, run_dir=tmp_path / "expected", num_samples=2, **TINY)
    torch.set_default_dtype(torch.float64)
    try:
        found = multimodal_pulse.upsample(pixels, run_dir=tmp_path / "found", num_samples=2, **TINY)
        assert torch.get_default_dtype() is torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    assert torch.equal(found.images, expected.images)


def test_upsample_works_in_a_thread(tmp_path):
    with ThreadPoolExecutor() as pool:
        search = pool.submit(multimodal_pulse.upsample, torch.rand(3, 8, 8), run_dir=tmp_path / "run", **TINY)
    assert search.result().images.shape == (4, 3, 32, 32)


@pytest.mark.parametrize("broken", [None, "closed"])
def test_upsample_works_in_a_program_without_stderr(broken, tmp_path, monkeypatch):
    stream = None if broken is None else StringIO()
    if stream is not None:
        stream.close()
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, stream)
    result = multimodal_pulse.upsample(torch.rand(3, 8, 8), run_dir=tmp_path / "run", **TINY)
    assert result.images.shape == (4, 3, 32, 32) and sys.stderr is stream


def test_the_home_folder_is_found_in_every_path(photos, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(photos)
    settings = {"run_dir": "~/run", "method": "masked_lr_noise", "noise.lr_mask": "~/mask.png"}
    save_png(torch.ones(1, 32, 32), tmp_path / "mask.png")
    result = multimodal_pulse.upsample("~/photos/ada.png", **settings | TINY)
    assert result.folder == tmp_path / "run" / "references" / "ada"
    assert read(result.folder / "record.json")["file"]["path"] == str(photos / "ada.png")
    with pytest.raises(UserError, match="does not exist"):
        multimodal_pulse.upsample("~nobody-here/ada.png", run_dir=tmp_path / "other", **TINY)
    assert not (photos / "~").exists()


def test_upsample_puts_a_run_of_its_own_under_outputs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = multimodal_pulse.upsample(torch.rand(3, 8, 8), method="bicubic", **TINY)
    assert result.folder.is_relative_to(tmp_path / "outputs")
    assert repr(result) == f"Result(images=(1, 3, 32, 32), lr=(3, 8, 8), folder={str(result.folder)!r})"
    assert "-bicubic-" in str(result.folder)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"method": "combine"}, "method=combine"),
        ({"stepz": 3}, "Did you mean steps?"),
        ({"num_samples": 0}, "num_samples=0"),
        ({"method": "resampling", "noise.lr_std": 0.1}, "lr_noise=none"),
    ],
)
def test_upsample_refuses_with_the_same_words(arguments, words, tmp_path):
    with pytest.raises(UserError, match=words.replace("?", r"\?")):
        multimodal_pulse.upsample(torch.rand(3, 8, 8), run_dir=tmp_path, **TINY | arguments)


def test_upsample_makes_no_trial_and_run_overrides_does(tmp_path):
    with pytest.raises(UserError, match="run_overrides"):
        multimodal_pulse.upsample(torch.rand(3, 8, 8), run_dir=tmp_path / "run", dry_run=True, **TINY)
    forecast = run_overrides([*OVERRIDES, "dry_run=true", "num_samples=1"], tmp_path / "run")
    assert isinstance(forecast, Forecast) and forecast.entries == ()
    assert forecast.seconds == read(tmp_path / "run" / "plan.json")["seconds"] > 0


def test_upsample_refuses_a_picture_that_is_too_small(tmp_path):
    with pytest.raises(UserError, match="the image is 7 x 7 pixels: at least 8 on each side are needed"):
        multimodal_pulse.upsample(torch.rand(3, 7, 7), run_dir=tmp_path / "run", **TINY)


def test_a_callback_watches_a_run_and_stops_it_and_the_same_command_does_the_rest(photos, tmp_path):
    class Stop(pl.Callback):
        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            if batch_idx == 1:
                pl_module.stop()

    run_dir = tmp_path / "run"
    arguments = [*OVERRIDES, "references=folder", f"references.path={photos}", "trainer.references_per_group=1"]
    assert [entry["reference"] for entry in run_overrides(arguments, run_dir, callbacks=[Stop()]).entries] == ["ada"]
    begun = read(run_dir / "references" / "ada" / "record.json")
    assert begun["stopped"] and {record["steps"] for record in begun["records"]} == {2}
    ada, grace = run_overrides(arguments, run_dir).entries
    assert ada["stopped"] and not grace["stopped"] and grace["records"][0]["steps"] == 3
