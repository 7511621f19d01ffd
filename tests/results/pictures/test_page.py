import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from page_pixels import enlarged, places
from PIL import ImageFont

from multimodal_pulse.results.pictures.page import INK, Page, Tile, tile_side, wrapped


@given(st.text("abc .", max_size=60), st.integers(40, 200))
def test_lines_keep_the_text_and_the_width(text: str, width: int):
    font = ImageFont.load_default(12)
    lines = wrapped(text, font, width)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(line.strip() == line != "" and font.getlength(line) <= width for line in lines)


def test_lines_break_between_words_and_only_long_words_inside():
    font = ImageFont.load_default(12)
    width = round(font.getlength("a few words"))
    assert wrapped("a few words that follow", font, width) == ["a few words", "that follow"]
    assert len(wrapped("m" * 40, font, width)) > 2
    assert wrapped("", font, width) == []


@pytest.mark.parametrize(
    ("resolution", "wanted", "most", "side"),
    [(16, 256, 512, 256), (100, 256, 512, 200), (300, 256, 512, 300), (1024, 256, 512, 512), (1024, 128, 128, 128)],
)
def test_tiles_are_whole_multiples_or_parts(resolution: int, wanted: int, most: int, side: int):
    assert tile_side(resolution, wanted, most) == side


def test_text_moves_the_tiles_down_and_never_covers_them():
    tops = []
    for note in ("", "a note " * 10, "a note " * 60):
        page = Page(64, columns=2, rows=1, gutters=[1], title="a title", note=note)
        before = np.asarray(page.image).copy()
        page.put(Tile("", torch.zeros(3, 8, 8)), column=0, row=0)
        after = np.asarray(page.image)
        changed = np.argwhere((before != after).any(axis=2))
        top, left = changed.min(axis=0)
        assert (before[top:] == 255).all()
        tops.append(int(top))
    assert tops == sorted(tops) and len(set(tops)) == 3


def test_a_gutter_moves_its_column_and_those_after_it():
    lefts = []
    for gutters in ([], [1], [1, 2]):
        page = Page(64, columns=3, rows=1, gutters=gutters, title="", note="")
        page.put(Tile("", torch.zeros(3, 8, 8)), column=2, row=0)
        lefts.append(int(np.argwhere((np.asarray(page.image) < 128).all(axis=2)).min(axis=0)[1]))
        assert page.image.width - lefts[-1] - 64 == lefts[0] - 2 * (64 + 8)
    assert lefts[1] - lefts[0] == lefts[2] - lefts[1] > 0


def test_labels_too_long_for_a_tile_do_not_reach_the_next():
    page = Page(64, columns=2, rows=1, gutters=[], title="", note="")
    page.put(
        Tile("a label much too long for one tile", torch.ones(3, 8, 8), [("and a footer as long as that", INK)]), 0, 0
    )
    inked = np.argwhere((np.asarray(page.image) < 128).all(axis=2))
    assert inked[:, 1].max() < 16 + 64 + 8  # where the next tile begins


def test_only_rows_with_small_tiles_have_room_for_them():
    heights = [
        Page(64, columns=1, rows=3, gutters=[], title="", note="", small=small).image.height
        for small in ([], [1], [1, 2])
    ]
    assert heights[2] - heights[1] == heights[1] - heights[0] > 32
    page = Page(64, columns=2, rows=2, gutters=[], title="", note="", small=[1])
    half = torch.rand(2, 3, 8, 8)
    page.put(Tile("", torch.zeros(3, 8, 8), small=[Tile("", image) for image in half]), column=0, row=1)
    ((top, left),), ((other_top, other_left),) = (places(page.image, enlarged(image, 32)) for image in half)
    assert (other_top, other_left) == (top, left + 32) and top + 32 < page.image.height


def test_a_bar_spans_the_tile_and_the_parts_of_a_footer_stand_at_its_ends():
    page = Page(64, columns=1, rows=1, gutters=[], title="", note="", footers=2)
    blank = np.asarray(page.image).copy()
    page.put(
        Tile("", torch.ones(3, 8, 8), [("0\t9", INK)], torch.tensor([1.0, 0, 0])[:, None, None].expand(3, 1, 4)), 0, 0
    )
    pixels = np.asarray(page.image)
    red = np.argwhere((pixels == [255, 0, 0]).all(axis=2))
    assert red[:, 1].min() == 16 and red[:, 1].max() == 16 + 63
    inked = np.argwhere((pixels < 128).all(axis=2) & (blank == 255).all(axis=2))
    assert inked[:, 0].min() > red[:, 0].max() and inked[:, 1].min() < 24 and inked[:, 1].max() > 16 + 56
