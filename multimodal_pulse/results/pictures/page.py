"""The layout of a picture for people: a white page with a title, a note and square tiles, each with its label."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from multimodal_pulse.references.pixels import to_uint8

Ink = tuple[int, int, int]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

INK: Ink = (28, 28, 30)
_GRAY: Ink = (112, 112, 118)
_LINE: Ink = (205, 205, 210)


@dataclass(frozen=True)
class Tile:
    """One place of a page: a label above, an image [3, H, W] in [0, 1] (NaN is black), a footer below.

    `small` are at most two further images, drawn under the footer at half the side on a page that has room for them.
    """

    label: str
    image: Tensor
    footer: str = ""
    footer_ink: Ink = INK
    small: Sequence[Tensor] = ()


class Page:
    """A white page of square tiles under a title and a note; all lengths follow from the tiles' side.

    Args:
        side: pixels of a tile.
        columns, rows: of tiles.
        gutters: columns that keep a larger distance from the one before.
        title, note: text over the tiles, as wide as the page, in as many lines as it takes.
        margin: pixels on the left for the names of rows.
        small: whether the tiles have small images.

    Attributes:
        image: the RGB picture, as far as it is drawn.
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
        """Draws a tile in its place, counted from 0; a label or footer too long for it is drawn smaller."""
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
        """Writes the name of a row, counted from 0, into the margin, and under it what there is to say about it."""
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
    """Pixels of a tile: the resolution, enlarged by a whole factor up to `wanted` or reduced by one down to `most`."""
    return resolution * max(1, wanted // resolution) // max(1, resolution // most)


def _picture(image: Tensor, side: int) -> Image.Image:
    """[3, H, W] as a square of `side` pixels: pixels are repeated to enlarge, averaged to reduce."""
    pixels = to_uint8(image.detach().float().nan_to_num(0.0, 0.0, 0.0)).cpu().permute(1, 2, 0).numpy()
    picture = Image.fromarray(pixels)
    enlarge = side >= picture.width
    return picture.resize((side, side), Image.Resampling.NEAREST if enlarge else Image.Resampling.BOX)


def _font(text: str, size: float, width: int) -> Font:
    """Pillow's own font at `size`, or smaller where `text` would be wider than `width` pixels."""
    font = ImageFont.load_default(size)
    length = font.getlength(text)
    return font if length <= width else ImageFont.load_default(size * width / length)


def wrapped(text: str, font: Font, width: int) -> list[str]:
    """The lines of `text`, each at most `width` pixels wide; a word wider than that (a file's name) is broken."""
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
