import dataclasses
import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from page_pixels import contains, enlarged, places
from PIL import Image
from torch import Tensor

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.degradation.bicubic import Bicubic
from multimodal_pulse.generator import Space
from multimodal_pulse.metrics import NullLpips, evaluate
from multimodal_pulse.references.base import Reference, degraded
from multimodal_pulse.references.pixels import from_pil, load_rgb
from multimodal_pulse.results.pictures.grid import caption, film_strip, grid, made_exact
from multimodal_pulse.results.pictures.page import Page, Tile
from multimodal_pulse.results.pictures.redraw import Renderer, reference_folders, render_folder
from multimodal_pulse.results.records import ReferenceFolders
from multimodal_pulse.search.consistency import ExactConsistency, NoConsistency
from multimodal_pulse.search.outcome import Outcome, round_samples

DEGRADATION = Bicubic(4)
ABSENT = NullLpips("alex", "not there")
K = 2
EXACT = {"_target_": "multimodal_pulse.search.ExactConsistency", "rounds": 50}
SETTINGS = {"method": "masked_lr_noise", "seed": 7, "consistency": EXACT}


class TinyGenerator:
    """16 x 16 pictures from [N, 2, 3] latents and two noise maps, a different part of the picture from each."""

    sha256 = "abc"

    def synthesis(self, w_plus: Tensor, noise_maps: Sequence[Tensor] | None = None) -> Tensor:
        rows = torch.linspace(0, 1, 16).reshape(1, 1, 16, 1)
        columns = torch.linspace(-1, 1, 16).reshape(1, 1, 1, 16)
        images = 0.5 + 0.3 * w_plus[:, 0, :, None, None] * rows + 0.3 * w_plus[:, 1, :, None, None] * columns
        if noise_maps is not None:
            images = images + noise_maps[0].repeat_interleave(4, -1).repeat_interleave(4, -2) + 0.1 * noise_maps[1]
        return images


def find(name: str = "face", consistency=None, noise: bool = True, lr_noise: bool = True) -> Outcome:
    """What a search with the tiny generator might hand over; `noise` is in its synthesis, `lr_noise` on its targets."""
    generator = torch.Generator().manual_seed(0)
    reference = degraded(name, torch.rand(3, 16, 16, generator=generator), DEGRADATION)
    latents = {"w_plus": torch.randn(K, 2, 3, generator=generator)}
    maps = [0.1 * torch.randn(1, 1, 4, 4, generator=generator), torch.randn(K, 1, 16, 16, generator=generator)]
    images = TinyGenerator().synthesis(latents["w_plus"], maps if noise else None)
    if noise:
        latents |= {"noise.0": maps[0], "noise.1": maps[1]}
    mask = torch.eye(4)[None]
    exact = (consistency or NoConsistency())(images, reference.lr, DEGRADATION)
    samples, lr_before_rounding = round_samples(exact, DEGRADATION)
    return Outcome(
        reference=reference,
        targets=reference.lr + lr_noise * 0.3 * mask * torch.randn(K, 3, 4, 4, generator=generator),
        mask=mask,
        samples=samples,
        lr_before_rounding=lr_before_rounding,
        latents=latents,
        fidelity_trace=torch.ones(3, K),
        best_step=[1, 2],
        steps=3,
        seconds=1.0,
    )


def drawn(found: Outcome, reference: Reference | None = None, words: str = "") -> Image.Image:
    """The grid of an outcome, as a run draws it, or with another reference."""
    downsampled = DEGRADATION(found.samples)
    faithful = [sample.lr_psnr for sample in evaluate(found, DEGRADATION, ABSENT).records]
    given = (reference or found.reference, found.targets, found.mask)
    return grid(*given, found.samples, downsampled, faithful, words)


