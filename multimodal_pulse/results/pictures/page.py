"""The layout of a picture for people: a white page with a title, a note and labelled square tiles."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import accumulate

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from multimodal_pulse.references.pixels import to_pil

Ink = tuple[int, int, int]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

INK: Ink = (28, 28, 30)
GOOD: Ink = (22, 110, 58)
WARNING: Ink = (176, 88, 0)
BAD: Ink = (184, 28, 28)
_GRAY: Ink = (112, 112, 118)
_LINE: Ink = (205, 205, 210)


@dataclass(frozen=True)
class Tile:
    """One image of a page with its texts.

    Attributes:
        label: the text above the image.
        image: [3, H, W] in [0, 1]; NaN is black.
        footers: the lines below the image, each with its colour; the parts of a line before and after a tab stand at
            the left and the right. At most as many as the page has room for.
        bar: [3, 1, N] in [0, 1], colours drawn across the tile in the place of the first footer; None: no such bar.
        small: at most two further tiles, drawn below the footers with half the side, in a row that has room for them.
    """

    label: str
    image: Tensor
    footers: Sequence[tuple[str, Ink]] = ()
    bar: Tensor | None = None
    small: Sequence["Tile"] = ()


class Page:
    """A white page of square tiles below a title and a note; all lengths are proportional to the side of a tile.

    Args:
        side: the side of a tile in pixels.
        columns, rows: the number of columns and rows of tiles.
        gutters: the columns with a wider gap on their left.
        title, note: the text above the tiles, wrapped to the width of the page.
        warnings: sentences below the title that should not be missed, each on lines of its own.
        margin: the width of the space on the left for the names of rows, in pixels.
        footers: the number of lines below a tile.
        small: the rows whose tiles have small tiles.

    Attributes:
        image: the RGB picture drawn so far.
    """

    def __init__(
        self,
        side: int,
        columns: int,
        rows: int,
        gutters: Collection[int],
        title: str,
        note: str,
        warnings: Sequence[str] = (),
        margin: int = 0,
        footers: int = 1,
        small: Collection[int] = (),
    ) -> None:
        self._side, self._gutters, self._margin, self._footers = side, gutters, margin, footers
        self._size = max(12, side // 14)
        self._line = round(self._size * 1.45)
        self._gap = max(8, side // 20)
        height = (1 + footers) * self._line + side + self._gap
        heights = [height + (row in small) * (self._line + side // 2 + self._gap) for row in range(rows)]
        width = self._left(columns - 1) + side + 2 * self._gap

        inside = width - 4 * self._gap
        texts = [(line, INK, 1.4) for line in _lines([title], 1.4 * self._size, inside)]
        texts += [(line, WARNING, 1.0) for line in _lines(warnings, self._size, inside)]
        texts += [(line, _GRAY, 1.0) for line in _lines([note], self._size, inside)]
        of_lines = (round(self._line * (1.5 if scale > 1 else 1)) for _, _, scale in texts)
        *starts, end = accumulate(of_lines, initial=3 * self._gap // 2)
        self._tops = list(accumulate(heights, initial=end + self._line // 4 + self._gap))
        self.image = Image.new("RGB", (width, self._tops[-1] + self._gap), "white")
        self._draw = ImageDraw.Draw(self.image)
        for top, (line, ink, scale) in zip(starts, texts, strict=True):
            self._draw.text((2 * self._gap, top), line, ink, ImageFont.load_default(scale * self._size))

    def put(self, tile: Tile, column: int, row: int) -> None:
        """Draws a tile in a column and row, from 0; a label or footer that is too long is drawn smaller."""
        left, top = self._left(column), self._tops[row]
        self._pictures([tile], left, top, self._side)
        below = top + self._line + self._side + self._line // 6
        if tile.bar is not None:
            strip = to_pil(tile.bar).resize((self._side, self._line // 2), Image.Resampling.NEAREST)
            self.image.paste(strip, (left, below + self._line // 6))
            below += self._line
        for text, ink in tile.footers:
            font = _font(text, self._size, self._side)
            start, _, end = text.partition("\t")
            self._draw.text((left, below), start, ink, font)
            self._draw.text((left + self._side, below), end, ink, font, anchor="ra")
            below += self._line
        top += (1 + self._footers) * self._line + self._side + self._gap // 2
        self._pictures(tile.small, left, top, self._side // 2)

    def _pictures(self, tiles: Sequence[Tile], left: int, top: int, side: int) -> None:
        """Draws labels and pictures side by side, each a square of `side` pixels, in one frame."""
        below = top + self._line
        if tiles:
            self._draw.rectangle((left - 1, below - 1, left + len(tiles) * side, below + side), outline=_LINE)
        for place, tile in enumerate(tiles):
            start = left + place * side
            self._draw.text((start, top), tile.label, INK, _font(tile.label, self._size, side))
            self.image.paste(_resized(tile.image, side), (start, below))

    def name(self, row: int, title: str, lines: Sequence[str]) -> None:
        """Writes a title and lines of text into the margin of a row, from 0."""
        top = self._tops[row] + self._line
        inside = self._margin - 2 * self._gap
        for texts, size, ink in (([title], 1.1 * self._size, INK), (lines, self._size, _GRAY)):
            for line in _lines(texts, size, inside):
                self._draw.text((2 * self._gap, top), line, ink, ImageFont.load_default(size))
                top += round(1.45 * size)

    def _left(self, column: int) -> int:
        wider = sum(column >= gutter for gutter in self._gutters)
        return self._margin + 2 * self._gap + column * (self._side + self._gap) + wider * 2 * self._gap


def tile_side(resolution: int, wanted: int, most: int) -> int:
    """Returns the side of a tile: the resolution, enlarged by an integer up to `wanted` or divided by one to `most`."""
    return resolution * max(1, wanted // resolution) // max(1, resolution // most)


def _resized(image: Tensor, side: int) -> Image.Image:
    """Draws [3, H, W] as a square of `side` pixels: pixels are repeated to enlarge it and averaged to reduce it."""
    picture = to_pil(image)
    enlarge = side >= picture.width
    return picture.resize((side, side), Image.Resampling.NEAREST if enlarge else Image.Resampling.BOX)


def _font(text: str, size: float, width: int) -> Font:
    """Returns Pillow's default font at `size`, or smaller if `text` would be wider than `width` pixels."""
    font = ImageFont.load_default(size)
    length = font.getlength(f"{text} ")  # so that it does not touch the next text
    return font if length <= width else ImageFont.load_default(size * width / length)


def _lines(texts: Sequence[str], size: float, width: int) -> list[str]:
    """Splits texts, each of which begins a new line, in Pillow's default font at `size`; see `wrapped`."""
    font = ImageFont.load_default(size)
    return [line for text in texts for line in wrapped(text, font, width)]


def wrapped(text: str, font: Font, width: int) -> list[str]:
    """Splits `text` into lines of at most `width` pixels; a longer word, such as a file name, is broken."""
    lines: list[str] = []
    for word in text.split():
        longer = " ".join([*lines[-1:], word])
        if font.getlength(longer) <= width:
            lines[-1:] = [longer]
            continue
        lines.append("")
        for character in word:
            if font.getlength(lines[-1] + character) <= width:
                lines[-1] += character
            else:
                lines.append(character)
    return lines
