import dataclasses
import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from multimodal_pulse.consistency import ExactConsistency, NoConsistency
from multimodal_pulse.degradation import Degradation
from multimodal_pulse.errors import UserError
from multimodal_pulse.metrics import NullLpips, evaluate
from multimodal_pulse.outcome import Outcome
from multimodal_pulse.pictures import Renderer, film_strip, grid, render_folder
from multimodal_pulse.records import Records
from multimodal_pulse.references.base import Reference, degraded
from multimodal_pulse.references.images import load_rgb, quantise, to_uint8

DEGRADATION = Degradation(4)
ABSENT = NullLpips("alex", "not there")
K = 2


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


def find(name: str = "face", consistency=None, noise: bool = True) -> Outcome:
    """What a search with the tiny generator might hand over."""
    generator = torch.Generator().manual_seed(0)
    reference = degraded(name, torch.rand(3, 16, 16, generator=generator), DEGRADATION)
    latents = {"w_plus": torch.randn(K, 2, 3, generator=generator)}
    maps = [0.1 * torch.randn(1, 1, 4, 4, generator=generator), torch.randn(K, 1, 16, 16, generator=generator)]
    images = TinyGenerator().synthesis(latents["w_plus"], maps if noise else None)
    if noise:
        latents |= {"noise.0": maps[0], "noise.1": maps[1]}
    return Outcome(
        reference=reference,
        targets=reference.lr.repeat(K, 1, 1, 1),
        mask=torch.eye(4)[None],
        samples=(consistency or NoConsistency())(images, reference.lr, DEGRADATION),
        latents=latents,
        fidelity_trace=torch.ones(3, K),
        best_step=[1, 2],
        steps=3,
        seconds=1.0,
    )


def record(run_dir: Path, found: Outcome, weights_sha256: str | None = "abc") -> Path:
    scores, downsampled = evaluate(found, DEGRADATION, ABSENT), DEGRADATION(quantise(found.samples))
    picture = grid(
        found.reference, found.samples, downsampled, [sample.lr_psnr for sample in scores.records], found.mask
    )
    return Records(run_dir, {}, ABSENT.state, weights_sha256).write(found, scores, downsampled, {"grid.png": picture})


def contains(page: Image.Image, tile: np.ndarray) -> bool:
    """Whether `tile` [h, w, 3] stands somewhere on the page, pixel for pixel."""
    pixels, wanted = packed(np.asarray(page)), packed(tile)
    height, width = wanted.shape
    rows, columns = np.nonzero(pixels[: 1 - height or None, : 1 - width or None] == wanted[0, 0])
    for row, column in np.random.default_rng(0).integers((height, width), size=(40, 2)):
        seen = pixels[rows + row, columns + column] == wanted[row, column]
        rows, columns = rows[seen], columns[seen]
    return any(
        np.array_equal(pixels[top : top + height, left : left + width], wanted)
        for top, left in zip(rows, columns, strict=True)
    )


def packed(pixels: np.ndarray) -> np.ndarray:
    """[H, W, 3] as one number per pixel."""
    return pixels.astype(np.int32) @ np.array([1, 256, 65536], dtype=np.int32)


def enlarged(image: Tensor, side: int) -> np.ndarray:
    factor = side // image.shape[-1]
    return to_uint8(image).permute(1, 2, 0).numpy().repeat(factor, 0).repeat(factor, 1)


def test_the_grid_shows_everything_enlarged_by_repeating_pixels():
    found = find()
    downsampled = DEGRADATION(found.samples)
    page = grid(found.reference, found.samples, downsampled, [30.0, 20.0], found.mask)
    assert found.reference.hr is not None and found.mask is not None
    shown = [found.reference.lr, found.reference.hr, found.mask.expand(3, -1, -1), *found.samples, *downsampled]
    assert all(contains(page, enlarged(image, 256)) for image in shown)
    assert not contains(page, enlarged(1 - found.samples[0], 256))
    assert page.mode == "RGB" and page.getpixel((0, 0)) == (255, 255, 255)


def test_columns_that_do_not_exist_take_no_place():
    found = find()
    downsampled = DEGRADATION(found.samples)
    blind = Reference("face", found.reference.lr, None)
    widths = [
        grid(found.reference, found.samples, downsampled, [30.0, 20.0], found.mask).width,
        grid(found.reference, found.samples, downsampled, [30.0, 20.0]).width,
        grid(blind, found.samples, downsampled, [30.0, 20.0]).width,
    ]
    assert widths[0] - widths[1] == widths[1] - widths[2] >= 256


