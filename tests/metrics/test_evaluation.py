import dataclasses
import math

import pytest
import torch
from pixel_features import PixelFeatures, pixel_distance
from torch import Tensor

from multimodal_pulse.base.faithfulness import OK_LR_PSNR_DB, ok_lr_psnr_db
from multimodal_pulse.degradation import Area, Bicubic
from multimodal_pulse.metrics import Diversity, evaluate, evaluation
from multimodal_pulse.metrics.diversity_score import diversity_score, squared_error_maps
from multimodal_pulse.metrics.evaluation import status_of
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
from multimodal_pulse.references.base import Reference, degraded
from multimodal_pulse.references.noise import Noise
from multimodal_pulse.references.pixels import from_uint8, to_uint8
from multimodal_pulse.search.consistency import lr_psnr_bound
from multimodal_pulse.search.outcome import Outcome, round_samples

DEGRADATION = Bicubic(4)
ABSENT = NullLpips("alex", "not there")
LPIPS = PixelFeatures()


@pytest.fixture
def found() -> Tensor:
    """Three pictures, not yet rounded, the first of which is close to the original."""
    generator = torch.Generator().manual_seed(0)
    hr = degraded("face", torch.rand(3, 16, 16, generator=generator), DEGRADATION).hr
    assert hr is not None
    close = hr + 0.002 * torch.rand(3, 16, 16, generator=generator)
    far = torch.rand(2, 3, 16, 16, generator=generator)
    return torch.cat([close[None], far]).clamp(0, 1)


@pytest.fixture
def outcome(found: Tensor) -> Outcome:
    generator = torch.Generator().manual_seed(0)
    reference = degraded("face", torch.rand(3, 16, 16, generator=generator), DEGRADATION)
    samples, lr_before_rounding = round_samples(found, DEGRADATION)
    return Outcome(
        reference=reference,
        targets=reference.lr.expand(3, -1, -1, -1),
        mask=None,
        samples=samples,
        lr_found=lr_before_rounding,
        lr_before_rounding=lr_before_rounding,
        latents={},
        fidelity_trace=torch.ones(5, 3),
        best_step=[4, 2, 0],
        steps=5,
        seconds=6.0,
    )


def with_samples(outcome: Outcome, samples: Tensor) -> Outcome:
    low = DEGRADATION(samples)
    return dataclasses.replace(outcome, samples=samples, lr_found=low, lr_before_rounding=low)


def test_every_score_is_of_the_rounded_picture(outcome: Outcome, found: Tensor):
    scores = evaluate(outcome, DEGRADATION, LPIPS)
    saved, hr, lr = from_uint8(to_uint8(found)), outcome.reference.hr, outcome.reference.lr
    assert hr is not None
    columns = {
        "psnr": psnr(saved, hr),
        "ssim": ssim(saved, hr),
        "lpips": pixel_distance(saved, hr),
        "lr_psnr": lr_psnr(saved, lr, DEGRADATION),
        "lr_psnr_ntire": lr_psnr_ntire(saved, lr),
    }
    for name, expected in columns.items():
        assert [getattr(record, name) for record in scores.records] == pytest.approx(expected.tolist(), rel=1e-5)
    assert scores.mean_image_psnr == float(mean_image_psnr(saved, hr))
    assert scores.gain == float(mean_image_gain(saved, hr))
    assert scores.calibration == float(calibration(saved, hr))
    assert scores.diversity.rms == float(pairwise_rms(saved))
    assert scores.diversity.pixel_std == float(pixel_std(saved))
    pairs = [pixel_distance(saved[a, None], saved[b]) for a, b in ((0, 1), (0, 2), (1, 2))]
    assert scores.diversity.lpips == pytest.approx(float(torch.stack(pairs).mean()), rel=1e-5)
    maps = LPIPS.features(saved).maps(LPIPS.features(hr[None]))
    assert scores.diversity.lpips_score == float(diversity_score(maps))
    assert scores.diversity.mse_score == float(diversity_score(squared_error_maps(saved, hr)))