def blank(samples: int, decibels: list[float | None], resolution: int = 16) -> Image.Image:
    """The grid of a black reference without original, mask and noise, and of random samples."""
    reference = Reference("face", torch.zeros(3, 4, 4), None)
    images = torch.rand(samples, 3, resolution, resolution, generator=torch.Generator().manual_seed(0))
    targets, downsampled = torch.zeros(samples, 3, 4, 4), torch.zeros(samples, 3, 4, 4)
    return grid(reference, targets, None, images, downsampled, decibels, "")


def write(run_dir: Path, found: Outcome, weights_sha256: str | None = "abc") -> Path:
    scores, downsampled = evaluate(found, DEGRADATION, ABSENT), DEGRADATION(found.samples)
    picture = drawn(found, words=caption(SETTINGS, found.steps))
    folders = ReferenceFolders(run_dir, SETTINGS, ABSENT.state, weights_sha256)
    return folders.write(found, scores, downsampled, {"grid.png": picture})


def test_the_grid_shows_everything_enlarged_by_repeating_pixels():
    found = find()
    page = drawn(found)
    downsampled = DEGRADATION(found.samples)
    assert found.reference.hr is not None and found.mask is not None
    shown = [
        found.reference.lr, found.reference.hr, found.mask.expand(3, -1, -1), *found.samples, *downsampled,
        *found.targets,
    ]  # fmt: skip
    assert all(contains(page, enlarged(image, 256)) for image in shown)
    assert not contains(page, enlarged(1 - found.samples[0], 256))
    assert page.mode == "RGB" and page.getpixel((0, 0)) == (255, 255, 255)


def test_targets_are_shown_only_where_they_differ_from_the_reference():
    found = find()
    plain = find(lr_noise=False)
    unseen = dataclasses.replace(plain, targets=plain.targets + 1e-4)  # in 8 bits the same as the reference
    once = dataclasses.replace(found, targets=torch.stack([found.reference.lr, found.targets[1]]))
    heights = [drawn(dataclasses.replace(outcome, mask=None)).height for outcome in (found, once, plain, unseen)]
    assert heights[0] == heights[1] > heights[2] + 256
    assert heights[2] == heights[3]
    assert contains(drawn(once), enlarged(found.targets[1], 256))


def test_what_was_given_fills_columns_and_stands_beside_what_it_is_compared_with():
    found, plain = find(), find(lr_noise=False)
    assert found.reference.hr is not None and found.mask is not None
    blind = Reference("face", found.reference.lr, None)
    # Three tiles beside samples of three rows, three beside two rows, one beside two.
    widths = [drawn(found).width, drawn(plain).width, drawn(dataclasses.replace(plain, mask=None), blind).width]
    assert widths[0] == widths[2] < widths[1] - 256
    beside = [
        (found.reference.hr, found.samples[0]),
        (found.reference.lr, DEGRADATION(found.samples)[0]),
        (found.mask.expand(3, -1, -1), found.targets[0]),
    ]
    for given, compared in beside:
        (left_tile,), (right_tile,) = (places(drawn(found), enlarged(image, 256)) for image in (given, compared))
        assert left_tile[0] == right_tile[0] and left_tile[1] < right_tile[1]


@pytest.mark.parametrize(("samples", "columns", "rows"), [(1, 1, 1), (6, 6, 1), (9, 5, 2), (16, 6, 3)])
def test_many_samples_go_into_several_rows(samples: int, columns: int, rows: int):
    width, height = blank(samples, [30.0] * samples).size
    assert round(width / 280) == columns + 1
    assert round((height - 130) / 320) == 2 * rows  # the title and the note take about 130 pixels


def test_what_was_given_stands_beside_every_row_of_samples():
    found = find()
    reference, many = found.reference, torch.rand(9, 3, 16, 16)
    assert reference.hr is not None
    page = grid(reference, reference.lr.expand(9, -1, -1, -1), None, many, DEGRADATION(many), [30.0] * 9, "")
    tops = [top for top, _ in places(page, enlarged(reference.hr, 256))]
    assert tops == [places(page, enlarged(many[k], 256))[0][0] for k in (0, 5)]


