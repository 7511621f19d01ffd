"""Faces that the user has framed: `references.faces`."""

import pytest
import torch
from tiny_run import read

from multimodal_pulse.references.pixels import load_rgb, save_png


@pytest.fixture
def photograph(tmp_path):
    """A photograph of 90 x 120 pixels, of noise, in which nobody would find a face."""
    path = tmp_path / "photograph.png"
    save_png(torch.rand(3, 90, 120, generator=torch.Generator().manual_seed(0)), path)
    return path


def arguments(photograph, *further):
    run_dir = photograph.parent / "run"
    return ("references=image", f"references.path={photograph}", f"hydra.run.dir={run_dir}", "num_samples=2", *further)


@pytest.mark.parametrize("factor", ["4", "auto"])
def test_they_are_cut_out_searched_and_pasted_back(factor, photograph, command):
    frames = "references.faces=[[40,45,48,0],[85,50,40,10]]"
    status, _, errors = command(*arguments(photograph, frames, f"degradation.factor={factor}"))
    assert status == 0 and "face was found" not in errors and "faces were found" not in errors
    for number, (x, side, roll) in enumerate([(40, 48, 0), (85, 40, 10)]):
        folder = photograph.parent / "run" / "references" / f"photograph-face{number}"
        aligned = read(folder / "record.json")["aligned"]
        assert (aligned["side"], aligned["roll_degrees"]) == (side, roll)
        whole, pasted = load_rgb(photograph), load_rgb(folder / "photo_01.png")
        assert pasted.shape == whole.shape
        changed = (pasted - whole).abs().amax(dim=0)
        assert changed[:, : max(0, x - side)].sum() == changed[:15].sum() == 0 < changed[45, x]


@pytest.mark.parametrize("faces", ["[]", "[[1,2,3]]", "[[1,2,0,0]]", "[[1,2,x,0]]", "left", "[1,2,3,4]"])
def test_what_is_no_list_of_frames_is_refused(faces, photograph, command):
    status, _, errors = command(*arguments(photograph, f"references.faces={faces}"))
    assert status == 1 and errors.count("\n") == 1 and "references.faces=" in errors
    assert "must be a list of [x,y,side,roll]" in errors


def test_a_frame_beside_them_is_refused(photograph, command):
    given = ("references.faces=[[40,45,48,0]]", "references.frame=[0,0,40,40]")
    assert "references.faces and references.frame are both set" in command(*arguments(photograph, *given))[2]
