"""The pictures that a person looks at: the grid of one reference, the film strip of its search; redrawing."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from PIL import Image, ImageDraw, ImageFont
from safetensors.torch import load_file
from torch import Tensor

from multimodal_pulse.errors import UserError
from multimodal_pulse.files import atomic_file
from multimodal_pulse.metrics.evaluation import OK_LR_PSNR_DB, status_of
from multimodal_pulse.metrics.functional import lr_psnr, pairwise_rms
from multimodal_pulse.references.base import Reference
from multimodal_pulse.references.images import load_rgb, quantise, save_png, to_uint8

_INK = (28, 28, 30)
_GRAY = (112, 112, 118)
_LINE = (205, 205, 210)
_STATUS_INK = {"ok": (22, 110, 58), "loose": (176, 88, 0), "failed": (184, 28, 28)}
_SAMPLES_IN_A_ROW = 6


def grid(
    reference: Reference,
    samples: Tensor,
    downsampled: Tensor,
    lr_psnr_db: Sequence[float | None],
    mask: Tensor | None = None,
) -> Image.Image:
    """One picture that tells what was given, what was found and how faithful it is.

    Left the reference, the original where there is one and the mask where there is one; right the samples with their
    LR-PSNR, and under each the same sample downsampled, which has to look like the reference.

    Args:
        reference: what was given.
        samples: [K, 3, R, R] in [0, 1].
        downsampled: [K, 3, h, w], the samples degraded.
        lr_psnr_db: LR-PSNR of each sample in dB; None for a failed one.
        mask: [1, h, w], white where LR noise was allowed; None for no such column.
    Returns: an RGB picture on white.
    """
    side = _tile_side(samples.shape[-1], wanted=256, most=512)
    height, width = reference.lr.shape[-2:]
    given = [_Tile(f"Reference, {width} x {height}", _tile(reference.lr, side))]
    if reference.hr is not None:
        given.append(_Tile("Original", _tile(reference.hr, side)))
    if mask is not None:
        given.append(_Tile("Mask: noise where white", _tile(mask.expand(3, -1, -1), side)))
    found = [
        (
            _Tile(f"Sample {k}", _tile(high, side), *_verdict(lr_psnr_db[k])),
            _Tile(f"Sample {k}, downsampled", _tile(low, side)),
        )
        for k, (high, low) in enumerate(zip(samples, downsampled, strict=True))
    ]
    in_a_row = -(-len(found) // -(-len(found) // _SAMPLES_IN_A_ROW))
    note = _note(len(found), float(pairwise_rms(quantise(samples.float()))))

    page = _Page(side, columns=len(given) + in_a_row, rows=2 * -(-len(found) // in_a_row), gutter_after=len(given))
    page.title(reference.name)
    for column, tile in enumerate(given):
        page.put(tile, column, row=0)
    page.text(note, column=0, row=1, columns=len(given))
    for k, (high, low) in enumerate(found):
        column, row = len(given) + k % in_a_row, 2 * (k // in_a_row)
        page.put(high, column, row)
        page.put(low, column, row + 1)
    return page.image


def film_strip(name: str, film: Tensor, steps: Sequence[int]) -> Image.Image:
    """How the samples of one reference came about: a row for each sample, a column for each step shown.

    Args:
        name: of the reference.
        film: [F, K, 3, R, R] in [0, 1].
        steps: the F steps.
    Returns: an RGB picture on white.
    """
    frames, samples = film.shape[:2]
    side = _tile_side(film.shape[-1], wanted=128, most=128)
    page = _Page(side, columns=frames, rows=samples, gutter_after=0)
    page.title(name)
    for frame in range(frames):
        for sample in range(samples):
            page.put(_Tile(f"Sample {sample}, step {steps[frame]}", _tile(film[frame, sample], side)), frame, sample)
    return page.image


class Synthesis(Protocol):
    """The part of a generator that drawing again needs."""

    sha256: str

    def synthesis(self, w_plus: Tensor, noise_maps: Sequence[Tensor] | None = None) -> Tensor: ...


@dataclass(frozen=True)
class Renderer:
    """What turns latents into samples, as the search did.

    Attributes:
        generator: the same as in the search.
        degradation: A.
        consistency: (samples [K, 3, R, R], lr [3, h, w], degradation) -> samples in [0, 1].
    """

    generator: Synthesis
    degradation: Callable[[Tensor], Tensor]
    consistency: Callable[[Tensor, Tensor, Any], Tensor]


@torch.no_grad()
def render_folder(
    folder: str | Path, load: Callable[[Mapping[str, Any]], Renderer], output: str | Path | None = None
) -> list[Path]:
    """Draws the samples of a finished reference again, from latents.safetensors: sr_*.png, sr_*_lr.png and grid.png.

    Args:
        folder: the reference's, as `records.Records.write` left it.
        load: makes the renderer from the `settings` in record.json.
        output: folder to write to, made if missing; None: the reference's own, whose pictures are replaced.
    Returns: the files written.
    Raises:
        UserError: the folder is not a finished reference, was made without a generator, or by another one.
    """
    folder = Path(folder)
    output = folder if output is None else Path(output)
    if not (folder / "record.json").is_file():
        raise UserError(f"{folder} is not the folder of a finished reference: it has no record.json.")
    if not (folder / "latents.safetensors").is_file():
        raise UserError(f"{folder} has no latents.safetensors: its method draws without a generator; see its sr_*.png.")
    record = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    reference = Reference(record["reference"], load_rgb(folder / "lr.png"), _load_if_there(folder / "hr.png"))
    mask = _load_if_there(folder / "mask.png")

    renderer = load(record["settings"])
    if record["weights_sha256"] not in (None, renderer.generator.sha256):
        raise UserError(
            f"{folder} was made by a generator with the sha256 {record['weights_sha256']}, not by this one"
            f" ({renderer.generator.sha256}); give the weights of the run."
        )
    # A search in double precision leaves doubles; the generator that is loaded has single precision.
    latents = {name: tensor.float() for name, tensor in load_file(folder / "latents.safetensors").items()}
    generated = renderer.generator.synthesis(latents["w_plus"], _noise_maps(latents))
    samples = quantise(renderer.consistency(generated, reference.lr, renderer.degradation))
    downsampled = renderer.degradation(samples)
    faithful = lr_psnr(samples, reference.lr, renderer.degradation).tolist()

    output.mkdir(parents=True, exist_ok=True)
    images = {f"sr_{k:02d}.png": image for k, image in enumerate(samples)}
    images |= {f"sr_{k:02d}_lr.png": image for k, image in enumerate(downsampled)}
    for name, image in images.items():
        save_png(image, output / name)
    picture = grid(reference, samples, downsampled, faithful, None if mask is None else mask[:1])
    with atomic_file(output / "grid.png") as partial:
        picture.save(partial)
    return [output / name for name in (*images, "grid.png")]


def _load_if_there(path: Path) -> Tensor | None:
    return load_rgb(path) if path.is_file() else None


def _noise_maps(latents: Mapping[str, Tensor]) -> list[Tensor] | None:
    """The tensors noise.0, noise.1, ... in order; None, for the generator's own, when there are none."""
    layers = sorted(int(name.removeprefix("noise.")) for name in latents if name.startswith("noise."))
    return [latents[f"noise.{layer}"] for layer in layers] or None


