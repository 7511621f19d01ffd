"""A run whose references are the faces of a photograph."""

import pytest
import torch
from tiny_run import read

from multimodal_pulse.domains.faces import Frame
from multimodal_pulse.references.pixels import load_rgb, save_png


@pytest.fixture
def group(tmp_path, monkeypatch):
    """A picture of 60 x 40 pixels in which two faces are found."""
    frames = [Frame(16, 18, 20, -10, 0.8), Frame(40, 20, 24, 15, 0.9)]
    monkeypatch.setattr("multimodal_pulse.references.alignment.find_faces", lambda picture: frames)
    path = tmp_path / "group.png"
    save_png(torch.rand(3, 40, 60, generator=torch.Generator().manual_seed(0)), path)
    return path


def test_every_face_gets_its_samples_in_the_photograph(command, group, tmp_path):
    run_dir = tmp_path / "run"
    arguments = ("references=image", f"references.path={group}", "num_samples=2", f"hydra.run.dir={run_dir}")
    status, said, errors = command(*arguments, "references.align=ffhq")
    assert status == 0, errors
    assert "2 faces were found" in said + errors
    assert read(run_dir / "plan.json")["references"] == ["group-face0", "group-face1"]
    photograph = load_rgb(group)
    for name, corner in (("group-face0", [4.416, 9.888]), ("group-face1", [31.515, 5.303])):
        folder = run_dir / "references" / name
        entry = read(folder / "record.json")
        assert entry["file"]["path"] == str(group)
        assert entry["aligned"]["corners"][0] == pytest.approx(corner, abs=0.002)
        first, second = (load_rgb(folder / f"photo_{k:02d}.png") for k in range(2))
        assert first.shape == second.shape == (3, 80, 120)  # 32 pixels of a sample on 20 or 24 of the photograph
        changed = (first - second).abs().amax(dim=0) > 0
        assert changed.any()
        ys, xs = changed.nonzero().T
        inner = (torch.tensor(entry["aligned"]["corners"]) * 2).round()
        assert inner[:, 0].min() - 1 <= xs.min() and xs.max() <= inner[:, 0].max() + 1
        assert inner[:, 1].min() - 1 <= ys.min() and ys.max() <= inner[:, 1].max() + 1
        reduced = torch.nn.functional.avg_pool2d(first[None], 2)[0]
        assert (reduced[:, 36:] - photograph[:, 36:]).abs().mean() < 0.1  # below both faces


def test_a_generator_of_anything_takes_pictures_as_they_are(command, group, tmp_path):
    run_dir = tmp_path / "run"
    status, _, errors = command("references=image", f"references.path={group}", f"hydra.run.dir={run_dir}")
    assert status == 0, errors
    folder = run_dir / "references" / "group"
    assert read(folder / "record.json")["aligned"] is None
    assert not list(folder.glob("photo_*.png"))
