import math

import pytest
import torch
from torch import Tensor

from multimodal_pulse.degradation import Degradation
from multimodal_pulse.metrics.classes import (
    LowResolutionPsnr,
    PairwiseLpips,
    PairwiseRms,
    PeakSignalNoiseRatio,
    PerceptualSimilarity,
    StructuralSimilarity,
)
from multimodal_pulse.metrics.functional import lr_psnr, pairwise_rms, psnr, ssim
from multimodal_pulse.metrics.lpips import NullLpips

GENERATOR = torch.Generator().manual_seed(0)
REFERENCES = [
    (torch.rand(2, 3, 16, 16, generator=GENERATOR), torch.rand(3, 16, 16, generator=GENERATOR)) for _ in range(3)
]


def mean_difference(x: Tensor, y: Tensor) -> Tensor:
    return (x - y).abs().mean((1, 2, 3))


@pytest.mark.parametrize(
    ("metric", "score"),
    [
        (PeakSignalNoiseRatio(), psnr),
        (StructuralSimilarity(), ssim),
        (PerceptualSimilarity(mean_difference), mean_difference),
        (
            LowResolutionPsnr(Degradation(1)),
            lambda samples, lr: lr_psnr(samples, lr, Degradation(1)),
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
    assert result["std"] == pytest.approx(float(means.std(correction=0)))
    assert result["min"] == pytest.approx(min(float(values.min()) for values in scores))


def test_pairwise_metrics_take_a_reference_at_a_time():
    rms, perceptual = PairwiseRms(), PairwiseLpips(mean_difference)
    for samples, _ in REFERENCES:
        rms.update(samples)
        perceptual.update(samples)
    assert rms.compute()["mean"] == pytest.approx(sum(float(pairwise_rms(s)) for s, _ in REFERENCES) / 3)
    distances = [float((samples[0] - samples[1]).abs().mean()) for samples, _ in REFERENCES]
    assert perceptual.compute()["mean"] == pytest.approx(sum(distances) / 3)


@pytest.mark.filterwarnings("ignore:The ``compute`` method")
def test_without_lpips_there_is_no_number():
    absent = NullLpips("alex", "not there")
    distance, spread = PerceptualSimilarity(absent), PairwiseLpips(absent)
    for samples, hr in REFERENCES:
        distance.update(samples, hr)
        spread.update(samples)
    assert math.isnan(distance.compute()["mean"]) and math.isnan(spread.compute()["mean"])


def test_reset_starts_anew():
    metric = PeakSignalNoiseRatio()
    metric.update(*REFERENCES[0])
    metric.reset()
    metric.update(*REFERENCES[1])
    assert metric.compute()["mean"] == pytest.approx(float(psnr(*REFERENCES[1]).mean()))
