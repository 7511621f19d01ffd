"""The scores of the samples of one reference, which are the saved 8-bit pictures."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from multimodal_pulse.base.faithfulness import OK_LR_PSNR_DB
from multimodal_pulse.degradation import Bicubic, Degradation
from multimodal_pulse.metrics.deep_features import PerceptualDistance
from multimodal_pulse.metrics.diversity_score import diversity_score, squared_error_maps
from multimodal_pulse.metrics.functional import (
    calibration,
    lr_psnr,
    lr_psnr_ntire,
    mean_image_gain,
    mean_image_psnr,
    pairwise_lpips,
    pairwise_rms,
    pixel_std,
    psnr,
    spread,
    ssim,
)
from multimodal_pulse.metrics.realism import NullRealism, Realism
from multimodal_pulse.references.held import Held, NothingHeld
from multimodal_pulse.search.consistency import lr_psnr_bound
from multimodal_pulse.search.outcome import Outcome

Status = Literal["ok", "loose", "failed"]


@dataclass(frozen=True)
class SampleRecord:
    """One line of records.jsonl. A score that does not exist (no original, no LPIPS, a failed sample) is None.

    Attributes:
        reference: the name of the reference.
        sample: the number of the sample, from 0.
        psnr: PSNR in dB against the original, at most `PSNR_CAP_DB`.
        ssim: SSIM against the original, at most 1.
        lpips: LPIPS to the original.
        lr_psnr: LR-PSNR in dB of the saved file against the LR reference.
        steps: the passes that the search of this sample took.
        best_step: the step of the kept iterate.
        seconds: the sample's share of the wall time of the search.
        status: how faithful the sample is to the reference: "ok" from `OK_LR_PSNR_DB` on, or from less
            if the reference has noise (`ok_lr_psnr_db`), "loose" below, "failed" if the picture has a non-finite value.
            It says nothing about how the sample looks; `realistic` does.
        lr_psnr_float: LR-PSNR in dB before the sample was rounded to 8 bits.
        lr_psnr_found: LR-PSNR in dB of what the search found, before the consistency step.
        lr_psnr_ntire: LR-PSNR in dB as the NTIRE challenges measure it; see `functional.lr_psnr_ntire`. None under
            another degradation than bicubic downsampling, which the challenges do not know.
        realistic: whether the sample lies where real pictures of its domain lie; see `Realism`.
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
    lr_psnr_found: float | None = None
    lr_psnr_ntire: float | None = None
    realistic: bool | None = None


@dataclass(frozen=True)
class Diversity:
    """The spread of the samples of one reference; None if fewer than two did not fail.

    Attributes:
        rms: the root-mean-square difference of two samples in grey levels (0 to 255), mean over pairs.
        lpips: the LPIPS of two samples, mean over pairs.
        pixel_std: the standard deviation of a pixel over the samples in grey levels, mean over the picture.
        lpips_score: the NTIRE challenges' diversity score (0 to 100) of LPIPS maps, with the backbone of the run
            (theirs is AlexNet); None without an original.
        mse_score: the same score of box-filtered squared error.
    """

    rms: float | None
    lpips: float | None
    pixel_std: float | None = None
    lpips_score: float | None = None
    mse_score: float | None = None


@dataclass(frozen=True)
class Varied:
    """Where samples differ that may do so inside of a mask only: the standard deviation of a pixel over the samples in
    grey levels, mean over the pixels; None if there are no such pixels, or fewer than two samples did not fail.

    Attributes:
        inside: over the pixels that may change.
        outside: over the others.
    """

    inside: float | None
    outside: float | None


@dataclass(frozen=True)
class Scores:
    """All scores of one reference.

    Attributes:
        records: the record of each sample.
        diversity: the spread of the samples that did not fail.
        mean_image_psnr: PSNR in dB of the mean of the samples that did not fail; None without an original.
        gain: by how many dB that exceeds the mean PSNR of the samples; see `functional.mean_image_gain`.
        calibration: their distance in units of their error, 1 for an ideal posterior; see `functional.calibration`.
        lr_psnr_bound: an LR-PSNR in dB that no picture in [0, 1] exceeds for this reference; None: every sample has
            what was promised, or no such bound was found. See `search.consistency.lr_psnr_bound`.
        varied: where the samples differ; None: they may do so everywhere.
    """

    records: list[SampleRecord]
    diversity: Diversity
    mean_image_psnr: float | None = None
    gain: float | None = None
    calibration: float | None = None
    lr_psnr_bound: float | None = None
    varied: Varied | None = None


