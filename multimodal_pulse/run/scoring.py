"""What follows the search of a reference: scores, pictures, its folder, and the tracker's gallery."""

from multimodal_pulse.degradation import Degradation
from multimodal_pulse.metrics import Lpips, NullLpips, NullRealism, Realism, evaluate
from multimodal_pulse.references.base import in_words
from multimodal_pulse.results.pictures.film import film_strip
from multimodal_pulse.results.pictures.grid import Words, caption, made_exact, noise_allowed, pages
from multimodal_pulse.results.pictures.photograph import photographs
from multimodal_pulse.results.pictures.verdict import Verdict
from multimodal_pulse.results.records import ReferenceFolders
from multimodal_pulse.results.remarks import promised_db, remarks
from multimodal_pulse.results.tracking.trackers import NullTracker
from multimodal_pulse.search.outcome import Outcome


def score(
    outcome: Outcome,
    degradation: Degradation,
    lpips: Lpips | NullLpips,
    realism: Realism | NullRealism,
    outside: str | None,
    folders: ReferenceFolders,
    tracker: NullTracker,
) -> None:
    """Scores an outcome, draws its pictures, writes its folder and shows it to the tracker.

    Args:
        outcome: the result of a search.
        degradation: A.
        lpips: from `build_lpips`.
        realism: from `build_realism`.
        outside: from `references.base.outside`: that the generator does not know such pictures, or None.
        folders: writes the folder; its settings give the captions of the pictures.
        tracker: any tracker.
    """
    reference, noise_std = outcome.reference, outcome.reference.noise.std
    exact = made_exact(folders.settings, noise_std)
    scores = evaluate(outcome, degradation, lpips, realism, promised_db(exact, reference))
    said = remarks(outcome, scores, exact, outside, noise_allowed(folders.settings, noise_std))
    domain = in_words(realism.state["domain"] or "")
    words = Words(caption(folders.settings, outcome.steps, noise_std), said, domain, exact)
    verdicts = [Verdict(record.lr_psnr, record.realistic, reference.ok_lr_psnr_db) for record in scores.records]
    found = (reference, outcome.targets, outcome.mask, outcome.samples)
    drawn = pages(*found, degradation, verdicts, words)
    if outcome.film is not None:
        drawn["film.png"] = film_strip(outcome, verdicts, words)
    whole = photographs(reference, outcome.samples, degradation)
    folders.write(outcome, scores, degradation(outcome.samples), drawn | whole, said)
    tracker.log_reference(scores, outcome.samples, drawn)
