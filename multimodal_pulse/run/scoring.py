"""What is done with what a search finds: scores, pictures, the folder of a reference, the tracker's gallery."""

from collections.abc import Callable, Mapping
from typing import Any

from PIL.Image import Image
from torch import Tensor

from multimodal_pulse.metrics import Lpips, NullLpips, Scores, evaluate
from multimodal_pulse.references.pixels import quantise
from multimodal_pulse.results.pictures.grid import caption, film_strip, grid, made_exact
from multimodal_pulse.results.records import Records
from multimodal_pulse.results.tracking.trackers import NullTracker
from multimodal_pulse.search.outcome import Outcome


def score(
    outcome: Outcome,
    degradation: Callable[[Tensor], Tensor],
    lpips: Lpips | NullLpips,
    records: Records,
    tracker: NullTracker,
) -> None:
    """Scores an outcome, draws its pictures, writes its folder and shows it to the tracker.

    Args:
        outcome: of a search.
        degradation: A.
        lpips: from `build_lpips`.
        records: where the folder goes.
        tracker: any of them.
    """
    downsampled = degradation(quantise(outcome.samples))
    scores = evaluate(outcome, degradation, lpips)
    pictures = _pictures(outcome, downsampled, scores, records.settings)
    records.write(outcome, scores, downsampled, pictures)
    tracker.log_reference(scores, outcome.samples, pictures["grid.png"])


def _pictures(outcome: Outcome, downsampled: Tensor, scores: Scores, settings: Mapping[str, Any]) -> dict[str, Image]:
    """The pictures for people, by file name; their words come from the record's settings."""
    words = caption(settings, outcome.steps)
    lr_psnr = [sample.lr_psnr for sample in scores.records]
    found = (outcome.reference, outcome.targets, outcome.mask, outcome.samples)
    pictures = {"grid.png": grid(*found, downsampled, lr_psnr, words)}
    if outcome.film is not None:
        pictures["film.png"] = film_strip(outcome, lr_psnr, words, made_exact(settings))
    return pictures
