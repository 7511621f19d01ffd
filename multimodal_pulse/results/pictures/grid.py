"""The pictures of one reference for people: the grid, and the mean and the spread of its samples."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from multimodal_pulse.metrics.functional import lr_psnr, pairwise_rms, psnr
from multimodal_pulse.references.base import Reference
from multimodal_pulse.references.held import Held
from multimodal_pulse.references.pixels import load_rgb, quantise, to_pil
from multimodal_pulse.results.pictures.page import INK, Page, Tile, tile_side
from multimodal_pulse.results.pictures.spread import spread_page, spread_tile
from multimodal_pulse.results.pictures.verdict import Verdict, counted, faithful_legend, faithfulness

_EXACT_CONSISTENCY = "multimodal_pulse.search.ExactConsistency"
_NO_CONSISTENCY = "multimodal_pulse.search.NoConsistency"
_ONE_ROW = 6
"""The most tiles, what was given included, that stand in one row."""
_LARGE = 24
"""The most samples whose tiles are enlarged; of more, each has its own pixels only."""
_NOISE_LEGEND = " The search fitted each sample to the reference + noise below it, not to the reference itself."


@dataclass(frozen=True)
class Words:
    """What the pictures of one reference say beside its scores.

    Attributes:
        caption: how the samples were found.
        remarks: sentences that should not be missed.
        domain: what the samples should look like, in words, such as "rendered portraits".
        exact: whether the saved samples went through the exact consistency step.
    """

    caption: str = ""
    remarks: Sequence[str] = ()
    domain: str = ""
    exact: bool = False

    def title(self, name: str) -> str:
        """Returns the title of a picture of the reference with this name."""
        return f"{name} · {self.caption}" if self.caption else name


def caption(settings: Mapping[str, Any], steps: int, noise_std: float = 0.0) -> str:
    """Says how the samples were found, such as "combined, seed 0, 200 steps, exact consistency".

    Args:
        settings: the settings in record.json, without some keys in one of an earlier version.
        steps: the steps of the search; 0 for a method without a search, whose seed has no effect.
        noise_std: the standard deviation of the reference's noise.
    """
    words = []
    if "method" in settings:
        words.append(str(settings["method"]))
    if "seed" in settings and steps > 0:
        words.append(f"seed {settings['seed']}")
    if steps > 0:
        words.append("1 step" if steps == 1 else f"{steps} steps")
    if made_exact(settings, noise_std):
        words.append("exact consistency")
    if noise := noise_allowed(settings, noise_std):
        words.append(f"consistency up to noise of {noise:.3g}")
    return ", ".join(words)


def made_exact(settings: Mapping[str, Any], noise_std: float = 0.0) -> bool:
    """Returns whether samples with these settings of record.json went through the exact consistency step.

    A reference with noise, whose standard deviation is `noise_std`, is not projected onto.
    """
    return settings.get("consistency", {}).get("_target_") == _EXACT_CONSISTENCY and not noise_std


def noise_allowed(settings: Mapping[str, Any], noise_std: float = 0.0) -> float:
    """Returns the standard deviation of the noise that the consistency step with these settings leaves out; 0: none.

    Args:
        settings: those of record.json.
        noise_std: that of the reference's noise; 0: not known.
    """
    consistency = settings.get("consistency", {})
    if consistency.get("_target_") == _NO_CONSISTENCY:
        return 0.0
    return noise_std or float(consistency.get("noise_std", 0))


def pages(
    reference: Reference,
    targets: Tensor,
    mask: Tensor | None,
    samples: Tensor,
    degradation: Callable[[Tensor], Tensor],
    verdicts: Sequence[Verdict],
    words: Words,
) -> dict[str, Image.Image]:
    """Draws grid.png and, of two and more samples that did not fail, mean.png and spread.png; see `grid`.

    mean.png is the mean of these samples, as large as they are.

    Returns: the pictures by file name.
    """
    drawn = {"grid.png": grid(reference, targets, mask, samples, degradation, verdicts, words)}
    pictures = _pictures(samples)
    if len(pictures) > 1:
        drawn |= {"mean.png": to_pil(pictures.mean(dim=0)), "spread.png": spread_page(reference.name, pictures)}
    return drawn


def grid(
    reference: Reference,
    targets: Tensor,
    mask: Tensor | None,
    samples: Tensor,
    degradation: Callable[[Tensor], Tensor],
    verdicts: Sequence[Verdict],
    words: Words,
) -> Image.Image:
    """Draws one picture that shows the reference, the samples, how faithful they are and how they differ.

    It begins with what was given (the original, if there is one, the reference, and the mask, if there is one), and
    the mean and the spread of the samples. Then each sample has its verdict below it, and in small the sample
    degraded, which should look like the reference, and with LR noise the picture that it was fitted to. If there
    are few tiles they stand in one row, else the samples stand in rows of their own.

    Args:
        reference: the reference.
        targets: [K, 3, h, w], the LR picture that each sample was fitted to; may leave [0, 1].
        mask: [1, h, w], white where LR noise was allowed; None: no such tile.
        samples: [K, 3, R, R] in [0, 1].
        degradation: A.
        verdicts: what is said under each sample.
        words: what is said above them.

    Returns: an RGB picture on white.
    """
    # Rounded as in the saved files, so that a page drawn from those is the same.
    targets = quantise(targets.float())
    noisy = not targets.equal(reference.lr.expand_as(targets))
    first = given_tiles(reference)
    if mask is not None:
        first.append(Tile("Mask: noise where white", mask.expand(3, -1, -1)))
    given, pictures = len(first), _pictures(samples)
    if len(pictures) > 1:
        first += [_mean_tile(reference, pictures, degradation), spread_tile(pictures)]

    degraded = degradation(samples)
    in_one_row = len(first) + len(samples) <= _ONE_ROW
    # As many in a row as make the page about square, where the small tiles make a sample higher than wide.
    bands = math.ceil(len(samples) / max(_ONE_ROW, math.ceil(math.sqrt(1.7 * len(samples)))))
    in_a_row = math.ceil(len(samples) / bands)
    start_column, start_row = (len(first), 0) if in_one_row else (0, 1)
    rows = start_row + bands
    page = Page(
        tile_side(samples.shape[-1], wanted=256 if len(samples) <= _LARGE else 128, most=512),
        columns=len(first) + len(samples) if in_one_row else max(len(first), in_a_row),
        rows=rows,
        gutters={given, len(first)} if in_one_row else (),
        title=words.title(reference.name),
        note=_note(pictures, verdicts, words.domain, reference) + noisy * _NOISE_LEGEND,
        warnings=counted(words.remarks, verdicts),
        footers=2,
        small=range(start_row, rows),
    )
    for column, tile in enumerate(first):
        page.put(tile, column, row=0)
    for k, sample in enumerate(samples):
        small = [Tile("degraded", degraded[k]), *([Tile("fitted to", targets[k])] if noisy else [])]
        tile = Tile(f"Sample {k}", sample, verdicts[k].lines(words.domain), small=small)
        page.put(tile, start_column + k % in_a_row, start_row + k // in_a_row)
    return page.image


def given_tiles(reference: Reference) -> list[Tile]:
    """Returns the tiles of the original, if there is one, and of the reference."""
    height, width = reference.lr.shape[-2:]
    original = [] if reference.hr is None else [Tile("Original", reference.hr)]
    held = reference.held
    parent = [Tile("Varied inside the line", outlined(held))] if isinstance(held, Held) else []
    return [*original, Tile(f"Reference, {width} x {height}", reference.lr), *parent]


def outlined(held: Held) -> Tensor:
    """Returns the parent, [3, R, R], with the border of its mask drawn inside of it: a white line and a black one."""
    drawn, inside = held.parent, held.inside.float()
    for colour in (1.0, 0.0):
        smaller = 1 - F.max_pool2d(1 - inside, 3, stride=1, padding=1)
        drawn = torch.where((inside - smaller).bool(), colour, drawn)
        inside = smaller
    return drawn


def load_if_there(path: Path) -> Tensor | None:
    """Reads a picture as [3, H, W] in [0, 1]; returns None if there is no such file."""
    return load_rgb(path) if path.is_file() else None


def _pictures(samples: Tensor) -> Tensor:
    """Returns the samples that did not fail."""
    return samples[samples.isfinite().flatten(1).all(dim=1)]


def _mean_tile(reference: Reference, pictures: Tensor, degradation: Callable[[Tensor], Tensor]) -> Tile:
    """Makes the tile of mean.png: the mean of pictures [K, 3, R, R], how faithful it is, and its PSNR and theirs."""
    mean = quantise(pictures.mean(dim=0, keepdim=True))
    footers = [faithfulness(lr_psnr(mean, reference.lr, degradation).item(), reference.ok_lr_psnr_db)]
    if reference.hr is not None:
        of_mean, of_samples = (psnr(some, reference.hr).mean().item() for some in (mean, pictures))
        footers.append((f"PSNR {of_mean:.1f} dB, samples {of_samples:.1f} dB", INK))
    return Tile(f"Mean of the {len(pictures)} samples", mean[0], footers)


def _note(pictures: Tensor, verdicts: Sequence[Verdict], domain: str, reference: Reference) -> str:
    """Returns what the words on the grid mean, and the distance between pictures [K, 3, R, R] if there are two."""
    sentences = [faithful_legend(reference.ok_lr_psnr_db)]
    if any(verdict.realistic is not None for verdict in verdicts):
        sentences.append(f"Like or unlike {domain}: whether it lies where real ones lie, in features of SqueezeNet.")
    if len(pictures) > 1:
        rms = float(pairwise_rms(pictures))
        if reference.hr is not None:
            sentences.append("PSNR: how near to the original, on average over the samples.")
        sentences.append(f"On average two samples differ by {rms:.1f} of 255 grey levels (RMS).")
    return " ".join(sentences)