def test_only_the_float_lr_psnr_is_of_the_picture_before_rounding(outcome: Outcome, found: Tensor):
    scores = evaluate(outcome, DEGRADATION, ABSENT)
    unrounded = lr_psnr(found, outcome.reference.lr, DEGRADATION)
    assert [record.lr_psnr_float for record in scores.records] == unrounded.tolist()
    assert unrounded[0] != lr_psnr(outcome.samples, outcome.reference.lr, DEGRADATION)[0]


def test_what_was_found_before_the_consistency_step_is_scored_on_its_own(outcome: Outcome):
    towards_grey = torch.where(outcome.reference.lr < 0.5, 1.0, -1.0)
    off = outcome.reference.lr + torch.tensor([0.1, 0.01, 0.0])[:, None, None, None] * towards_grey
    records = evaluate(dataclasses.replace(outcome, lr_found=off), DEGRADATION, ABSENT).records
    assert [record.lr_psnr_found for record in records] == pytest.approx([20, 40, 100], abs=1e-3)
    whole = evaluate(outcome, DEGRADATION, ABSENT).records
    assert [record.lr_psnr for record in records] == [record.lr_psnr for record in whole]


def test_records_say_which_sample_when_and_how_good(outcome: Outcome):
    records = evaluate(outcome, DEGRADATION, ABSENT).records
    assert [(record.reference, record.sample, record.steps, record.best_step) for record in records] == [
        ("face", 0, 5, 4),
        ("face", 1, 5, 2),
        ("face", 2, 5, 0),
    ]
    assert sum(record.seconds for record in records) == pytest.approx(6.0)
    assert [record.status for record in records] == ["ok", "loose", "loose"]


def test_without_an_original_only_faithfulness_and_spread_are_scored(outcome: Outcome):
    blind = dataclasses.replace(outcome, reference=Reference("face", outcome.reference.lr, None))
    scores, seen = evaluate(blind, DEGRADATION, LPIPS), evaluate(outcome, DEGRADATION, LPIPS)
    assert scores.records == [dataclasses.replace(record, psnr=None, ssim=None, lpips=None) for record in seen.records]
    assert scores.diversity == dataclasses.replace(seen.diversity, lpips_score=None, mse_score=None)
    assert scores.mean_image_psnr is scores.gain is scores.calibration is None


def test_without_lpips_the_rest_is_scored(outcome: Outcome):
    scores, whole = evaluate(outcome, DEGRADATION, ABSENT), evaluate(outcome, DEGRADATION, LPIPS)
    assert scores.records == [dataclasses.replace(record, lpips=None) for record in whole.records]
    assert scores.diversity == dataclasses.replace(whole.diversity, lpips=None, lpips_score=None)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_failed_sample_has_no_numbers_and_does_not_touch_the_others(outcome: Outcome, bad: float):
    samples, low = outcome.samples.clone(), outcome.lr_before_rounding.clone()
    samples[1, 0, 3, 3], low[1, 0, 1, 1] = bad, bad
    failed_search = dataclasses.replace(outcome, samples=samples, lr_found=low, lr_before_rounding=low)
    broken = evaluate(failed_search, DEGRADATION, LPIPS)
    whole = evaluate(outcome, DEGRADATION, LPIPS)
    assert broken.records[1].status == "failed"
    failed = broken.records[1]
    assert failed.psnr is failed.ssim is failed.lpips is failed.lr_psnr is None
    assert failed.lr_psnr_float is failed.lr_psnr_ntire is failed.lr_psnr_found is None
    assert [broken.records[0], broken.records[2]] == [whole.records[0], whole.records[2]]
    rest = dataclasses.replace(outcome, targets=outcome.targets[[0, 2]], best_step=[4, 0])
    without = evaluate(with_samples(rest, outcome.samples[[0, 2]]), DEGRADATION, LPIPS)
    assert (broken.diversity, broken.mean_image_psnr) == (without.diversity, without.mean_image_psnr)


def test_when_all_samples_failed_there_is_no_spread(outcome: Outcome):
    nothing = with_samples(outcome, torch.full_like(outcome.samples, math.nan))
    scores = evaluate(nothing, DEGRADATION, LPIPS)
    assert {record.status for record in scores.records} == {"failed"}
    assert scores.diversity == Diversity(None, None) and scores.mean_image_psnr is None


