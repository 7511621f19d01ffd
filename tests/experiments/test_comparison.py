"""Figures of several runs, from folders written by hand."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from page_pixels import enlarged, places
from PIL import Image
from scripts import scripts

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.references.pixels import load_rgb, save_png

SIDE, HALF = 128, 64

[comparison] = scripts("figures", "comparison")
Row, figure, save = comparison.Row, comparison.figure, comparison.save


def finished(
    folder: Path,
    samples: int = 4,
    original: bool = True,
    mask: bool = False,
    noisy: bool = False,
    lr_psnr: float | None = 30.0,
    distance: float | None = 9.0,
) -> Path:
    """The folder of a reference of 8 x 8 with samples of 32 x 32, as a run leaves it, with noise for pictures."""
    folder.mkdir(parents=True)
    generator = torch.Generator().manual_seed(len(str(folder)) + samples)
    sides = {"lr.png": 8} | ({"hr.png": 32} if original else {}) | ({"mask.png": 8} if mask else {})
    for k in range(samples):
        sides |= {f"sr_{k:02d}.png": 32, f"sr_{k:02d}_lr.png": 8} | ({f"lr_noisy_{k:02d}.png": 8} if noisy else {})
    for name, side in sides.items():
        save_png(torch.rand(3, side, side, generator=generator), folder / name)
    records = [{"sample": k, "lr_psnr": lr_psnr} for k in range(samples)]
    (folder / "record.json").write_text(json.dumps({"records": records, "diversity": {"rms": distance}}))
    return folder


def place(page: Image.Image, path: Path, side: int) -> tuple[int, int]:
    """Top and left of the one place where the file is drawn, enlarged to `side` pixels."""
    [found] = places(page, enlarged(load_rgb(path), side))
    return found


def test_a_row_has_the_original_and_the_samples_and_below_them_what_is_small(tmp_path):
    rows = [Row(name, [finished(tmp_path / name, mask=True, noisy=True)]) for name in ("first", "second!")]
    page = figure(rows, "a title")
    tops = []
    for row in rows:
        [folder] = row.folders
        top, left = place(page, folder / "hr.png", SIDE)
        below, _ = place(page, folder / "lr.png", HALF)
        assert below >= top + SIDE
        assert place(page, folder / "mask.png", HALF) == (below, left + HALF)
        for k in range(4):
            here, at = place(page, folder / f"sr_{k:02d}.png", SIDE)
            assert here == top and at >= left + SIDE
            assert place(page, folder / f"sr_{k:02d}_lr.png", HALF) == (below, at)
            assert place(page, folder / f"lr_noisy_{k:02d}.png", HALF) == (below, at + HALF)
            left = at
        tops.append(top)
    assert tops[1] >= tops[0] + SIDE + HALF


@pytest.mark.parametrize(("samples", "in_a_row"), [(1, 1), (4, 4), (5, 3), (9, 3)])
def test_more_samples_than_fit_go_on_below(samples, in_a_row, tmp_path):
    folder = finished(tmp_path / "one", samples)
    page = figure([Row("one", [folder])], "")
    found = [place(page, folder / f"sr_{k:02d}.png", SIDE) for k in range(samples)]
    tops, lefts = (sorted(set(numbers)) for numbers in zip(*found, strict=True))
    assert found == [(tops[k // in_a_row], lefts[k % in_a_row]) for k in range(samples)]


def test_references_stand_beside_each_other_and_rows_with_fewer_samples_leave_room(tmp_path):
    many = Row("many", [finished(tmp_path / "many" / name) for name in ("a", "bb")])
    one = Row("one", [finished(tmp_path / "one" / name, samples=1, distance=None) for name in ("a", "bb")])
    page = figure([many, one], "")
    for position in (0, 1):
        for name in ("hr.png", "sr_00.png"):
            (above, left), (below, same) = (place(page, row.folders[position] / name, SIDE) for row in (many, one))
            assert above < below and left == same
    assert place(page, many.folders[1] / "hr.png", SIDE)[1] > place(page, many.folders[0] / "sr_03.png", SIDE)[1]


def test_a_reference_without_an_original_is_shown_itself(tmp_path):
    folder = finished(tmp_path / "one", original=False)
    page = figure([Row("one", [folder])], "")
    assert place(page, folder / "lr.png", SIDE)[1] == place(page, folder / "lr.png", HALF)[1]


def test_the_margin_tells_what_was_measured(tmp_path):
    """Two figures that differ in one number differ in the margin, not over the tiles."""
    folder = finished(tmp_path / "one")
    record = json.loads((folder / "record.json").read_text())
    pages = [figure([Row("one", [folder])], "")]
    for changed in ({"diversity": {"rms": 12.0}}, {"diversity": {"rms": None}}):
        (folder / "record.json").write_text(json.dumps(record | changed))
        pages.append(figure([Row("one", [folder])], ""))
    first = np.asarray(pages[0]).astype(int)
    tiles = place(pages[0], folder / "hr.png", SIDE)[1]
    for page in pages[1:]:
        differs = np.argwhere((first != np.asarray(page)).any(axis=2))
        assert len(differs) > 0 and differs[:, 1].max() < tiles
    assert not np.array_equal(np.asarray(pages[1]), np.asarray(pages[2]))


def test_samples_that_failed_are_shown_as_such(tmp_path):
    folder = finished(tmp_path / "one", lr_psnr=None, distance=None)
    page = figure([Row("one", [folder])], "")
    top, left = place(page, folder / "sr_03.png", SIDE)
    red = np.asarray(page)[top + SIDE : top + SIDE + 20, left : left + SIDE].astype(int)
    assert ((red[..., 0] > 150) & (red[..., 1] < 80)).any()  # the colour of "failed"


def test_what_is_not_finished_is_refused_by_name(tmp_path):
    with pytest.raises(UserError, match="test_000009 is not a finished reference"):
        figure([Row("one", [tmp_path / "test_000009"])], "")


def test_a_figure_is_written_in_the_format_of_its_name(tmp_path):
    page = figure([Row("one", [finished(tmp_path / "one")])], "")
    for name, kind in (("x.png", "PNG"), ("x.jpg", "JPEG")):
        save(page, tmp_path / name)
        with Image.open(tmp_path / name) as picture:
            assert (picture.format, picture.size) == (kind, page.size)
    with pytest.raises(UserError, match="x.tiff: the name of a figure must end in .png or .jpg"):
        save(page, tmp_path / "x.tiff")


def test_rows_are_named_by_what_tells_the_runs_apart():
    def names(*runs: str) -> list[str]:
        return comparison.row_names([Path(run) for run in runs])

    assert names("out/lr_noise/seed-0", "out/pulse/seed-0") == ["lr noise", "pulse"]
    assert names("out/lr_noise/seed-0", "out/pulse/seed-1") == ["lr noise/seed-0", "pulse/seed-1"]
    assert names("out/pulse", "elsewhere/runs/pulse") == ["out/pulse", "elsewhere/runs/pulse"]
    assert names("out/pulse") == ["out/pulse"]
