"""The layout of a picture for people: a white page with a title, a note and labelled square tiles."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from multimodal_pulse.references.pixels import to_pil

Ink = tuple[int, int, int]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

INK: Ink = (28, 28, 30)
_GRAY: Ink = (112, 112, 118)
_LINE: Ink = (205, 205, 210)


@dataclass(frozen=True)
class Tile:
    """One image of a page with its texts.

    Attributes:
        label: the text above the image.
        image: [3, H, W] in [0, 1]; NaN is black.
        footer: the text below the image.
        footer_ink: the colour of the footer.
        small: at most two further images, drawn below the footer with half the side, on a page with `small=True`.
    """

    label: str
    image: Tensor
    footer: str = ""
    footer_ink: Ink = INK
    small: Sequence[Tensor] = ()


class Page:
    """A white page of square tiles below a title and a note; all lengths are proportional to the side of a tile.

    Args:
        side: the side of a tile in pixels.
        columns, rows: the number of columns and rows of tiles.
        gutters: the columns with a wider gap on their left.
        title, note: the text above the tiles, wrapped to the width of the page.
        margin: the width of the space on the left for the names of rows, in pixels.
        small: whether tiles have small images.

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
        margin: int = 0,
        small: bool = False,
    ) -> None:
        self._side, self._gutters, self._margin = side, gutters, margin
        self._size = max(12, side // 14)
        self._line = round(self._size * 1.45)
        self._gap = max(8, side // 20)
        self._pitch = 2 * self._line + side + self._gap + small * (side // 2 + self._gap)
        width = self._left(columns - 1) + side + 2 * self._gap

        inside = width - 4 * self._gap
        title_font, note_font = ImageFont.load_default(self._size * 1.4), ImageFont.load_default(self._size)
        titles, notes = wrapped(title, title_font, inside), wrapped(note, note_font, inside)
        notes_top = 3 * self._gap // 2 + round(1.5 * self._line) * len(titles) + self._line // 4
        self._head = notes_top + self._line * len(notes) + self._gap
        self.image = Image.new("RGB", (width, self._head + rows * self._pitch + self._gap), "white")
        self._draw = ImageDraw.Draw(self.image)
        for number, line in enumerate(titles):
            top = 3 * self._gap // 2 + round(1.5 * self._line) * number
            self._draw.text((2 * self._gap, top), line, INK, title_font)
        for number, line in enumerate(notes):
            self._draw.text((2 * self._gap, notes_top + self._line * number), line, _GRAY, note_font)

    def put(self, tile: Tile, column: int, row: int) -> None:
        """Draws a tile in a column and row, from 0; a label or footer that is too long is drawn smaller."""
        left, top = self._left(column), self._head + row * self._pitch
        self._draw.text((left, top), tile.label, INK, _font(tile.label, self._size, self._side))
        self.image.paste(_picture(tile.image, self._side), (left, top + self._line))
        corner = (left + self._side, top + self._line + self._side)
        self._draw.rectangle((left - 1, top + self._line - 1, *corner), outline=_LINE)
        below = top + self._line + self._side + self._line // 6
        self._draw.text((left, below), tile.footer, tile.footer_ink, _font(tile.footer, self._size, self._side))
        half = self._side // 2
        top += 2 * self._line + self._side + self._gap // 2
        if tile.small:
            self._draw.rectangle((left - 1, top - 1, left + len(tile.small) * half, top + half), outline=_LINE)
        for place, image in enumerate(tile.small):
            self.image.paste(_picture(image, half), (left + place * half, top))

    def name(self, row: int, title: str, lines: Sequence[str]) -> None:
        """Writes a title and lines of text into the margin of a row, from 0."""
        top = self._head + row * self._pitch + self._line
        inside = self._margin - 2 * self._gap
        for texts, size, ink in (([title], 1.1 * self._size, INK), (lines, self._size, _GRAY)):
            font = ImageFont.load_default(size)
            for line in (line for text in texts for line in wrapped(text, font, inside)):
                self._draw.text((2 * self._gap, top), line, ink, font)
                top += round(1.45 * size)

    def _left(self, column: int) -> int:
        wider = sum(column >= gutter for gutter in self._gutters)
        return self._margin + 2 * self._gap + column * (self._side + self._gap) + wider * 2 * self._gap


def tile_side(resolution: int, wanted: int, most: int) -> int:
    """Returns the side of a tile: the resolution, enlarged by an integer up to `wanted` or divided by one to `most`."""
    return resolution * max(1, wanted // resolution) // max(1, resolution // most)


def _picture(image: Tensor, side: int) -> Image.Image:
    """Draws [3, H, W] as a square of `side` pixels: pixels are repeated to enlarge it and averaged to reduce it."""
    picture = to_pil(image)
    enlarge = side >= picture.width
    return picture.resize((side, side), Image.Resampling.NEAREST if enlarge else Image.Resampling.BOX)


def _font(text: str, size: float, width: int) -> Font:
    """Returns Pillow's default font at `size`, or smaller if `text` would be wider than `width` pixels."""
    font = ImageFont.load_default(size)
    length = font.getlength(text)
    return font if length <= width else ImageFont.load_default(size * width / length)


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
