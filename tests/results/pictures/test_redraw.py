import dataclasses
import json
import math
from pathlib import Path

import pytest
import torch
from tiny_outcome import ABSENT, DEGRADATION, EXACT, TinyGenerator, drawn, find, renderer, write

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.generator import Space
from multimodal_pulse.metrics import evaluate
from multimodal_pulse.references.pixels import from_pil, load_rgb
from multimodal_pulse.results.pictures.redraw import Renderer, reference_folders, render_folder
from multimodal_pulse.results.records import ReferenceFolders
from multimodal_pulse.search.consistency import ExactConsistency, NoConsistency


@pytest.mark.parametrize("noise", [True, False])
@pytest.mark.parametrize("lr_noise", [True, False])
@pytest.mark.parametrize("consistency", [NoConsistency(), ExactConsistency(rounds=50)])
def test_rendering_draws_the_same_pictures_again(tmp_path: Path, consistency, noise: bool, lr_noise: bool):
    assert_rendered_again(write(tmp_path, find(consistency=consistency, noise=noise, lr_noise=lr_noise)), consistency)


def test_a_failed_sample_is_rendered_as_it_was(tmp_path: Path):
    found = find()
    found.latents["w_plus"][1] = math.nan
    found.samples[1] = math.nan
    assert_rendered_again(write(tmp_path, found), NoConsistency())


def assert_rendered_again(folder: Path, consistency) -> None:
    before = {path.name: load_rgb(path) for path in folder.glob("*.png")}
    again = ["grid.png", "mean.png", "spread.png", "sr_00.png", "sr_00_lr.png", "sr_01.png", "sr_01_lr.png"]
    again = [name for name in again if name in before]  # with one sample left there is no mean
    for name in again:
        (folder / name).unlink()
    written = render_folder(folder, lambda settings: Renderer(TinyGenerator(), Space, DEGRADATION, consistency))
    assert sorted(path.name for path in written) == again
    for name, pixels in before.items():
        assert torch.equal(load_rgb(folder / name), pixels), name


def test_the_record_of_an_older_version_is_still_rendered(tmp_path: Path):
    found = find()
    folder = write(tmp_path, found)
    content = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    content["settings"] = {"generator": {}, "degradation": {}, "consistency": EXACT}
    (folder / "record.json").write_text(json.dumps(content), encoding="utf-8")
    render_folder(folder, renderer)
    assert load_rgb(folder / "grid.png").equal(from_pil(drawn(found, words="3 steps, exact consistency")))


def test_rendering_elsewhere_leaves_the_folder_alone(tmp_path: Path):
    folder = write(tmp_path / "run", find())
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    output = tmp_path / "again"
    render_folder(folder, renderer, output)
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    assert (output / "grid.png").read_bytes() == (folder / "grid.png").read_bytes()


def test_the_renderer_is_made_from_what_the_record_says(tmp_path: Path):
    found = find()
    scores = evaluate(found, DEGRADATION, ABSENT)
    settings = {"generator": {"path": "weights"}}
    folder = ReferenceFolders(tmp_path, settings, ABSENT.state).write(found, scores, DEGRADATION(found.samples), {})
    seen = []

    def load(given) -> Renderer:
        seen.append(given)
        return renderer(given)

    render_folder(folder, load)
    assert seen == [settings]
    assert json.loads((folder / "record.json").read_text())["weights_sha256"] is None


def test_a_run_directory_stands_for_its_finished_references(tmp_path: Path):
    folders = [write(tmp_path, find(name)) for name in ("grace", "ada")]
    (tmp_path / "references" / ".partial-eve").mkdir()
    (tmp_path / "references" / ".partial-eve" / "record.json").touch()
    assert reference_folders(tmp_path) == sorted(folders)
    assert reference_folders(folders[0]) == [folders[0]]
    (tmp_path / "new" / "references").mkdir(parents=True)
    with pytest.raises(UserError, match="no finished reference"):
        reference_folders(tmp_path / "new")


def test_what_cannot_be_rendered_is_refused(tmp_path: Path):
    with pytest.raises(UserError, match="record.json"):
        render_folder(tmp_path, renderer)
    with pytest.raises(UserError, match="latents.safetensors"):
        render_folder(write(tmp_path, dataclasses.replace(find("bicubic"), latents={})), renderer)
    with pytest.raises(UserError, match="sha256 other"):
        render_folder(write(tmp_path, find("face"), weights_sha256="other"), renderer)


@pytest.mark.parametrize(
    "content", ["", "[1]", '{"reference": "face"}', '{"reference": 1, "settings": {}, "records": []}']
)
def test_a_damaged_record_is_refused(tmp_path: Path, content: str):
    folder = write(tmp_path, find())
    (folder / "record.json").write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=r"record\.json is damaged"):
        render_folder(folder, renderer)
