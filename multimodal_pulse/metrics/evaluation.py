"""The scores of the samples of one reference, which are the saved 8-bit pictures."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from multimodal_pulse.base.faithfulness import OK_LR_PSNR_DB
from multimodal_pulse.metrics.deep_features import PerceptualDistance
from multimodal_pulse.metrics.diversity_score import diversity_score, squared_error_maps
from multimodal_pulse.metrics.functional import (
    lr_psnr,
    lr_psnr_ntire,
    mean_image_psnr,
    pairwise_lpips,
    pairwise_rms,
    pixel_std,
    psnr,
    ssim,
)
from multimodal_pulse.search.outcome import Outcome

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
        lr_psnr_float: dB against the LR reference, of the sample before it was rounded to 8 bits.
        lr_psnr_ntire: dB against the LR reference, as the NTIRE challenges measure it; `functional.lr_psnr_ntire`.
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
    lr_psnr_float: float | None = None
    lr_psnr_ntire: float | None = None


@dataclass(frozen=True)
class Diversity:
    """How far apart the samples of one reference are; None where there are fewer than two that can be compared.

    Attributes:
        rms: mean over pairs of the root-mean-square difference, grey levels (0 to 255).
        lpips: mean over pairs of LPIPS.
        pixel_std: standard deviation of a pixel, mean over the picture, grey levels (0 to 255).
        lpips_score: the NTIRE challenges' diversity score (0 to 100) of LPIPS maps, with the run's backbone (theirs is
            AlexNet); None without an original.
        mse_score: the same of box-filtered squared error.
    """

    rms: float | None
    lpips: float | None
    pixel_std: float | None = None
    lpips_score: float | None = None
    mse_score: float | None = None


@dataclass(frozen=True)
class Scores:
    """All that is measured on one reference: a record per sample, and what those that did not fail are together.

    Attributes:
        records: one per sample.
        diversity: their spread.
        mean_image_psnr: dB against the original of the samples' mean; None without one.
    """

    records: list[SampleRecord]
    diversity: Diversity
    mean_image_psnr: float | None = None


@torch.no_grad()
def evaluate(outcome: Outcome, degradation: Callable[[Tensor], Tensor], lpips: PerceptualDistance) -> Scores:
    """Scores the samples of one reference.

    Args:
        outcome: the result of the search; a failed sample has NaN.
        degradation: A.
        lpips: from `build_lpips`.
    """
    reference, samples = outcome.reference, outcome.samples
    finite = samples.isfinite().flatten(1).all(dim=1)
    pictures = samples[finite]
    lr = reference.lr.to(samples.device)
    # An unknown original is a picture of NaN, and so are all scores against it.
    hr = torch.full_like(samples[0], torch.nan) if reference.hr is None else reference.hr.to(samples.device)
    features, of_original = lpips.features(samples), lpips.features(hr[None])

    columns = zip(
        _numbers(psnr(samples, hr)),
        _numbers(ssim(samples, hr)),
        _numbers(features.distance(of_original)),
        _numbers(lr_psnr(samples, lr, degradation)),
        _numbers(psnr(outcome.lr_before_rounding, lr)),
        _numbers(lr_psnr_ntire(samples, lr)),
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
            seconds=outcome.seconds / len(samples),
            status=status_of(faithful),
            lr_psnr_float=before_rounding,
            lr_psnr_ntire=as_ntire,
        )
        for sample, (
            to_original, similarity, distance, faithful, before_rounding, as_ntire, best_step
        ) in enumerate(columns)
    ]  # fmt: skip
    diversity = Diversity(
        rms=_number(pairwise_rms(pictures)),
        lpips=_number(pairwise_lpips(features[finite])),
        pixel_std=_number(pixel_std(pictures)),
        lpips_score=_number(diversity_score(features[finite].maps(of_original))),
        mse_score=_number(diversity_score(squared_error_maps(pictures, hr))),
    )
    return Scores(records, diversity, _number(mean_image_psnr(pictures, hr)))


def status_of(lr_psnr_db: float | None) -> Status:
    """The verdict on a sample with this LR-PSNR; None means that it has none because it is not a picture."""
    if lr_psnr_db is None:
        return "failed"
    return "ok" if lr_psnr_db >= OK_LR_PSNR_DB else "loose"


def _number(score: Tensor) -> float | None:
    """A scalar score as a number; None where there is none, which is NaN."""
    return _numbers(score[None])[0]


def _numbers(scores: Tensor) -> list[float | None]:
    """Scores [N] as numbers; None for each that is not finite."""
    return [value if abs(value) < float("inf") else None for value in scores.tolist()]
