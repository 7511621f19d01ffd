import dataclasses
import math
from statistics import fmean

import numpy as np
import pytest
import torch
from page_pixels import contains, enlarged, places
from PIL import Image
from tiny_outcome import ABSENT, DEGRADATION, EXACT, SETTINGS, K, drawn, find, shown
from torch import Tensor

from multimodal_pulse.metrics import evaluate
from multimodal_pulse.references.base import Reference
from multimodal_pulse.references.held import Held
from multimodal_pulse.references.pixels import quantise
from multimodal_pulse.results.pictures.film import film_strip
from multimodal_pulse.results.pictures.grid import Words, caption, grid, made_exact, pages
from multimodal_pulse.results.pictures.page import Page, Tile
from multimodal_pulse.results.pictures.spread import spread_picture, spread_tile
from multimodal_pulse.results.pictures.verdict import Verdict, counted


def blank(samples: int, verdicts: list[Verdict], resolution: int = 16, words: Words | None = None) -> Image.Image:
    """The grid of a black reference without original, mask and noise, and of random samples."""
    reference = Reference("face", torch.zeros(3, resolution // 4, resolution // 4), None)
    images = torch.rand(samples, 3, resolution, resolution, generator=torch.Generator().manual_seed(0))
    targets = torch.zeros(samples, *reference.lr.shape)
    return grid(reference, targets, None, images, DEGRADATION, verdicts, words or Words())


FAITHFUL = Verdict(30.0)


def test_the_grid_shows_everything_by_repeating_pixels():
    found = find()
    page = drawn(found)
    assert found.reference.hr is not None and found.mask is not None
    mean = found.samples.mean(dim=0)
    large = [found.reference.lr, found.reference.hr, found.mask.expand(3, -1, -1), mean, *found.samples]
    small = [*DEGRADATION(found.samples), *found.targets]
    assert all(contains(page, enlarged(image, 256)) for image in large)
    assert all(contains(page, enlarged(image, 128)) for image in small)
    assert not contains(page, enlarged(1 - found.samples[0], 256))
    assert page.mode == "RGB" and page.getpixel((0, 0)) == (255, 255, 255)


def test_targets_are_shown_only_where_they_differ_from_the_reference():
    found = find()
    plain = find(lr_noise=False)
    unseen = dataclasses.replace(plain, targets=plain.targets + 1e-4)  # in 8 bits the same as the reference
    once = dataclasses.replace(found, targets=torch.stack([found.reference.lr, found.targets[1]]))
    reference = enlarged(found.reference.lr, 128)
    # As large as a tile of what was fitted to, the reference stands on the page only where it was that itself.
    assert [contains(drawn(outcome), reference) for outcome in (found, plain, unseen)] == [False] * 3
    assert contains(drawn(once), reference) and contains(drawn(once), enlarged(found.targets[1], 128))


def test_few_tiles_stand_in_one_row_and_samples_of_more_in_rows_of_their_own():
    found = dataclasses.replace(find(lr_noise=False), mask=None)
    assert found.reference.hr is not None
    tops = tops_and_lefts(drawn(found), [found.reference.hr, found.reference.lr, found.samples.mean(0), *found.samples])
    assert len({top for top, _ in tops}) == 1 and [left for _, left in tops] == sorted({left for _, left in tops})

    masked = find(lr_noise=False)
    assert masked.mask is not None
    (first, *_, second), (third, _) = (
        [top for top, _ in tops_and_lefts(drawn(masked), images)]
        for images in ([masked.reference.lr, masked.mask.expand(3, -1, -1)], masked.samples)
    )
    assert first == second < third - 256


def tops_and_lefts(page: Image.Image, images) -> list[tuple[int, int]]:
    """Where each picture stands, each once and 256 pixels wide."""
    found = [places(page, enlarged(image, 256)) for image in images]
    assert [len(of_image) for of_image in found] == [1] * len(found)
    return [place for (place,) in found]


@pytest.mark.parametrize(
    ("samples", "columns", "rows"), [(4, 4, 1), (6, 6, 1), (8, 4, 2), (9, 5, 2), (16, 6, 3), (64, 11, 6)]
)
def test_many_samples_go_into_several_rows(monkeypatch, samples: int, columns: int, rows: int):
    seen: dict[str, tuple[int, int]] = {}
    monkeypatch.setattr(Page, "put", lambda self, tile, column, row: seen.update({tile.label: (column, row)}))
    blank(samples, [FAITHFUL] * samples)
    places = [seen[f"Sample {k}"] for k in range(samples)]
    assert len(seen) == samples + 3 and len(set(seen.values())) == len(seen)  # what was given stands there once
    assert {column for column, _ in places} == set(range(columns))
    assert {row for _, row in places} == set(range(1, rows + 1))


def test_the_page_of_many_samples_stays_small_and_about_square():
    width, height = blank(64, [FAITHFUL] * 64).size
    assert max(width, height) < 2000 and 0.7 < width / height < 1.4


@pytest.mark.parametrize(("resolution", "side"), [(16, 256), (128, 256), (256, 256), (512, 512), (1024, 512)])
def test_tiles_keep_pixels_whole_and_pages_small(resolution: int, side: int):
    assert 2 * side < blank(1, [FAITHFUL], resolution).width < 2.6 * side


def test_the_verdict_is_under_each_sample():
    pages = [np.asarray(blank(1, [Verdict(decibels)])).astype(int) for decibels in (30.0, 20.0, None)]
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


def footers(tiles: list[Tile]) -> list[list[str]]:
    """The lines under each sample."""
    return [[text for text, _ in tile.footers] for tile in tiles if tile.label.startswith("Sample")]


def test_the_verdict_says_whether_a_sample_is_faithful_and_whether_it_looks_like_its_domain(tiles):
    verdicts = [Verdict(79.18, True), Verdict(26.99, False), Verdict(None), Verdict(30.0)]
    blank(4, verdicts, words=Words(domain="rendered portraits"))
    assert footers(tiles) == [
        ["faithful, 79.1 dB", "like rendered portraits"],
        ["not faithful, 26.9 dB", "unlike rendered portraits"],
        ["failed, no picture"],
        ["faithful, 30.0 dB"],
    ]
    assert len({ink for tile in tiles[-4:] for _, ink in tile.footers}) == 3


def test_the_mean_has_its_faithfulness_and_its_gain_under_it(tiles):
    found = find(lr_noise=False)
    drawn(found)
    [mean] = [tile for tile in tiles if tile.label == "Mean of the 2 samples"]
    low = DEGRADATION(quantise(found.samples.mean(dim=0)))
    exact, of_mean = -10 * (low - found.reference.lr).square().mean().log10(), evaluate(found, DEGRADATION, ABSENT)
    of_samples = fmean(record.psnr or math.nan for record in of_mean.records)
    assert mean.footers[0][0] == f"not faithful, {math.floor(10 * exact) / 10:.1f} dB"
    assert mean.footers[1][0] == f"PSNR {of_mean.mean_image_psnr:.1f} dB, samples {of_samples:.1f} dB"


def test_one_sample_has_no_mean_and_no_spread(tiles):
    reference, targets, mask, samples, _, verdicts = shown(find())
    drawn_of_one = pages(reference, targets[:1], mask, samples[:1], DEGRADATION, verdicts[:1], Words())
    assert list(drawn_of_one) == ["grid.png"]
    assert [tile.label for tile in tiles] == ["Original", "Reference, 4 x 4", "Mask: noise where white", "Sample 0"]


def test_the_spread_is_bright_where_samples_differ_and_its_scale_says_by_how_much(tiles):
    samples = torch.full((4, 3, 16, 16), 0.5)
    samples[:2, :, 4:8] += 10 / 255
    samples[2:, :, 4:8] -= 10 / 255  # a standard deviation of 20 / sqrt(3) = 11.5 grey levels
    tile = spread_tile(samples)
    assert tile.label == "Where the 4 samples differ"
    assert [text for text, _ in tile.footers] == ["0\t16 grey levels or more"]
    brightness = tile.image.mean(dim=0)
    assert brightness[:4].max() < 0.02 < 0.4 < brightness[4:8].min()
    assert tile.bar is not None and (tile.bar.mean(dim=0)[0].diff() >= 0).all()
    # The colour is that of the bar at 11.5 of 16.
    place = round(255 * 20 / 3**0.5 / 16)
    assert torch.allclose(tile.image[:, 5, 5], tile.bar[:, 0, place], atol=0.02)
    spread_tile(samples[:2])
    assert [spread_picture(other).end for other in (0.1 * samples, 0.5 + 10 * (samples - 0.5))] == [8, 128]


def test_the_remark_above_says_how_many_samples_are_not_faithful_where_it_is_not_all():
    why = "Not faithful, because the method did not."
    loose, failed = Verdict(20.0), Verdict(None)
    assert counted([why, "Another."], [loose, FAITHFUL, FAITHFUL, failed]) == [
        "1 of 4 samples is not faithful, because the method did not.", "Another.",
    ]  # fmt: skip
    assert counted([why], [loose, loose, FAITHFUL]) == ["2 of 3 samples are not faithful, because the method did not."]
    assert counted([why], [loose, loose]) == counted([why], [loose]) == [why]


def test_remarks_stand_above_the_tiles_in_a_colour_of_their_own():
    plain, remarked = (np.asarray(blank(1, [FAITHFUL], words=Words(remarks=some))) for some in ((), ("A remark.",)))
    line = remarked.shape[0] - plain.shape[0]
    orange = [page[..., 0].astype(int) - page[..., 2] > 100 for page in (plain, remarked)]
    below_title = 57
    assert not orange[0][: below_title + line].any() and orange[1][below_title : below_title + line].any()
    assert 0 < line < 30 and np.array_equal(plain[below_title:], remarked[below_title + line :])


@pytest.mark.parametrize(("exact", "label"), [(True, "Kept: step 1, made exact"), (False, "Kept: step 1")])
def test_the_film_says_where_the_kept_sample_was_made_exact(tiles, exact: bool, label: str):
    found = find()
    filmed = dataclasses.replace(found, film=found.samples[None], film_steps=[0])
    film_strip(filmed, [Verdict(30.0), Verdict(20.0)], Words(exact=exact))
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
    page = grid(reference, low, None, samples, DEGRADATION, [FAITHFUL] * len(samples), Words())
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


FILM_VERDICTS = [Verdict(30.0), Verdict(20.0)]


def test_the_film_strip_has_a_row_per_sample_and_a_column_per_step_and_ends_with_what_was_kept():
    film = torch.rand(5, K, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    found = dataclasses.replace(find(), film=film, film_steps=[0, 10, 50, 100, 199])
    page = film_strip(found, FILM_VERDICTS, Words("seed 0"))
    assert found.reference.hr is not None
    shown = [found.reference.hr, found.reference.lr, *film.flatten(0, 1)]
    assert all(contains(page, enlarged(image, 128)) for image in shown)
    assert page.width > page.height
    last_column = page.crop((page.width - 160, 0, page.width, page.height))
    assert all(contains(last_column, enlarged(image, 128)) for image in found.samples)
    elsewhere = dataclasses.replace(found, best_step=[0, 2])
    changed = np.argwhere(
        (np.asarray(page) != np.asarray(film_strip(elsewhere, FILM_VERDICTS, Words("seed 0")))).any(axis=2)
    )
    assert len(changed) and changed[:, 1].min() > page.width - 160  # the step that was kept is named there


def test_the_film_of_one_sample_takes_one_row():
    found = find()
    one = dataclasses.replace(found, samples=found.samples[:1], film=found.samples[None, :1], film_steps=[0])
    heights = [
        film_strip(outcome, FILM_VERDICTS, Words()).height
        for outcome in (one, dataclasses.replace(found, film=found.samples[None], film_steps=[0]))
    ]
    assert heights[0] < heights[1] - 128
    assert contains(film_strip(one, FILM_VERDICTS[:1], Words()), enlarged(found.reference.lr, 128))


def test_the_parent_of_samples_is_shown_with_the_border_of_what_may_change():
    parent = quantise(0.3 + 0.4 * torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(0)))
    mask = torch.zeros(1, 16, 16)
    mask[:, 3:12, 0:9] = 1
    expected = parent.clone()  # the mask goes on beyond the picture: no border on the left
    for inset, colour in ((0, 1.0), (1, 0.0)):
        top, bottom, right = 3 + inset, 11 - inset, 8 - inset
        expected[:, [top, bottom], : right + 1] = expected[:, top : bottom + 1, right] = colour
    reference = Reference("face", torch.zeros(3, 4, 4), None, held=Held(parent, mask))
    page = grid(reference, torch.zeros(1, 3, 4, 4), None, parent[None], DEGRADATION, [FAITHFUL], Words())
    assert contains(page, enlarged(expected, 256))
    assert not contains(blank(1, [FAITHFUL]), enlarged(expected, 256))