@torch.no_grad()
def evaluate(
    outcome: Outcome,
    degradation: Degradation,
    lpips: PerceptualDistance,
    realism: Realism | NullRealism | None = None,
    promised_db: float = OK_LR_PSNR_DB,
) -> Scores:
    """Scores the samples of one reference.

    Args:
        outcome: the result of the search; a failed sample has NaN.
        degradation: A.
        lpips: from `build_lpips`.
        realism: from `build_realism`; None: not measured.
        promised_db: the LR-PSNR before rounding that the method promises. If a sample has less, it is asked whether any
            picture could have it, which takes up to a hundred rounds of exact consistency.
    """
    reference, samples = outcome.reference, outcome.samples
    finite = samples.isfinite().flatten(1).all(dim=1)
    pictures = samples[finite]
    lr = reference.lr.to(samples.device)
    # An unknown original is a picture of NaN, and so are all scores against it.
    hr = torch.full_like(samples[0], torch.nan) if reference.hr is None else reference.hr.to(samples.device)
    unknown = samples.new_full((len(samples),), torch.nan)
    features, of_original = lpips.features(samples), lpips.features(hr[None])

    scores = {
        "psnr": psnr(samples, hr),
        "ssim": ssim(samples, hr),
        "lpips": features.distance(of_original),
        "lr_psnr": lr_psnr(samples, lr, degradation),
        "lr_psnr_float": psnr(outcome.lr_before_rounding, lr),
        "lr_psnr_found": psnr(outcome.lr_found, lr),
        "lr_psnr_ntire": lr_psnr_ntire(samples, lr) if isinstance(degradation, Bicubic) else unknown,
    }
    columns = {name: _numbers(values) for name, values in scores.items()}
    realistic = (realism or NullRealism()).of(samples)
    records = [
        SampleRecord(
            reference=reference.name,
            sample=sample,
            steps=outcome.passes[sample] if outcome.passes else outcome.steps,
            best_step=int(best_step),
            seconds=outcome.seconds / len(samples),
            status=status_of(columns["lr_psnr"][sample], reference.ok_lr_psnr_db),
            realistic=realistic[sample],
            **{name: column[sample] for name, column in columns.items()},
        )
        for sample, best_step in enumerate(outcome.best_step)
    ]
    diversity = Diversity(
        rms=_number(pairwise_rms(pictures)),
        lpips=_number(pairwise_lpips(features[finite])),
        pixel_std=_number(pixel_std(pictures)),
        lpips_score=_number(diversity_score(features[finite].maps(of_original))),
        mse_score=_number(diversity_score(squared_error_maps(pictures, hr))),
    )
    falls_short = bool((scores["lr_psnr_float"] < promised_db).any())
    bound = torch.tensor(lr_psnr_bound(lr, degradation) if falls_short else torch.inf, dtype=torch.float64)
    return Scores(
        records,
        diversity,
        mean_image_psnr=_number(mean_image_psnr(pictures, hr)),
        gain=_number(mean_image_gain(pictures, hr)),
        calibration=_number(calibration(pictures, hr)),
        lr_psnr_bound=_number(bound),
        varied=_varied(pictures, reference.held),
    )


def _varied(pictures: Tensor, held: Held | NothingHeld) -> Varied | None:
    """Returns the spread of pictures [K, 3, R, R] inside and outside of a mask; None if there is no mask."""
    if not isinstance(held, Held):
        return None
    inside, of_pixels = held.inside[0].to(pictures.device), spread(pictures)
    return Varied(*(_number(of_pixels[where].mean()) for where in (inside, ~inside)))


def status_of(lr_psnr_db: float | None, ok_db: float = OK_LR_PSNR_DB) -> Status:
    """Returns the status of a sample with this LR-PSNR, None if its search failed; `ok_db` is that of its reference."""
    if lr_psnr_db is None:
        return "failed"
    return "ok" if lr_psnr_db >= ok_db else "loose"


def _number(score: Tensor) -> float | None:
    """Converts a scalar score to a number; NaN to None."""
    return _numbers(score[None])[0]


def _numbers(scores: Tensor) -> list[float | None]:
    """Converts scores [N] to numbers; those that are not finite to None."""
    return [value if abs(value) < float("inf") else None for value in scores.tolist()]
