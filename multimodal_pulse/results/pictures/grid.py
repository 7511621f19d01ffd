"""The pictures for people: the grid of one reference, and the film strip of its search."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from multimodal_pulse.base.faithfulness import OK_LR_PSNR_DB
from multimodal_pulse.metrics.evaluation import status_of
from multimodal_pulse.metrics.functional import pairwise_rms
from multimodal_pulse.references.base import Reference
from multimodal_pulse.references.pixels import load_rgb, quantise
from multimodal_pulse.results.pictures.page import Ink, Page, Tile, tile_side
from multimodal_pulse.search.outcome import Outcome

_STATUS_INK: dict[str, Ink] = {"ok": (22, 110, 58), "loose": (176, 88, 0), "failed": (184, 28, 28)}
_EXACT_CONSISTENCY = "multimodal_pulse.search.ExactConsistency"
_SAMPLES_IN_A_ROW = 6
_LEGEND = (
    "LR-PSNR compares a sample, downsampled, with the reference."
    f' From {OK_LR_PSNR_DB:.0f} dB a sample counts as faithful; "loose" means below that, "failed" no finite picture.'
)
_NOISE_LEGEND = " The search fitted each sample to the reference + noise shown below it, not to the reference itself."
_FILM_LEGEND = "Each row is one sample at some steps of its search, and last as it was saved, from its best step."


def caption(settings: Mapping[str, Any], steps: int) -> str:
    """Says how the samples were found, such as "combined, seed 0, 200 steps, exact consistency".

    Args:
        settings: the settings in record.json, without some keys in one of an earlier version.
        steps: the steps of the search; 0 for a method without a search, whose seed has no effect.
    """
    words = []
    if "method" in settings:
        words.append(str(settings["method"]))
    if "seed" in settings and steps > 0:
        words.append(f"seed {settings['seed']}")
    if steps > 0:
        words.append("1 step" if steps == 1 else f"{steps} steps")
    if made_exact(settings):
        words.append("exact consistency")
    return ", ".join(words)


def made_exact(settings: Mapping[str, Any]) -> bool:
    """Returns whether samples with these settings of record.json went through the exact consistency step."""
    return settings.get("consistency", {}).get("_target_") == _EXACT_CONSISTENCY


def grid(
    reference: Reference,
    targets: Tensor,
    mask: Tensor | None,
    samples: Tensor,
    downsampled: Tensor,
    lr_psnr_db: Sequence[float | None],
    caption: str,
) -> Image.Image:
    """Draws one picture that shows the reference, the samples and how faithful they are.

    On the left are the original, if there is one, the reference, and the mask, if there is one. On the right each
    sample has its LR-PSNR below it, then the sample downsampled, which should look like the reference, and with LR
    noise the picture that it was fitted to. Samples that do not fit into a row continue below.

    Args:
        reference: the reference.
        targets: [K, 3, h, w], the LR picture that each sample was fitted to; may leave [0, 1].
        mask: [1, h, w], white where LR noise was allowed; None: no such tile.
        samples: [K, 3, R, R] in [0, 1].
        downsampled: [K, 3, h, w], the samples downsampled.
        lr_psnr_db: the LR-PSNR of each sample in dB; None for a failed one.
        caption: how the samples were found.

    Returns: an RGB picture on white.
    """
    # Rounded as in the saved files, so that a page drawn from those is the same.
    targets = quantise(targets.float())
    noisy = not torch.equal(targets, reference.lr.expand_as(targets))
    found = [
        [
            Tile(f"Sample {k}", samples[k], *faithfulness(lr_psnr_db[k])),
            Tile(f"Sample {k}, downsampled", downsampled[k]),
            *([Tile("Reference + noise", targets[k])] if noisy else []),
        ]
        for k in range(len(samples))
    ]
    given = _given(reference)
    if mask is not None:
        given.append(Tile("Mask: noise where white", mask.expand(3, -1, -1)))

    rows = len(found[0])
    bands = math.ceil(len(found) / _SAMPLES_IN_A_ROW)
    in_a_row = math.ceil(len(found) / bands)
    given_columns = math.ceil(len(given) / rows)
    page = Page(
        tile_side(samples.shape[-1], wanted=256, most=512),
        columns=given_columns + in_a_row,
        rows=rows * bands,
        gutters=[given_columns],
        title=_title(reference, caption),
        note=_spread(samples) + _LEGEND + noisy * _NOISE_LEGEND,
    )
    for band in range(bands):
        for place, tile in enumerate(given):
            page.put(tile, column=place // rows, row=rows * band + place % rows)
    for k, tiles in enumerate(found):
        for row, tile in enumerate(tiles):
            page.put(tile, column=given_columns + k % in_a_row, row=rows * (k // in_a_row) + row)
    return page.image


def film_strip(outcome: Outcome, lr_psnr_db: Sequence[float | None], caption: str, exact: bool = False) -> Image.Image:
    """Draws the film of one reference's search: a row for each sample, a column for each step of the film.

    On the left are the original and the reference, as in the grid; the last column has the saved samples with their
    LR-PSNR.

    Args:
        outcome: the result of the search, with a film.
        lr_psnr_db: the LR-PSNR of each sample in dB; None for a failed one.
        caption: how the samples were found.
        exact: whether the saved samples went through the exact consistency step after the search.

    Returns: an RGB picture on white.
    """
    film = outcome.film
    assert film is not None
    given, samples = _given(outcome.reference), len(outcome.samples)
    given_columns = math.ceil(len(given) / samples)
    kept_column = given_columns + len(film)
    page = Page(
        tile_side(film.shape[-1], wanted=128, most=128),
        columns=kept_column + 1,
        rows=samples,
        gutters=[given_columns, kept_column],
        title=_title(outcome.reference, caption),
        note=_FILM_LEGEND,
    )
    for place, tile in enumerate(given):
        page.put(tile, column=place // samples, row=place % samples)
    for k in range(samples):
        for frame, step in enumerate(outcome.film_steps):
            page.put(Tile(f"Sample {k}, step {step}", film[frame, k]), given_columns + frame, row=k)
        label = f"Kept: step {outcome.best_step[k]}" + exact * ", made exact"
        kept = Tile(label, outcome.samples[k], *faithfulness(lr_psnr_db[k]))
        page.put(kept, kept_column, row=k)
    return page.image


def load_if_there(path: Path) -> Tensor | None:
    """Reads a picture as [3, H, W] in [0, 1]; returns None if there is no such file."""
    return load_rgb(path) if path.is_file() else None


def _given(reference: Reference) -> list[Tile]:
    """Returns the tiles of the original, if there is one, and the reference, which so stands by the LR pictures."""
    height, width = reference.lr.shape[-2:]
    original = [] if reference.hr is None else [Tile("Original", reference.hr)]
    return [*original, Tile(f"Reference, {width} x {height}", reference.lr)]


def _title(reference: Reference, caption: str) -> str:
    return f"{reference.name} · {caption}" if caption else reference.name


def faithfulness(decibels: float | None) -> tuple[str, Ink]:
    """Returns a sample's LR-PSNR and status in words, and their colour; None in place of dB means a failed sample."""
    status = status_of(decibels)
    # Rounded down, so that a value just below the bound does not look as if it reached it.
    measured = "no picture" if decibels is None else f"LR-PSNR {math.floor(10 * decibels) / 10:.1f} dB"
    return f"{measured}, {status}", _STATUS_INK[status]


def _spread(samples: Tensor) -> str:
    """Returns a sentence on the distance between samples; "" if fewer than two did not fail."""
    finite = samples.isfinite().flatten(1).all(dim=1)
    if finite.sum() < 2:
        return ""
    rms = float(pairwise_rms(samples[finite]))
    return f"{int(finite.sum())} samples; on average two of them differ by {rms:.1f} grey levels (RMS). "
