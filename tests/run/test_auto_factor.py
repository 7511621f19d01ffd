"""`degradation.factor=auto` and pictures of any size in whole runs: decided once, and written down."""

from pathlib import Path

import numpy as np
import pytest
import tiny_run
import torch
from PIL import Image
from tiny_run import read

from multimodal_pulse import upsample
from multimodal_pulse.configuration.run_config import read_config
from multimodal_pulse.references.pixels import save_png

AUTO = [word if not word.startswith("degradation") else "degradation.factor=auto" for word in tiny_run.OVERRIDES]


def save(path: Path, width: int, height: int, seed: int = 0) -> Path:
    save_png(torch.rand(3, height, width, generator=torch.Generator().manual_seed(seed)), path)
    return path


def test_a_small_picture_decides_the_factor_and_the_run_directory_keeps_it(command, tmp_path):
    photo, run_dir = save(tmp_path / "photo.png", 15, 18), tmp_path / "run"
    arguments = ("method=resampling", "references=image", f"references.path={photo}", f"hydra.run.dir={run_dir}")
    status, _, said = command(*arguments, base=AUTO)
    assert status == 0, said
    assert "note: degradation.factor=auto is 2: 16 x 16 is the LR size nearest to the picture's 15 pixels." in said
    assert f"note: {photo} is 15 x 18: its middle 15 x 15 is used." in said
    folder = run_dir / "references" / "photo"
    with Image.open(folder / "lr.png") as lr:
        assert lr.size == (16, 16)
    record = read(folder / "record.json")
    assert record["settings"]["degradation"]["factor"] == 2
    assert {key: record["prepared"][key] for key in record["prepared"] if key != "notes"} == {
        "format": "PNG", "size": [15, 18], "frame": [0, 1, 15, 16], "taken_as": "lr", "resized_from": 15,
        "resized_to": 16, "factor": 2.0,
    }  # fmt: skip
    assert len(record["prepared"]["notes"]) == 2
    config = read_config(run_dir / "config.yaml")
    assert config is not None and config["degradation"]["factor"] == 2

    status, _, said = command(*arguments, base=AUTO)
    assert status == 0 and "nothing to do" in said
    as_number = [word.replace("=auto", "=2") if "factor" in word else word for word in AUTO]
    assert command(*arguments, base=as_number)[0] == 0
    assert command("render", str(folder), base=())[0] == 0


def test_the_middle_size_of_a_folder_decides_and_kinds_are_counted(command, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for name, width, height in (("a", 9, 12), ("b", 8, 10), ("c", 17, 16), ("d", 40, 50)):
        save(photos / f"{name}.png", width, height)
    run_dir = tmp_path / "run"
    status, _, said = command(
        "method=bicubic", "references=folder", f"references.path={photos}", f"hydra.run.dir={run_dir}", base=AUTO
    )
    assert status == 0, said
    assert "is 4: 8 x 8 is the LR size nearest to the middle one of 3 LR references' 9 pixels." in said
    assert said.count("note: 4 pictures are not square: the middle of each is used: ") == 1
    assert f"{photos / 'a.png'} (9 x 9 of 9 x 12)" in said and " and 1 more." in said
    assert said.count("note: 2 pictures are LR references and brought to 8 x 8 pixels: ") == 1
    taken = {name: read(run_dir / "references" / name / "record.json")["prepared"]["taken_as"] for name in "abcd"}
    assert taken == {"a": "lr", "b": "lr", "c": "lr", "d": "hr"}


def test_shards_decide_by_all_pictures(command, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for name, side in (("a", 8), ("b", 16), ("c", 17)):
        save(photos / f"{name}.png", side, side)
    for index in range(2):
        run_dir = tmp_path / f"shard-{index}"
        status, _, said = command(
            "method=bicubic", "references=folder", f"references.path={photos}", f"hydra.run.dir={run_dir}",
            "trainer.references_per_group=1", "shard.count=2", f"shard.index={index}", base=AUTO,
        )  # fmt: skip
        config = read_config(run_dir / "config.yaml")
        assert status == 0 and config is not None and config["degradation"]["factor"] == 2, said


def test_without_small_pictures_it_is_8(command, tmp_path):
    status, _, said = command("method=bicubic", f"hydra.run.dir={tmp_path / 'run'}", base=AUTO)
    assert status == 0 and "degradation.factor=auto is 8: no picture is an LR reference." in said


def test_a_frame_decides_instead_of_the_whole_picture(command, tmp_path):
    photo, run_dir = save(tmp_path / "photo.png", 60, 50), tmp_path / "run"
    status, _, said = command(
        "method=bicubic", "references=image", f"references.path={photo}", "references.frame=[10,5,26,21]",
        f"hydra.run.dir={run_dir}", base=AUTO,
    )  # fmt: skip
    assert status == 0 and "is 2: 16 x 16 is the LR size nearest to the picture's 16 pixels." in said
    assert read(run_dir / "references" / "photo" / "record.json")["prepared"]["frame"] == [10, 5, 26, 21]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("degradation.factor=big", "degradation.factor=big: it must be a whole number, or auto."),
        ("references.frame=[1,2,3]", "references.frame=[1, 2, 3]: it must be [left,top,right,bottom] in whole pixels"),
        ("references.frame=face", "references.frame=face: it must be [left,top,right,bottom] in whole pixels"),
    ],
)
def test_other_words_are_refused(command, tmp_path, word, said):
    photo = save(tmp_path / "photo.png", 60, 50)
    status, _, error = command("references=image", f"references.path={photo}", word, f"hydra.run.dir={tmp_path / 'r'}")
    assert status == 1 and said in error and error.count("\n") == 1


def test_from_python(tmp_path):
    settings = tiny_run.TINY | {"degradation.factor": "auto"}
    pixels = np.random.default_rng(0).random((15, 20, 3))
    result = upsample(pixels, method="bicubic", run_dir=tmp_path / "a", **settings)
    assert result.lr.shape == (3, 16, 16)
    framed = upsample(
        pixels, method="bicubic", run_dir=tmp_path / "b", **settings, **{"references.frame": [0, 0, 8, 8]}
    )
    assert framed.lr.shape == (3, 8, 8)
    assert torch.equal(framed.lr, (torch.from_numpy(pixels[:8, :8]).permute(2, 0, 1).float() * 255).round() / 255)
    assert read(framed.folder / "record.json")["prepared"]["frame"] == [0, 0, 8, 8]