def test_a_single_sample_has_no_spread(outcome: Outcome):
    single = dataclasses.replace(outcome, targets=outcome.targets[:1], best_step=outcome.best_step[:1])
    scores = evaluate(with_samples(single, outcome.samples[:1]), DEGRADATION, LPIPS)
    assert scores.diversity == Diversity(None, None)
    assert scores.mean_image_psnr == pytest.approx(scores.records[0].psnr)
    assert scores.gain is scores.calibration is None


def test_status_follows_pulses_tolerance():
    assert [status_of(value) for value in (27.0, 26.99, None)] == ["ok", "loose", "failed"]


def test_what_no_picture_can_have_is_told(outcome: Outcome):
    assert evaluate(outcome, DEGRADATION, ABSENT).lr_psnr_bound is None  # the reference of a picture
    checkerboard = ((torch.arange(4)[:, None] + torch.arange(4)) % 2).float().expand(3, 4, 4)
    impossible = dataclasses.replace(outcome, reference=Reference("board", checkerboard, None))
    scores = evaluate(impossible, DEGRADATION, ABSENT)
    assert scores.lr_psnr_bound == lr_psnr_bound(checkerboard, DEGRADATION) < 20
    assert all(record.lr_psnr is not None and record.lr_psnr < scores.lr_psnr_bound for record in scores.records)


def test_what_is_possible_is_asked_only_where_a_sample_falls_short(outcome: Outcome, found: Tensor, monkeypatch):
    asked: list[Tensor] = []
    monkeypatch.setattr(evaluation, "lr_psnr_bound", lambda lr, degradation: asked.append(lr) or 20.0)
    alone = dataclasses.replace(outcome, targets=outcome.targets[:1], best_step=[4])
    close = dataclasses.replace(with_samples(alone, outcome.samples[:1]), lr_before_rounding=DEGRADATION(found[:1]))
    assert evaluate(close, DEGRADATION, ABSENT).lr_psnr_bound is None and not asked
    assert evaluate(close, DEGRADATION, ABSENT, promised_db=90.0).lr_psnr_bound == 20.0 and len(asked) == 1
    assert evaluate(outcome, DEGRADATION, ABSENT).lr_psnr_bound == 20.0 and len(asked) == 2


def test_the_measure_of_the_challenges_is_of_bicubic_downsampling_alone(outcome: Outcome) -> None:
    assert all(record.lr_psnr_ntire is not None for record in evaluate(outcome, DEGRADATION, ABSENT).records)
    records = evaluate(outcome, Area(4), ABSENT).records
    assert all(record.lr_psnr_ntire is None and record.lr_psnr is not None for record in records)


@pytest.mark.parametrize("noise_std", [0.02, 0.05])
def test_an_original_is_within_the_noise_of_its_reference_and_a_picture_that_is_too_far_off_is_not(noise_std):
    rng = torch.Generator().manual_seed(0)
    numbers = 3 * 16 * 16
    bound = ok_lr_psnr_db(noise_std, numbers)
    noise = noise_std * torch.randn(2000, numbers, generator=rng)
    of_original = -10 * noise.square().mean(dim=1).log10()
    assert (of_original >= bound).float().mean() > 0.998
    # Twice the mean square that is accepted without noise.
    error = (2 * 10 ** (-OK_LR_PSNR_DB / 10)) ** 0.5
    refused = (-10 * (noise + error).square().mean(dim=1).log10() < bound).float().mean()
    assert refused > 0.98


def test_noise_lowers_the_bound_and_none_leaves_it():
    assert ok_lr_psnr_db(0.0, 768) == OK_LR_PSNR_DB
    bounds = [ok_lr_psnr_db(std, 768) for std in (0.001, 0.01, 0.05, 0.1)]
    assert bounds == sorted(bounds, reverse=True) and OK_LR_PSNR_DB > bounds[0] > OK_LR_PSNR_DB - 0.01
    reference = Reference("face", torch.zeros(3, 16, 16), None, noise=Noise(0.05, "given"))
    assert reference.ok_lr_psnr_db == bounds[2]
    assert [status_of(value, bounds[2]) for value in (bounds[2], bounds[2] - 0.01, None)] == ["ok", "loose", "failed"]
