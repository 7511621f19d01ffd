"""The Python call: `upsample` and `run_overrides`."""

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from PIL import Image
from places import CONF
from tiny_run import OVERRIDES, TINY, read

import multimodal_pulse
from multimodal_pulse.base.errors import UserError
from multimodal_pulse.interface.api import run_overrides
from multimodal_pulse.references.pixels import load_rgb
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


def test_upsample_refuses_a_picture_of_another_size(tmp_path):
    with pytest.raises(UserError, match="8 x 8"):
        multimodal_pulse.upsample(torch.rand(3, 9, 9), run_dir=tmp_path / "run", **TINY)
