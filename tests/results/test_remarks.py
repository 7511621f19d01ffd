"""What is remarked on a reference, from outcomes as searches hand them over."""

import dataclasses

import pytest
import torch
from torch import Tensor

from multimodal_pulse.degradation.bicubic import Bicubic
from multimodal_pulse.metrics import NullLpips, Scores, evaluate
from multimodal_pulse.references.base import Reference, degraded, outside
from multimodal_pulse.references.noise import Noise
from multimodal_pulse.results.remarks import promised_db, remarks
from multimodal_pulse.search.consistency import ExactConsistency
from multimodal_pulse.search.outcome import Outcome, round_samples

DEGRADATION = Bicubic(4)
ABSENT = NullLpips("alex", "not there")
CHECKERBOARD = ((torch.arange(4)[:, None] + torch.arange(4)) % 2).float().expand(3, 4, 4)
FAR = torch.full((2, 3, 16, 16), 0.5)


def near(reference: Reference) -> Tensor:
    return ExactConsistency()(FAR, reference.lr, DEGRADATION)


def outcome(reference: Reference, samples: Tensor, noise_std: float = 0.0) -> Outcome:
    samples, lr_before_rounding = round_samples(samples, DEGRADATION)
    generator = torch.Generator().manual_seed(0)
    return Outcome(
        reference=reference,
        targets=reference.lr + noise_std * torch.randn(len(samples), *reference.lr.shape, generator=generator),
        mask=None,
        samples=samples,
        lr_found=lr_before_rounding,
        lr_before_rounding=lr_before_rounding,
        latents={},
        fidelity_trace=torch.ones(1, len(samples)),
        best_step=[0] * len(samples),
        steps=1,
        seconds=1.0,
    )


def scored(found: Outcome, exact: bool) -> Scores:
    return evaluate(found, DEGRADATION, ABSENT, promised_db=promised_db(exact, found.reference))


def said(found: Outcome, exact: bool = False, strange: str | None = None) -> list[str]:
    return remarks(found, scored(found, exact), exact, strange)


@pytest.fixture
def reference() -> Reference:
    return degraded("face", torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(0)), DEGRADATION)


def test_nothing_is_remarked_on_faithful_samples(reference: Reference):
    assert said(outcome(reference, near(reference)), exact=True) == []
    assert said(outcome(reference, near(reference), noise_std=0.1)) == []


def test_noise_that_the_bound_of_a_reference_allows_for_is_no_excuse(reference: Reference):
    of_option = outcome(reference, FAR)
    of_reference = dataclasses.replace(of_option, reference=dataclasses.replace(reference, noise=Noise(0.01, "given")))
    [excuse], [reason] = (remarks(one, scored(one, False), False, None, 0.01) for one in (of_option, of_reference))
    assert "not meant to be" in excuse and "not meant to be" not in reason and "more steps" in reason


def test_the_noise_is_named_where_it_is_the_reason(reference: Reference):
    [noise] = said(outcome(reference, FAR, noise_std=0.108))
    assert "the reference + noise" in noise and "smaller noise.lr_std" in noise and "consistency=exact" in noise
    [search] = said(outcome(reference, FAR))
    assert "noise" not in search and "more steps" in search and "consistency=exact" in search
    # Noise at 40 dB does not keep a sample below 27 dB.
    assert said(outcome(reference, FAR, noise_std=0.01)) == [search]


def test_what_only_the_consistency_step_made_faithful_is_said(reference: Reference):
    of_search = dataclasses.replace(outcome(reference, near(reference)), lr_found=DEGRADATION(FAR))
    [sentence] = said(of_search, exact=True)
    assert "below 27 dB" in sentence and "More steps may help" in sentence
    one_of_two = torch.cat([FAR[:1], near(reference)[:1]])
    assert said(dataclasses.replace(of_search, lr_found=DEGRADATION(one_of_two)), exact=True) == [sentence]
    assert said(outcome(reference, near(reference)), exact=True) == []


def test_one_sentence_serves_all_references_of_which_it_is_true(reference: Reference):
    one_of_two = torch.cat([FAR[:1], near(reference)[:1]])
    assert said(outcome(reference, FAR)) == said(outcome(reference, one_of_two)) != []


def test_a_reference_that_no_picture_can_have_is_named_with_the_most_there_is():
    board = Reference("board", CHECKERBOARD, None)
    found = outcome(board, near(board))
    bound = scored(found, exact=True).lr_psnr_bound
    assert bound is not None and bound < 20
    [exact] = said(found, exact=True)
    assert f"at most {bound:.1f} dB" in exact and "as near to it as they can" in exact
    [without] = said(outcome(board, FAR))
    assert f"at most {bound:.1f} dB" in without and "as they can" not in without


def test_a_slightly_impossible_reference_matters_only_to_exact_consistency():
    lr = torch.full((3, 4, 4), 0.03)
    lr[:, :, 2:] = 0.97
    edge = Reference("edge", lr, None)
    found = outcome(edge, near(edge))
    bound = scored(found, exact=True).lr_psnr_bound
    assert bound is not None and 27 < bound < 60
    assert said(found) == [] and len(said(found, exact=True)) == 1


def test_what_the_generator_does_not_know_is_said_first(reference: Reference):
    strange = outside("rendered portraits", "photographs")
    first, second = said(outcome(reference, FAR), strange=strange)
    assert first == (
        "The generator knows rendered portraits, and the references are photographs, outside of what it has seen."
    )
    assert second.startswith("Not faithful, because")


def test_a_failed_sample_is_explained(reference: Reference):
    samples = near(reference)
    samples[1] = torch.nan
    [failed] = said(dataclasses.replace(outcome(reference, near(reference)), samples=samples))
    assert "failed" in failed and "optimizer.lr" in failed
