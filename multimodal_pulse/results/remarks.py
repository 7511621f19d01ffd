"""Sentences on a reference that its scores alone do not explain: the same in the grid, the table and the record."""

from multimodal_pulse.base.faithfulness import EXACT_LR_PSNR_DB
from multimodal_pulse.metrics.evaluation import Scores
from multimodal_pulse.metrics.functional import psnr
from multimodal_pulse.references.base import Reference
from multimodal_pulse.search.outcome import Outcome


def promised_db(exact: bool, reference: Reference) -> float:
    """Returns the LR-PSNR in dB that samples of a reference should have, with or without the exact consistency step."""
    return EXACT_LR_PSNR_DB if exact else reference.ok_lr_psnr_db


def remarks(outcome: Outcome, scores: Scores, exact: bool, outside: str | None, noise_std: float = 0) -> list[str]:
    """Returns whole sentences on one reference; often there are none.

    They do not count the samples, so that references of which the same is true have the same sentence.

    Args:
        outcome: the result of the search.
        scores: from `metrics.evaluate`.
        exact: whether the samples went through the exact consistency step.
        outside: from `references.base.outside`, that the picture lies outside of what the generator knows, or None.
        noise_std: the standard deviation of the noise that the consistency step leaves out; 0: none.
    """
    found = [] if outside is None else [f"{outside[0].upper()}{outside[1:]}."]
    statuses = {record.status for record in scores.records}
    bound = scores.lr_psnr_bound
    if bound is not None and bound < promised_db(exact, outcome.reference):
        nearest = " The samples come as near to it as they can." if exact else ""
        found.append(
            "No picture gives exactly this reference, which has too much contrast or detail: its LR-PSNR is at most"
            f" {bound:.1f} dB.{nearest}"
        )
    elif "loose" in statuses and noise_std and not outcome.reference.noise.std:  # else "loose" allows for the noise
        found.append(
            f"Not faithful to every pixel of a reference with noise of standard deviation {noise_std:g}, and not meant"
            " to be: the samples leave out what consistency=noisy takes for noise."
        )
    elif "loose" in statuses:
        found.append(_why_not_faithful(outcome))
    elif exact and _left_far(outcome, scores):
        found.append(
            "Some samples agree with the reference only because of consistency=exact: the search itself left them below"
            f" {outcome.reference.ok_lr_psnr_db:.3g} dB, and what was put in shows as blur, smudges or ghost edges."
            " More steps may help, but not with what the generator does not know."
        )
    if "failed" in statuses:
        found.append("A sample failed, because its search diverged: a smaller optimizer.lr may help.")
    return found


def _left_far(outcome: Outcome, scores: Scores) -> bool:
    """Returns whether a sample was not faithful as the search found it."""
    found = [record.lr_psnr_found for record in scores.records]
    return any(value is not None and value < outcome.reference.ok_lr_psnr_db for value in found)


def _why_not_faithful(outcome: Outcome) -> str:
    """Returns why samples are not faithful, and what helps."""
    if (psnr(outcome.targets.cpu(), outcome.reference.lr.cpu()) < outcome.reference.ok_lr_psnr_db).any():
        return (
            "Not faithful, because each sample was fitted to the reference + noise, which is not faithful"
            " itself: a smaller noise.lr_std brings samples nearer to the reference, and consistency=exact"
            " makes them agree with it."
        )
    return (
        "Not faithful, because the method did not bring the samples near enough to the reference: more steps may,"
        " or a higher target_lr_psnr where one was given, and consistency=exact makes them agree with it."
    )