def _verdict(decibels: float | None) -> tuple[str, tuple[int, int, int]]:
    status = status_of(decibels)
    measured = "no picture" if decibels is None else f"LR-PSNR {decibels:.1f} dB"
    return (measured if status == "ok" else f"{measured}, {status}"), _STATUS_INK[status]


def _note(samples: int, rms: float) -> str:
    spread = f"{samples} samples; on average two of them differ by {rms:.1f} grey levels (RMS). " if samples > 1 else ""
    return (
        f"{spread}A sample could have been the reference's original if, downsampled, it looks like the reference:"
        f" LR-PSNR measures how well, {OK_LR_PSNR_DB:.0f} dB is enough."
    )


def _tile_side(resolution: int, wanted: int, most: int) -> int:
    """Pixels of a tile: the resolution, enlarged by a whole factor up to `wanted` or reduced by one down to `most`."""
    return resolution * max(1, wanted // resolution) // max(1, resolution // most)


def _tile(image: Tensor, side: int) -> Image.Image:
    """[3, H, W] in [0, 1] as a square tile: pixels are repeated to enlarge, averaged to reduce. NaN is black."""
    pixels = to_uint8(image.detach().float().nan_to_num(0.0, 0.0, 0.0)).cpu().permute(1, 2, 0).numpy()
    picture = Image.fromarray(pixels)
    enlarge = side >= picture.width
    return picture.resize((side, side), Image.Resampling.NEAREST if enlarge else Image.Resampling.BOX)


@dataclass(frozen=True)
class _Tile:
    label: str
    picture: Image.Image
    footer: str = ""
    footer_ink: tuple[int, int, int] = _INK


class _Page:
    """A white page of square tiles, each with a label above and a footer below; lengths follow from the tile's."""

    def __init__(self, side: int, columns: int, rows: int, gutter_after: int) -> None:
        self._side = side
        self._size = max(11, side // 14)
        self._line = round(self._size * 1.45)
        self._gap = max(8, side // 20)
        self._gutter_after = gutter_after
        self._head = 2 * self._gap + round(1.5 * self._line)
        self._pitch = 2 * self._line + side + self._gap
        width = self._left(columns) + self._gap
        self.image = Image.new("RGB", (width, self._head + rows * self._pitch + self._gap), "white")
        self._draw = ImageDraw.Draw(self.image)

    def title(self, text: str) -> None:
        self._draw.text((2 * self._gap, 1.5 * self._gap), text, _INK, _font(text, self._size * 1.4, self.image.width))

    def put(self, tile: _Tile, column: int, row: int) -> None:
        left, top = self._left(column), self._top(row)
        self._draw.text((left, top), tile.label, _INK, _font(tile.label, self._size, self._side))
        self.image.paste(tile.picture, (left, top + self._line))
        corner = (left + self._side, top + self._line + self._side)
        self._draw.rectangle((left - 1, top + self._line - 1, *corner), outline=_LINE)
        below = top + self._line + self._side + self._line // 6
        self._draw.text((left, below), tile.footer, tile.footer_ink, _font(tile.footer, self._size, self._side))

    def text(self, text: str, column: int, row: int, columns: int) -> None:
        """A paragraph in the place of `columns` tiles."""
        width = self._left(column + columns - 1) + self._side - self._left(column)
        font = ImageFont.load_default(self._size)
        lines = [""]
        for word in text.split():
            longer = f"{lines[-1]} {word}".lstrip()
            if font.getlength(longer) <= width:
                lines[-1] = longer
            else:
                lines.append(word)
        for number, line in enumerate(lines):
            self._draw.text((self._left(column), self._top(row) + (number + 1) * self._line), line, _GRAY, font)

    def _left(self, column: int) -> int:
        gutter = 2 * self._gap if self._gutter_after and column >= self._gutter_after else 0
        return 2 * self._gap + column * (self._side + self._gap) + gutter

    def _top(self, row: int) -> int:
        return self._head + row * self._pitch


def _font(text: str, size: float, width: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own font at `size`, or smaller where `text` would be wider than `width` pixels."""
    font = ImageFont.load_default(size)
    length = font.getlength(text)
    return font if length <= width else ImageFont.load_default(size * width / length)
