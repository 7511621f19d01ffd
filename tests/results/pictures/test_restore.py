"""Finished references whose files were deleted, damaged or edited."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_run import OVERRIDES, contents, read, run

SEARCH = [*OVERRIDES, "method=lr_noise", "num_samples=2", "references.limit=2"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "run"
    assert run(*SEARCH, f"hydra.run.dir={folder}") == 0
    return folder


@pytest.fixture
def folder(whole, tmp_path) -> Path:
    """The folder of a finished reference, to be spoiled."""
    return shutil.copytree(whole, tmp_path / "run") / "references" / "test_000000"


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def shortened(path: Path) -> None:
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:40]))


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def linked_to_nothing(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


@pytest.mark.parametrize("spoil", [Path.unlink, cut, emptied, linked_to_nothing])
@pytest.mark.parametrize("deleted", [["sr_01.png"], ["grid.png", "sr_00.png", "sr_00_lr.png"]])
def test_deleted_pictures_are_drawn_again_by_the_same_command(deleted, spoil, folder, command, whole):
    for name in deleted:
        spoil(folder / name)
    kept = {path.name: path.stat().st_mtime_ns for path in folder.iterdir() if path.name not in deleted}
    status, _, errors = command(*SEARCH, f"hydra.run.dir={folder.parents[1]}", base=())
    assert status == 0
    pictures = "1 picture" if len(deleted) == 1 else f"{len(deleted)} pictures"
    assert f"note: {pictures} of finished references had been deleted or cut off: drawn again\n" in errors
    assert contents(folder) == contents(whole / "references" / "test_000000")
    assert {name: (folder / name).stat().st_mtime_ns for name in kept} == kept


def test_pictures_that_cannot_be_drawn_again_are_named(command, tmp_path):
    arguments = ("method=bicubic", f"hydra.run.dir={tmp_path / 'run'}")
    assert command(*arguments)[0] == 0
    folder = tmp_path / "run" / "references" / "test_000000"
    (folder / "sr_00.png").unlink()
    status, _, errors = command(*arguments)
    assert status == 0 and f"note: {folder} lacks sr_00.png, which cannot be drawn again (" in errors
    shutil.rmtree(folder)
    assert command(*arguments)[0] == 0 and (folder / "sr_00.png").exists()


@pytest.mark.parametrize("name", ["lr.png", "hr.png"])
def test_a_given_picture_that_was_deleted_is_named(name, folder, command):
    (folder / name).unlink()
    status, _, errors = command(*SEARCH, f"hydra.run.dir={folder.parents[1]}", base=())
    assert status == 0 and f"note: {folder} lacks {name}, which cannot be drawn again" in errors
    assert "drawn again\n" not in errors


def damaged_latents(folder: Path, **changes: torch.Tensor) -> None:
    path = folder / "latents.safetensors"
    save_file(load_file(path) | changes, path)


def edited_record(folder: Path, **changes: object) -> None:
    (folder / "record.json").write_text(json.dumps(read(folder / "record.json") | changes))


def edited_setting(folder: Path, slot: str, **changes: object) -> None:
    settings = read(folder / "record.json")["settings"]
    edited_record(folder, settings=settings | {slot: settings[slot] | changes})


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (lambda folder: cut(folder / "latents.safetensors"), "latents.safetensors"),
        (lambda folder: (folder / "latents.safetensors").write_bytes(b""), "latents.safetensors"),
        (lambda folder: damaged_latents(folder, w_plus=torch.zeros(2, 3, 4)), "latents.safetensors"),
        (lambda folder: damaged_latents(folder, w_plus=torch.zeros(1, 8, 4)), "latents.safetensors"),
        (lambda folder: damaged_latents(folder, **{"noise.x": torch.zeros(1)}), "latents.safetensors"),
        (lambda folder: damaged_latents(folder, **{"noise.0": torch.zeros(1)}), "latents.safetensors"),
        (lambda folder: save_file({}, folder / "latents.safetensors"), "latents.safetensors"),
        (lambda folder: cut(folder / "record.json"), "record.json"),
        (lambda folder: (folder / "record.json").write_bytes(b"\xff\xfe"), "record.json"),
        (lambda folder: (folder / "record.json").write_text("[" * 100_000), "record.json"),
        (lambda folder: edited_setting(folder, "generator", depth=3), "record.json"),
        (lambda folder: edited_setting(folder, "generator", resolution="large"), "record.json"),
        (lambda folder: edited_setting(folder, "degradation", factor=0), "record.json"),
        (lambda folder: edited_setting(folder, "degradation", factor=3), "lr.png"),
        (lambda folder: edited_record(folder, settings={}), "record.json"),
        (lambda folder: edited_record(folder, realism_backbone=3), "test_000000"),
        (lambda folder: cut(folder / "lr.png"), "lr.png"),
        (lambda folder: (folder / "lr.png").unlink(), "lr.png"),
        (lambda folder: shutil.copy(folder / "hr.png", folder / "lr.png"), "lr.png"),
        (lambda folder: shutil.copy(folder / "hr.png", folder / "lr_noisy_01.png"), "test_000000"),
    ],
)
def test_render_names_a_damaged_file_in_one_line(spoil, named, folder, command):
    spoil(folder)
    status, _, errors = command("render", str(folder), base=())
    assert status == 1
    assert errors.startswith("multimodal-pulse: ") and errors.count("\n") == 1
    assert str(folder) in errors and named in errors


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (lambda folder: cut(folder / "record.json"), "references/test_000000/record.json"),
        (lambda folder: (folder / "record.json").write_text("[]"), "references/test_000000/record.json"),
        (lambda folder: edited_record(folder, records=[]), "references/test_000000/record.json"),
        (lambda folder: edited_record(folder, records=[{"psnr": "high"}]), "references/test_000000/record.json"),
        (lambda folder: edited_record(folder, diversity=None), "references/test_000000/record.json"),
        (lambda folder: edited_record(folder, reference="other"), "references/test_000000/record.json"),
        (lambda folder: cut(folder.parents[1] / "provenance.json"), "provenance.json"),
        (lambda folder: (folder.parents[1] / "provenance.json").write_text("3"), "provenance.json"),
        (lambda folder: cut(folder.parents[1] / "plan.json"), "plan.json"),
        (lambda folder: (folder.parents[1] / "plan.json").write_text('{"references": 1, "groups": []}'), "plan.json"),
        (lambda folder: shortened(folder.parents[1] / "config.yaml"), "another configuration"),
    ],
)
def test_a_run_names_a_damaged_file_of_its_own_before_it_searches(spoil, named, folder, command):
    shutil.rmtree(folder.with_name("test_000001"))
    spoil(folder)
    status, _, errors = command(*SEARCH, f"hydra.run.dir={folder.parents[1]}", base=())
    assert status == 1
    assert errors.startswith("multimodal-pulse: ") and errors.count("\n") == 1
    assert str(folder.parents[1]) in errors and named in errors
    assert not folder.with_name("test_000001").exists()