@pytest.mark.parametrize(("resolution", "side"), [(16, 256), (128, 256), (256, 256), (512, 512), (1024, 512)])
def test_tiles_keep_pixels_whole_and_pages_small(resolution: int, side: int):
    assert 2 * side < blank(1, [30.0], resolution).width < 2.6 * side


def test_the_verdict_is_under_each_sample():
    pages = [np.asarray(blank(1, [decibels])).astype(int) for decibels in (30.0, 20.0, None)]
    differ = np.argwhere((pages[0] != pages[1]).any(axis=2) | (pages[0] != pages[2]).any(axis=2))
    (top, left), (bottom, right) = differ.min(axis=0), differ.max(axis=0)
    assert left > 256 and bottom - top < 30  # one line, right of the reference
    green, amber, red = [page[top : bottom + 1, left : right + 1] for page in pages]
    green, amber, red = [line[..., 0] - line[..., 1] for line in (green, amber, red)]
    assert green.min() < -60 and green.max() < 20
    assert amber.max() > 60 and red.max() > 120


@pytest.fixture
def tiles(monkeypatch) -> list[Tile]:
    """The tiles that are put on pages, in order."""
    seen: list[Tile] = []
    monkeypatch.setattr(Page, "put", lambda self, tile, column, row: seen.append(tile))
    return seen


def test_the_verdict_names_the_status(tiles):
    blank(3, [79.18, 26.99, None])
    assert [tile.footer for tile in tiles if tile.footer] == [
        "LR-PSNR 79.1 dB, ok",
        "LR-PSNR 26.9 dB, loose",
        "no picture, failed",
    ]


@pytest.mark.parametrize(("exact", "label"), [(True, "Kept: step 1, made exact"), (False, "Kept: step 1")])
def test_the_film_says_where_the_kept_sample_was_made_exact(tiles, exact: bool, label: str):
    found = find()
    film_strip(dataclasses.replace(found, film=found.samples[None], film_steps=[0]), [30.0, 20.0], "", exact)
    assert label in [tile.label for tile in tiles]


def test_a_failed_sample_is_black_and_left_out_of_the_spread():
    found = find()
    samples = found.samples.clone()
    samples[0] = math.nan
    page = drawn(dataclasses.replace(found, samples=samples))
    assert contains(page, np.zeros((256, 256, 3), dtype=np.uint8))
    nothing, one, other = samples[0], found.samples[0], found.samples[1]
    notes = [note(torch.stack(images)) for images in ([one, other, nothing], [one, nothing, other])]
    assert np.array_equal(*notes)
    assert not np.array_equal(notes[0], note(torch.stack([one, one, nothing])))


def note(samples: Tensor) -> np.ndarray:
    """What stands over the tiles of the grid of these samples."""
    reference = Reference("face", torch.zeros(3, 4, 4), None)
    low = torch.zeros(len(samples), 3, 4, 4)
    page = grid(reference, low, None, samples, low, [30.0] * len(samples), "")
    return np.asarray(page)[: min(top for top, _ in places(page, np.zeros((256, 256, 3), dtype=np.uint8))) - 30]


def test_the_caption_says_what_is_known():
    none = {"_target_": "multimodal_pulse.search.NoConsistency"}
    assert caption(SETTINGS, 200) == "masked_lr_noise, seed 7, 200 steps, exact consistency"
    assert caption(SETTINGS | {"seed": 0, "consistency": none}, 1) == "masked_lr_noise, seed 0, 1 step"
    assert caption({"method": "bicubic", "seed": 0, "consistency": none}, 0) == "bicubic"
    assert caption({"consistency": EXACT}, 100) == "100 steps, exact consistency"  # of an older record
    assert caption({}, 0) == ""
    assert made_exact(SETTINGS) and not made_exact({"consistency": none}) and not made_exact({})


def test_the_caption_stands_in_the_title_alone():
    found = find()
    short, long = (np.asarray(drawn(found, words=words)) for words in ("seed 0", "seed 1"))
    changed = np.argwhere((short != long).any(axis=2))
    assert len(changed) and changed[:, 0].max() < 60


