"""What follows the search of a reference: scores, pictures, its folder, and the tracker's gallery."""

from collections.abc import Callable

from torch import Tensor

from multimodal_pulse.metrics import Lpips, NullLpips, evaluate
from multimodal_pulse.results.pictures.grid import caption, film_strip, grid, made_exact
from multimodal_pulse.results.records import ReferenceFolders
from multimodal_pulse.results.tracking.trackers import NullTracker
from multimodal_pulse.search.outcome import Outcome


def score(
    outcome: Outcome,
    degradation: Callable[[Tensor], Tensor],
    lpips: Lpips | NullLpips,
    folders: ReferenceFolders,
    tracker: NullTracker,
) -> None:
    """Scores an outcome, draws its pictures, writes its folder and shows it to the tracker.

    Args:
        outcome: the result of a search.
        degradation: A.
        lpips: from `build_lpips`.
        folders: writes the folder; its settings give the captions of the pictures.
        tracker: any tracker.
    """
    downsampled = degradation(outcome.samples)
    scores = evaluate(outcome, degradation, lpips)
    words = caption(folders.settings, outcome.steps)
    lr_psnr = [record.lr_psnr for record in scores.records]
    found = (outcome.reference, outcome.targets, outcome.mask, outcome.samples)
    pages = {"grid.png": grid(*found, downsampled, lr_psnr, words)}
    if outcome.film is not None:
        pages["film.png"] = film_strip(outcome, lr_psnr, words, made_exact(folders.settings))
    folders.write(outcome, scores, downsampled, pages)
    tracker.log_reference(scores, outcome.samples, pages["grid.png"])
