"""A run directory that the version before the rooms made (commit 2548fdf), of two references the first one finished."""

import json
import shutil
from pathlib import Path

import pytest
import yaml
from omegaconf import OmegaConf
from PIL import Image
from places import ROOT

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.configuration.compose import compose_job
from multimodal_pulse.configuration.former_names import translated
from multimodal_pulse.configuration.run_config import refuse_another_config
from multimodal_pulse.results.pictures.redraw import render_folder
from multimodal_pulse.run.build import load_renderer
from multimodal_pulse.run.run import run

FORMER = Path(__file__).with_name("former_run")


@pytest.fixture
def former(tmp_path) -> Path:
    return shutil.copytree(FORMER, tmp_path / "run")


def pixels(folder: Path) -> dict[str, bytes]:
    """The pixels of the samples: files have said more about themselves since."""
    return {path.name: Image.open(path).tobytes() for path in sorted(folder.glob("sr_*.png"))}


def test_it_is_resumed(former):
    """By the name that its method, then the default, has now."""
    overrides = ["method=report"] + [line[2:] for line in (former / "overrides.yaml").read_text().splitlines()]
    before = pixels(former / "references" / "test_000000")
    cfg, job = compose_job(overrides, former)
    report = run(cfg, job)
    assert report.metrics["num_references"] == 2
    assert pixels(former / "references" / "test_000000") == before and len(before) == 4
    assert (former / "references" / "test_000001" / "record.json").is_file()


@pytest.mark.parametrize("said", [[], ["batch_diversity.distance=20"]])
def test_a_run_of_explore_from_before_the_repulsion_had_metrics_is_resumed(said, tmp_path):
    overrides = ["method=explore", "references=image", "references.path=a.png"]
    cfg, _ = compose_job([*overrides, *said], tmp_path)
    there = yaml.safe_load(OmegaConf.to_yaml(cfg))
    del there["target_lr_psnr"], there["references"]["noise_std"], there["batch_diversity"]["metric"]
    there["batch_diversity"]["distance"] = 20.0
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(there))
    refuse_another_config(tmp_path, cfg)
    for other in ("batch_diversity.distance=10", "batch_diversity.metric=features"):
        with pytest.raises(UserError, match="another configuration"):
            refuse_another_config(tmp_path, compose_job([*overrides, other], tmp_path)[0])


def test_its_pictures_are_drawn_again(former):
    folder = former / "references" / "test_000000"
    before = pixels(folder)
    for path in folder.glob("sr_*.png"):
        path.unlink()
    render_folder(folder, load_renderer)
    assert pixels(folder) == before


def test_every_class_of_the_former_configuration_is_there_under_its_new_name():
    settings = json.loads((FORMER / "references" / "test_000000" / "record.json").read_text())["settings"]
    assert translated(settings)["degradation"] == {"_target_": "multimodal_pulse.degradation.Bicubic", "factor": 4}
    now, _ = compose_job(["generator=untrained"], ROOT)
    former_names = {
        line.split(": ")[1] for line in (FORMER / "config.yaml").read_text().splitlines() if "_target_" in line
    }
    assert len(former_names) > 10 and now.search["_target_"] == "multimodal_pulse.search.LatentOptimization"
    for name in former_names:
        moved = translated({"degradation": {}, "generator": {"_target_": name}})["generator"]["_target_"]
        module, _, attribute = moved.rpartition(".")
        assert hasattr(__import__(module, fromlist=[attribute]), attribute), name