@pytest.mark.parametrize(("samples", "columns", "rows"), [(1, 1, 1), (6, 6, 1), (9, 5, 2), (16, 6, 3)])
def test_many_samples_go_into_several_rows(samples: int, columns: int, rows: int):
    blind = Reference("face", torch.zeros(3, 4, 4), None)
    size = grid(blind, torch.rand(samples, 3, 16, 16), torch.rand(samples, 3, 4, 4), [30.0] * samples).size
    assert round(size[0] / 280) == columns + 1
    assert round(size[1] / 320) == 2 * rows


@pytest.mark.parametrize(("resolution", "side"), [(16, 256), (128, 256), (256, 256), (512, 512), (1024, 512)])
def test_tiles_keep_pixels_whole_and_pages_small(resolution: int, side: int):
    blind = Reference("face", torch.zeros(3, 4, 4), None)
    samples = torch.rand(1, 3, resolution, resolution)
    assert 2 * side < grid(blind, samples, torch.rand(1, 3, 4, 4), [30.0]).width < 2.6 * side


def test_the_verdict_is_under_each_sample():
    blind = Reference("face", torch.zeros(3, 4, 4), None)
    arguments = blind, torch.zeros(1, 3, 16, 16), torch.zeros(1, 3, 4, 4)
    pages = [np.asarray(grid(*arguments, [decibels])).astype(int) for decibels in (30.0, 20.0, None)]
    green, amber, red = [page[..., 0] - page[..., 1] for page in pages]
    assert green.min() < -60 and green.max() < 20
    assert amber.max() > 60 and red.max() > 120
    assert np.array_equal(pages[0][:300, :280], pages[1][:300, :280])


def test_a_failed_sample_is_black_and_the_page_is_still_drawn():
    found = find()
    samples = found.samples.clone()
    samples[0] = math.nan
    page = grid(found.reference, samples, DEGRADATION(samples), [None, 30.0], None)
    assert contains(page, np.zeros((256, 256, 3), dtype=np.uint8))


def test_the_film_strip_has_a_row_per_sample_and_a_column_per_step():
    film = torch.rand(5, 3, 3, 16, 16)
    page = film_strip("face", film, [0, 10, 50, 100, 199])
    assert all(contains(page, enlarged(film[frame, sample], 128)) for frame in range(5) for sample in range(3))
    assert page.width > page.height


@pytest.mark.parametrize("noise", [True, False])
@pytest.mark.parametrize("consistency", [NoConsistency(), ExactConsistency(rounds=50)])
def test_rendering_draws_the_same_pictures_again(tmp_path: Path, consistency, noise: bool):
    folder = record(tmp_path, find(consistency=consistency, noise=noise))
    before = {path.name: load_rgb(path) for path in folder.glob("*.png")}
    drawn = ["grid.png", "sr_00.png", "sr_00_lr.png", "sr_01.png", "sr_01_lr.png"]
    for name in drawn:
        (folder / name).unlink()
    written = render_folder(folder, lambda settings: Renderer(TinyGenerator(), DEGRADATION, consistency))
    assert sorted(path.name for path in written) == drawn
    for name, pixels in before.items():
        assert torch.equal(load_rgb(folder / name), pixels), name


def test_rendering_elsewhere_leaves_the_folder_alone(tmp_path: Path):
    folder = record(tmp_path / "run", find())
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    output = tmp_path / "again"
    render_folder(folder, lambda settings: Renderer(TinyGenerator(), DEGRADATION, NoConsistency()), output)
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    assert (output / "grid.png").read_bytes() == (folder / "grid.png").read_bytes()


def test_the_renderer_is_made_from_what_the_record_says(tmp_path: Path):
    found = find()
    scores = evaluate(found, DEGRADATION, ABSENT)
    settings = {"generator": {"path": "weights"}}
    folder = Records(tmp_path, settings, ABSENT.state).write(found, scores, DEGRADATION(found.samples), {})
    seen = []

    def load(given) -> Renderer:
        seen.append(given)
        return Renderer(TinyGenerator(), DEGRADATION, NoConsistency())

    render_folder(folder, load)
    assert seen == [settings]
    assert json.loads((folder / "record.json").read_text())["weights_sha256"] is None


def test_what_cannot_be_rendered_is_refused(tmp_path: Path):
    def load(settings) -> Renderer:
        return Renderer(TinyGenerator(), DEGRADATION, NoConsistency())

    with pytest.raises(UserError, match="record.json"):
        render_folder(tmp_path, load)
    with pytest.raises(UserError, match="latents.safetensors"):
        render_folder(record(tmp_path, dataclasses.replace(find("bicubic"), latents={})), load)
    with pytest.raises(UserError, match="sha256 other"):
        render_folder(record(tmp_path, find("face"), weights_sha256="other"), load)
