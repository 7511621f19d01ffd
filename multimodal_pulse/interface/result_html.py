"""What a notebook shows of a `Result`: the reference, the samples, and where they differ."""

import base64
from collections.abc import Mapping, Sequence
from html import escape
from io import BytesIO
from typing import Any

from torch import Tensor

from multimodal_pulse.references.pixels import to_pil
from multimodal_pulse.results.pictures.spread import spread_picture
from multimodal_pulse.results.pictures.verdict import faithful_words

_SIDE = 160
"""Of a picture on the page, in CSS pixels."""


def result_html(
    name: str, images: Tensor, lr: Tensor, records: Sequence[Mapping[str, Any]], diversity: float | None
) -> str:
    """Returns a piece of HTML that asks for nothing from elsewhere: every picture is a PNG inside of it.

    Args:
        name: the name of the reference.
        images: the samples, [K, 3, R, R] in [0, 1].
        lr: the reference, [3, h, w] in [0, 1].
        records: the record of each sample.
        diversity: the RMS distance between two samples, in grey levels; None for a single sample.
    """
    height, width = lr.shape[1:]
    figures = [_figure(lr, f"Reference, {width} x {height}", [])]
    for image, record in zip(images, records, strict=True):
        said = faithful_words(record["status"], record["lr_psnr"])
        figures.append(_figure(image, f"Sample {record['sample']}", [f"LR-PSNR: {said}"]))
    apart = ""
    if diversity is not None:
        label, picture, end = spread_picture(images[[record["status"] != "failed" for record in records]])
        figures.append(_figure(picture, label, [f"black: 0, light yellow: {end} grey levels or more"]))
        apart = f"; on average two of them differ by {diversity:.1f} of 255 grey levels (RMS)"
    count = "1 sample" if len(images) == 1 else f"{len(images)} samples"
    return (
        f"<div><p><strong>{escape(name)}</strong>: {count}{apart}.</p>"
        f'<div style="display:flex;flex-wrap:wrap;gap:12px">{"".join(figures)}</div></div>'
    )


def _figure(picture: Tensor, title: str, lines: Sequence[str]) -> str:
    """Returns a picture [3, H, W] with its title, which is its alternative text too, above and lines below it."""
    said = escape(title)
    style = f"width:{_SIDE}px;image-rendering:pixelated;display:block"
    below = "".join(f"<br>{escape(line)}" for line in lines)
    return (
        f'<figure style="margin:0;width:{_SIDE}px"><img src="{_data_uri(picture)}" alt="{said}" style="{style}">'
        f"<figcaption>{said}{below}</figcaption></figure>"
    )


def _data_uri(picture: Tensor) -> str:
    """Returns a picture [3, H, W] in [0, 1] as an address that holds its PNG."""
    file = BytesIO()
    to_pil(picture).save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"
