import math

import pytest
import torch
from pixel_features import PixelFeatures, pixel_distance

from multimodal_pulse.degradation.bicubic import Bicubic
from multimodal_pulse.metrics import (
    BestPsnr,
    Calibration,
    FailureShare,
    LowResolutionPsnr,
    LpipsDiversityScore,
    MeanImageGain,
    MeanImagePsnr,
    MseDiversityScore,
    NtireLowResolutionPsnr,
    PairwiseLpips,
    PairwiseRms,
    PeakSignalNoiseRatio,
    PerceptualSimilarity,
    PixelStd,
    StructuralSimilarity,
)
from multimodal_pulse.metrics.diversity_score import diversity_score, squared_error_maps
from multimodal_pulse.metrics.functional import (
    calibration,
    lr_psnr,
    lr_psnr_ntire,
    mean_image_gain,
    mean_image_psnr,
    pairwise_rms,
    pixel_std,
    psnr,
    ssim,
)
from multimodal_pulse.metrics.lpips import NullLpips

GENERATOR = torch.Generator().manual_seed(0)
REFERENCES = [
    (torch.rand(2, 3, 16, 16, generator=GENERATOR), torch.rand(3, 16, 16, generator=GENERATOR)) for _ in range(3)
]
LPIPS = PixelFeatures()


@pytest.mark.parametrize(
    ("metric", "score"),
    [
        (PeakSignalNoiseRatio(), psnr),
        (StructuralSimilarity(), ssim),
        (PerceptualSimilarity(LPIPS), pixel_distance),
        (LowResolutionPsnr(Bicubic(1)), lambda samples, lr: lr_psnr(samples, lr, Bicubic(1))),
        (NtireLowResolutionPsnr(), lr_psnr_ntire),
        (BestPsnr(), lambda samples, hr: psnr(samples, hr).max()[None]),
        (MeanImagePsnr(), lambda samples, hr: mean_image_psnr(samples, hr)[None]),
        (MeanImageGain(), lambda samples, hr: mean_image_gain(samples, hr)[None]),
        (Calibration(), lambda samples, hr: calibration(samples, hr)[None]),
        (MseDiversityScore(), lambda samples, hr: diversity_score(squared_error_maps(samples, hr))[None]),
        (
            LpipsDiversityScore(LPIPS),
            lambda samples, hr: diversity_score(LPIPS.features(samples).maps(LPIPS.features(hr[None])))[None],
        ),
    ],
)
def test_scores_are_averaged_over_samples_then_over_references(metric, score):
    for samples, hr in REFERENCES:
        metric.update(samples, hr)
    scores = [score(samples, hr) for samples, hr in REFERENCES]
    means = torch.tensor([float(values.double().mean()) for values in scores], dtype=torch.float64)
    result = metric.compute()
    assert result["mean"] == pytest.approx(float(means.mean()))
    assert result["std"] == pytest.approx(float(means.std(correction=0)), rel=1e-5)
    assert result["min"] == pytest.approx(min(float(values.min()) for values in scores))


def test_spreads_take_a_reference_at_a_time():
    rms, perceptual, std = PairwiseRms(), PairwiseLpips(LPIPS), PixelStd()
    for samples, _ in REFERENCES:
        for metric in (rms, perceptual, std):
            metric.update(samples)
    assert rms.compute()["mean"] == pytest.approx(sum(float(pairwise_rms(s)) for s, _ in REFERENCES) / 3)
    assert std.compute()["mean"] == pytest.approx(sum(float(pixel_std(s)) for s, _ in REFERENCES) / 3)
    distances = [float(pixel_distance(samples[:1], samples[1])) for samples, _ in REFERENCES]
    assert perceptual.compute()["mean"] == pytest.approx(sum(distances) / 3)


@pytest.mark.filterwarnings("ignore:The ``compute`` method")
def test_the_share_of_failures_is_of_all_samples():
    metric = FailureShare(27.0)
    assert math.isnan(metric.compute())
    metric.update(torch.tensor([26.9, 27.0, math.nan]))
    metric.update(torch.tensor([30.0]))
    assert metric.compute() == 0.5


def test_without_lpips_there_is_no_number():
    absent = NullLpips("alex", "not there")
    of_original, spread = (PerceptualSimilarity(absent), LpipsDiversityScore(absent)), PairwiseLpips(absent)
    for samples, hr in REFERENCES:
        for metric in of_original:
            metric.update(samples, hr)
        spread.update(samples)
    assert all(math.isnan(metric.compute()["mean"]) for metric in (*of_original, spread))


def test_reset_starts_anew():
    metric = PeakSignalNoiseRatio()
    metric.update(*REFERENCES[0])
    metric.reset()
    metric.update(*REFERENCES[1])
    assert metric.compute()["mean"] == pytest.approx(float(psnr(*REFERENCES[1]).mean()))
