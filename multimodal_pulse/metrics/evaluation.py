"""The scores of one reference's samples, taken of the pictures as they are saved: rounded to 8 bits."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from multimodal_pulse.metrics.functional import PerceptualDistance, lr_psnr, pairwise_lpips, pairwise_rms, psnr, ssim
from multimodal_pulse.outcome import Outcome
from multimodal_pulse.references.images import quantise
from multimodal_pulse.verdict import OK_LR_PSNR_DB

Status = Literal["ok", "loose", "failed"]


@dataclass(frozen=True)
class SampleRecord:
    """One line of records.jsonl. A score that does not exist (no original, no LPIPS, a failed sample) is None.

    Attributes:
        reference: its name.
        sample: number of the sample, from 0.
        psnr: dB against the original, at most `PSNR_CAP_DB`.
        ssim: against the original, at most 1.
        lpips: to the original.
        lr_psnr: dB against the LR reference, of the saved file.
        steps: steps searched.
        best_step: the step whose iterate was kept.
        seconds: this sample's share of the search's wall time.
        status: "ok" from `OK_LR_PSNR_DB` on, "loose" below, "failed" when the picture has a non-finite value.
    """

    reference: str
    sample: int
    psnr: float | None
    ssim: float | None
    lpips: float | None
    lr_psnr: float | None
    steps: int
    best_step: int
    seconds: float
    status: Status


@dataclass(frozen=True)
class Diversity:
    """How far apart the samples of one reference are; None where there are fewer than two that can be compared.

    Attributes:
        rms: mean over pairs of the root-mean-square difference, grey levels (0 to 255).
        lpips: mean over pairs of LPIPS.
    """

    rms: float | None
    lpips: float | None


@dataclass(frozen=True)
class Scores:
    """All that is measured on one reference: a record per sample, and the spread of those that did not fail."""

    records: list[SampleRecord]
    diversity: Diversity


@torch.no_grad()
def evaluate(outcome: Outcome, degradation: Callable[[Tensor], Tensor], lpips: PerceptualDistance) -> Scores:
    """Scores the samples of one reference.

    Args:
        outcome: what the search found; its samples may hold non-finite values.
        degradation: A.
        lpips: from `build_lpips`.
    """
    reference = outcome.reference
    finite = outcome.samples.isfinite().flatten(1).all(dim=1)
    # Rounding has no answer for NaN, so the failed samples are taken out first and put back afterwards.
    saved = quantise(outcome.samples.float().nan_to_num(0.0, 0.0, 0.0))
    failed_as_nan = torch.where(finite[:, None, None, None], saved, torch.nan)
    lr = reference.lr.to(saved.device)

    def against_original(score: Callable[[Tensor, Tensor], Tensor | None]) -> list[float | None]:
        values = None if reference.hr is None else score(failed_as_nan, reference.hr.to(saved.device))
        return _numbers(values, len(saved))

    columns = zip(
        against_original(psnr),
        against_original(ssim),
        against_original(lpips),
        _numbers(lr_psnr(failed_as_nan, lr, degradation), len(saved)),
        outcome.best_step,
        strict=True,
    )
    records = [
        SampleRecord(
            reference=reference.name,
            sample=sample,
            psnr=to_original,
            ssim=similarity,
            lpips=distance,
            lr_psnr=faithful,
            steps=outcome.steps,
            best_step=int(best_step),
            seconds=outcome.seconds / len(saved),
            status=status_of(faithful),
        )
        for sample, (to_original, similarity, distance, faithful, best_step) in enumerate(columns)
    ]
    [rms] = _numbers(pairwise_rms(saved[finite])[None], 1)
    spread = pairwise_lpips(saved[finite], lpips)
    [perceptual] = _numbers(None if spread is None else spread[None], 1)
    return Scores(records, Diversity(rms, perceptual))


def status_of(lr_psnr_db: float | None) -> Status:
    """The verdict on a sample with this LR-PSNR; None means that it has none because it is not a picture."""
    if lr_psnr_db is None:
        return "failed"
    return "ok" if lr_psnr_db >= OK_LR_PSNR_DB else "loose"


def _numbers(scores: Tensor | None, count: int) -> list[float | None]:
    """Scores [count] as numbers; None for each that is missing or not finite."""
    if scores is None:
        return [None] * count
    return [value if abs(value) < float("inf") else None for value in scores.tolist()]
