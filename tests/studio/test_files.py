"""The gallery, the table of runs and the bundle, from files alone."""

import io
import json
import shlex
import shutil
import zipfile

import pytest
from tiny_run import OVERRIDES, contents, run

from multimodal_pulse.configuration.overrides import literal
from multimodal_pulse.studio import bundle, gallery, runs
from multimodal_pulse.studio.limits import NotFoundError


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """A folder of runs: a sweep of two, and one by itself."""
    folder = tmp_path_factory.mktemp("outputs")
    common = [*OVERRIDES, "references=portraits", "num_samples=2", "tracking=csv"]
    assert run("-m", *common, "seed=0,1", f"hydra.sweep.dir={folder / 'sweep'}") == 0
    assert run(*common, "method=bicubic", f"hydra.run.dir={folder / 'alone'}") == 0
    return folder


def test_all_runs_are_listed_the_newest_first_with_their_sweep_and_measures(outputs):
    table = runs.listed(outputs)
    assert [row["sweep"] for row in table] == [None, "sweep", "sweep"]
    assert table[0]["run"] == "alone" and table[0]["method"] == "bicubic"
    for row in table:
        metrics = json.loads((outputs / row["run"] / "metrics.json").read_text())
        assert row["measures"]["psnr"] == metrics["psnr"]["mean"]
    assert table[1]["measures"]["diversity.rms"] > 0 and "diversity.pixel_std" in table[1]["measures"]
    assert not any(key.endswith("rms_std") for key in table[1]["measures"])


def test_a_damaged_run_is_left_out(outputs, tmp_path):
    for name, content in (("cut", "{"), ("list", "[]")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "metrics.json").write_text(content)
        (tmp_path / name / "config.yaml").write_text("method: explore")
        (tmp_path / name / "overrides.yaml").write_text("[]")
    assert runs.listed(tmp_path) == []


def test_curves_have_each_step_of_a_search(outputs):
    [first] = [row["run"] for row in runs.listed(outputs) if row["run"].endswith("seed-0")]
    curves = runs.curves(outputs / first)
    assert [row["step"] for row in curves] == [0, 1, 2] and all(row["fidelity"] > 0 for row in curves)
    assert runs.curves(outputs / "alone") == []


@pytest.mark.parametrize(
    "name", ["../elsewhere", "/etc", "sweep", "none", "sweep/../../x", "a\0b", "studio/x", "sweep/../studio/x"]
)
def test_what_is_no_run_is_not_found(outputs, name):
    shutil.copytree(outputs / "alone", outputs / "studio" / "x", dirs_exist_ok=True)  # what a visitor has
    assert len(runs.listed(outputs)) == 3
    with pytest.raises(NotFoundError):
        runs.run_dir(outputs, name)


def test_the_gallery_has_every_sample_with_its_pictures(outputs):
    [row, *_] = [row for row in runs.listed(outputs) if row["sweep"]]
    [reference] = gallery.references(outputs / row["run"])
    assert [sample["picture"] for sample in reference["samples"]] == ["sr_00.png", "sr_01.png"]
    assert all(sample["lr"] and sample["photo"] is None for sample in reference["samples"])
    assert {"grid.png", "mean.png", "spread.png", "hr.png", "lr.png"} <= set(reference["pictures"])
    assert gallery.picture(outputs / row["run"], reference["name"], "grid.png").is_file()


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("test_000000", "record.json"),
        ("test_000000", "../test_000000/lr.png"),
        ("..", "lr.png"),
        ("test_000000", "sr_99.png"),
        ("", "lr.png"),
        ("nobody", "lr.png"),
    ],
)
def test_nothing_but_pictures_of_a_run_is_handed_out(outputs, reference, name):
    with pytest.raises(NotFoundError):
        gallery.picture(outputs / "alone", reference, name)


def test_a_bundle_has_the_run_its_files_and_a_command_that_names_them_there(outputs, tmp_path):
    uploaded = tmp_path / "it's an upload"
    uploaded.write_bytes(b"picture")
    (tmp_path / "parent").mkdir()
    (tmp_path / "parent" / "record.json").write_text("{}")

    overrides = [
        f"references.path={literal(str(uploaded))}",
        f"vary.folder={literal(str(tmp_path / 'parent'))}",
        "seed=3",
    ]
    files = {"picture": uploaded, "parent": tmp_path / "parent"}
    file = io.BytesIO()
    bundle.write(file, outputs / "alone", overrides, files, stopped=True)
    with zipfile.ZipFile(file) as archive:
        inside = {name: archive.read(name) for name in archive.namelist()}
    there = contents(outputs / "alone")
    assert {name.removeprefix("run/"): data for name, data in inside.items() if name.startswith("run/")} == there
    assert inside["picture"] == b"picture" and inside["parent/record.json"] == b"{}"
    words = shlex.split(inside["command.sh"].decode().splitlines()[-1])
    assert words[0] == "multimodal-pulse" and words[3:] == ["seed=3", "hydra.run.dir=again"]
    assert str(tmp_path) not in inside["command.sh"].decode()
    assert "stopped early" in inside["command.sh"].decode()
