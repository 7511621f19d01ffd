"""`upsample` of a photograph with faces anywhere in it; a random generator, so that only the places count."""

import math
from pathlib import Path

import pytest
import torch
from composed import kept_out_portrait, placed
from tiny_run import TINY, read, run

import multimodal_pulse
from multimodal_pulse.domains.faces import Frame
from multimodal_pulse.references.pixels import load_rgb, quantise, save_png

FIRST, SECOND = Frame(60, 70, 56, -8), Frame(170, 80, 72, 12)
SETTINGS = TINY | {"num_samples": 2}


@pytest.fixture(scope="module")
def photograph() -> torch.Tensor:
    """A grey wall with two faces, [3, 160, 240]."""
    portrait = kept_out_portrait()
    left, right = placed(portrait, FIRST, 160, 240), placed(portrait, SECOND, 160, 240)
    return quantise(torch.cat([left[:, :, :115], right[:, :, 115:]], dim=-1))


def near(corners: list[list[float]], frame: Frame) -> bool:
    return all(math.dist(*ends) < 0.2 * frame.side for ends in zip(corners, frame.corners(), strict=True))


def test_every_face_of_a_tensor_has_a_result_and_photographs(photograph: torch.Tensor, tmp_path: Path) -> None:
    result = multimodal_pulse.upsample(photograph, run_dir=tmp_path / "run", align="ffhq", **SETTINGS)
    (other,) = result.others
    for of_face, name, frame in ((result, "image-face0", FIRST), (other, "image-face1", SECOND)):
        assert of_face.folder.name == name and of_face.images.shape == (2, 3, 32, 32)
        assert near(read(of_face.folder / "record.json")["aligned"]["corners"], frame)
        for pasted, whole in zip(of_face.photographs, (0, 1), strict=True):
            assert pasted is not None and pasted.shape == photograph.shape
            assert torch.equal(pasted, load_rgb(of_face.folder / f"photo_{whole:02d}.png"))
            changed = (pasted - photograph).abs().amax(dim=0) > 0
            xs = changed.nonzero()[:, 1]
            assert len(xs) and frame.x - frame.side <= xs.min() and xs.max() <= frame.x + frame.side
        (of_face.folder / "photo_00.png").unlink()
        assert of_face.photographs[0] is None and of_face.photographs[1] is not None
    assert other.others == ()


def test_a_file_gives_what_the_command_gives(photograph: torch.Tensor, tmp_path: Path) -> None:
    save_png(photograph, tmp_path / "two.png")
    result = multimodal_pulse.upsample(tmp_path / "two.png", run_dir=tmp_path / "python", align="ffhq", **SETTINGS)
    words = [f"{key}={'null' if value is None else value}" for key, value in SETTINGS.items()]
    image = ("references=image", f"references.path={tmp_path / 'two.png'}", "references.align=ffhq")
    assert run("method=explore", *words, *image, f"hydra.run.dir={tmp_path / 'cli'}") == 0
    for of_face in (result, *result.others):
        for name in ("lr.png", "sr_00.png", "photo_01.png"):
            expected = tmp_path / "cli" / "references" / of_face.folder.name / name
            assert (of_face.folder / name).read_bytes() == expected.read_bytes()


@pytest.mark.parametrize("align", ["auto", "none"])
def test_a_picture_is_taken_as_it_is(photograph: torch.Tensor, align: str, tmp_path: Path) -> None:
    """`auto` looks for faces only for a generator of faces, which the random one is not."""
    result = multimodal_pulse.upsample(photograph, run_dir=tmp_path / "run", align=align, **SETTINGS)
    assert result.folder.name == "image" and result.others == () and result.photographs == []


def test_the_factor_follows_the_frame_of_the_face(photograph: torch.Tensor, tmp_path: Path) -> None:
    small = torch.nn.functional.avg_pool2d(photograph[None, :, :, :116], 2)[0]  # 58 x 80 with a frame of 28 pixels
    settings = SETTINGS | {"degradation.factor": "auto", "method": "bicubic"}
    with_face = multimodal_pulse.upsample(small, run_dir=tmp_path / "face", align="ffhq", **settings)
    assert with_face.lr.shape == (3, 16, 16)  # the nearest to 28 pixels below 32
    whole = multimodal_pulse.upsample(small, run_dir=tmp_path / "whole", align="none", **settings)
    assert whole.lr.shape == (3, 4, 4)  # no picture is smaller than the generator's: factor 8


def test_a_photograph_that_was_deleted_is_drawn_again(photograph: torch.Tensor, tmp_path: Path, capsys) -> None:
    save_png(photograph, tmp_path / "two.png")
    arguments = {"image": tmp_path / "two.png", "run_dir": tmp_path / "run", "align": "ffhq"} | SETTINGS
    folder = multimodal_pulse.upsample(**arguments).folder
    expected = load_rgb(folder / "photo_01.png")
    (folder / "photo_01.png").unlink()
    multimodal_pulse.upsample(**arguments)
    assert "1 picture of finished references had been deleted or cut off: drawn again" in capsys.readouterr().err
    assert (load_rgb(folder / "photo_01.png") - expected).abs().max() < 1.5 / 255
    (folder / "photo_01.png").unlink()
    assert run("render", folder) == 0 and (folder / "photo_01.png").is_file()
    (folder / "photo_01.png").unlink()
    save_png(1 - photograph, tmp_path / "two.png")  # what it was cut out of is gone
    assert run("render", folder) == 0 and not (folder / "photo_01.png").exists()
