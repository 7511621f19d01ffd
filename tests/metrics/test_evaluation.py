import dataclasses
import math

import pytest
import torch
from torch import Tensor

from multimodal_pulse.degradation import Degradation
from multimodal_pulse.metrics import evaluate
from multimodal_pulse.metrics.evaluation import status_of
from multimodal_pulse.metrics.functional import lr_psnr, pairwise_rms, psnr, ssim
from multimodal_pulse.metrics.lpips import NullLpips
from multimodal_pulse.outcome import Outcome
from multimodal_pulse.references.base import Reference, degraded
from multimodal_pulse.references.images import quantise

DEGRADATION = Degradation(4)
ABSENT = NullLpips("alex", "not there")


def mean_difference(x: Tensor, y: Tensor) -> Tensor:
    return (x - y).abs().mean((1, 2, 3))


@pytest.fixture
def outcome() -> Outcome:
    generator = torch.Generator().manual_seed(0)
    reference = degraded("face", torch.rand(3, 16, 16, generator=generator), DEGRADATION)
    assert reference.hr is not None
    close = reference.hr + 0.002 * torch.rand(3, 16, 16, generator=generator)
    far = torch.rand(2, 3, 16, 16, generator=generator)
    return Outcome(
        reference=reference,
        targets=reference.lr.expand(3, -1, -1, -1),
        mask=None,
        samples=torch.cat([close[None], far]).clamp(0, 1),
        latents={},
        fidelity_trace=torch.ones(5, 3),
        best_step=[4, 2, 0],
        steps=5,
        seconds=6.0,
    )


def test_every_score_is_of_the_rounded_picture(outcome: Outcome):
    scores = evaluate(outcome, DEGRADATION, mean_difference)
    saved, hr, lr = quantise(outcome.samples), outcome.reference.hr, outcome.reference.lr
    assert hr is not None
    columns = {
        "psnr": psnr(saved, hr),
        "ssim": ssim(saved, hr),
        "lpips": mean_difference(saved, hr),
        "lr_psnr": lr_psnr(saved, lr, DEGRADATION),
    }
    for name, expected in columns.items():
        assert [getattr(record, name) for record in scores.records] == expected.tolist()
    assert scores.records[0].lr_psnr != float(lr_psnr(outcome.samples, lr, DEGRADATION)[0])
    assert scores.diversity.rms == float(pairwise_rms(saved))
    assert scores.diversity.lpips == pytest.approx(
        float(torch.stack([(saved[a] - saved[b]).abs().mean() for a, b in ((0, 1), (0, 2), (1, 2))]).mean())
    )


def test_records_say_which_sample_when_and_how_good(outcome: Outcome):
    records = evaluate(outcome, DEGRADATION, ABSENT).records
    assert [(record.reference, record.sample, record.steps, record.best_step) for record in records] == [
        ("face", 0, 5, 4),
        ("face", 1, 5, 2),
        ("face", 2, 5, 0),
    ]
    assert sum(record.seconds for record in records) == pytest.approx(6.0)
    assert [record.status for record in records] == ["ok", "loose", "loose"]


def test_without_an_original_only_faithfulness_is_scored(outcome: Outcome):
    blind = dataclasses.replace(outcome, reference=Reference("face", outcome.reference.lr, None))
    for record in evaluate(blind, DEGRADATION, mean_difference).records:
        assert record.psnr is record.ssim is record.lpips is None
        assert record.lr_psnr is not None


def test_without_lpips_the_rest_is_scored(outcome: Outcome):
    scores = evaluate(outcome, DEGRADATION, ABSENT)
    assert scores.diversity.lpips is None and scores.diversity.rms is not None
    assert all(record.lpips is None and record.psnr is not None for record in scores.records)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_failed_sample_has_no_numbers_and_does_not_touch_the_others(outcome: Outcome, bad: float):
    samples = outcome.samples.clone()
    samples[1, 0, 3, 3] = bad
    broken = evaluate(dataclasses.replace(outcome, samples=samples), DEGRADATION, mean_difference)
    whole = evaluate(outcome, DEGRADATION, mean_difference)
    assert broken.records[1].status == "failed"
    failed = broken.records[1]
    assert failed.psnr is failed.ssim is failed.lpips is failed.lr_psnr is None
    assert [broken.records[0], broken.records[2]] == [whole.records[0], whole.records[2]]
    assert broken.diversity.rms == float(pairwise_rms(quantise(outcome.samples[[0, 2]])))


def test_when_all_samples_failed_there_is_no_spread(outcome: Outcome):
    nothing = dataclasses.replace(outcome, samples=torch.full_like(outcome.samples, math.nan))
    scores = evaluate(nothing, DEGRADATION, mean_difference)
    assert {record.status for record in scores.records} == {"failed"}
    assert scores.diversity.rms is None and scores.diversity.lpips is None


def test_a_single_sample_has_no_spread(outcome: Outcome):
    single = dataclasses.replace(
        outcome, samples=outcome.samples[:1], targets=outcome.targets[:1], best_step=outcome.best_step[:1]
    )
    diversity = evaluate(single, DEGRADATION, mean_difference).diversity
    assert diversity.rms is None and diversity.lpips is None


def test_status_follows_pulses_tolerance():
    assert [status_of(value) for value in (27.0, 26.99, None)] == ["ok", "loose", "failed"]