def test_the_film_strip_has_a_row_per_sample_and_a_column_per_step_and_ends_with_what_was_kept():
    film = torch.rand(5, K, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    found = dataclasses.replace(find(), film=film, film_steps=[0, 10, 50, 100, 199])
    page = film_strip(found, [30.0, 20.0], "seed 0")
    assert found.reference.hr is not None
    shown = [found.reference.hr, found.reference.lr, *film.flatten(0, 1)]
    assert all(contains(page, enlarged(image, 128)) for image in shown)
    assert page.width > page.height
    last_column = page.crop((page.width - 160, 0, page.width, page.height))
    assert all(contains(last_column, enlarged(image, 128)) for image in found.samples)
    elsewhere = dataclasses.replace(found, best_step=[0, 2])
    changed = np.argwhere((np.asarray(page) != np.asarray(film_strip(elsewhere, [30.0, 20.0], "seed 0"))).any(axis=2))
    assert len(changed) and changed[:, 1].min() > page.width - 160  # the step that was kept is named there


def test_the_film_of_one_sample_takes_one_row():
    found = find()
    one = dataclasses.replace(found, samples=found.samples[:1], film=found.samples[None, :1], film_steps=[0])
    heights = [
        film_strip(outcome, [30.0, 20.0], "").height
        for outcome in (one, dataclasses.replace(found, film=found.samples[None], film_steps=[0]))
    ]
    assert heights[0] < heights[1] - 128
    assert contains(film_strip(one, [30.0], ""), enlarged(found.reference.lr, 128))


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
    again = ["grid.png", "sr_00.png", "sr_00_lr.png", "sr_01.png", "sr_01_lr.png"]
    for name in again:
        (folder / name).unlink()
    written = render_folder(folder, lambda settings: Renderer(TinyGenerator(), Space.redraw, DEGRADATION, consistency))
    assert sorted(path.name for path in written) == again
    for name, pixels in before.items():
        assert torch.equal(load_rgb(folder / name), pixels), name


def test_the_record_of_an_older_version_is_still_rendered(tmp_path: Path):
    found = find()
    folder = write(tmp_path, found)
    content = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    content["settings"] = {"generator": {}, "degradation": {}, "consistency": EXACT}
    (folder / "record.json").write_text(json.dumps(content), encoding="utf-8")
    render_folder(folder, lambda settings: Renderer(TinyGenerator(), Space.redraw, DEGRADATION, NoConsistency()))
    assert load_rgb(folder / "grid.png").equal(from_pil(drawn(found, words="3 steps, exact consistency")))


def test_rendering_elsewhere_leaves_the_folder_alone(tmp_path: Path):
    folder = write(tmp_path / "run", find())
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    output = tmp_path / "again"
    render_folder(
        folder, lambda settings: Renderer(TinyGenerator(), Space.redraw, DEGRADATION, NoConsistency()), output
    )
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
        return Renderer(TinyGenerator(), Space.redraw, DEGRADATION, NoConsistency())

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
    def load(settings) -> Renderer:
        return Renderer(TinyGenerator(), Space.redraw, DEGRADATION, NoConsistency())

    with pytest.raises(UserError, match="record.json"):
        render_folder(tmp_path, load)
    with pytest.raises(UserError, match="latents.safetensors"):
        render_folder(write(tmp_path, dataclasses.replace(find("bicubic"), latents={})), load)
    with pytest.raises(UserError, match="sha256 other"):
        render_folder(write(tmp_path, find("face"), weights_sha256="other"), load)


@pytest.mark.parametrize(
    "content", ["", "[1]", '{"reference": "face"}', '{"reference": 1, "settings": {}, "records": []}']
)
def test_a_damaged_record_is_refused(tmp_path: Path, content: str):
    folder = write(tmp_path, find())
    (folder / "record.json").write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=r"record\.json is damaged"):
        render_folder(folder, lambda settings: Renderer(TinyGenerator(), Space.redraw, DEGRADATION, NoConsistency()))
