import torch
from tiny_search import FACTOR, tiny_generator, tiny_references

from multimodal_pulse.degradation.bicubic import Bicubic
from multimodal_pulse.references.pixels import quantise
from multimodal_pulse.search.baselines import BicubicSearch, MeanImageSearch
from multimodal_pulse.search.consistency import ExactConsistency, NoConsistency


def outcomes(kind, consistency, groups):
    generator = tiny_generator()
    found = []
    kind(
        references=tiny_references(3),
        groups=groups,
        generator=generator,
        degradation=Bicubic(FACTOR),
        consistency=consistency,
        steps=200,
        num_samples=4,
        seed=0,
    ).run(found.append, accelerator="cpu")
    return found


def test_bicubic_gives_one_enlarged_reference_each():
    found = outcomes(BicubicSearch, NoConsistency(), [[0, 2], [1]])
    assert [outcome.reference.name for outcome in found] == ["r0", "r2", "r1"]
    for outcome in found:
        expected = Bicubic(FACTOR).upsample(outcome.reference.lr[None]).clamp(0, 1)
        assert torch.equal(outcome.samples, quantise(expected))
        assert torch.equal(outcome.lr_before_rounding, Bicubic(FACTOR)(expected))
        assert torch.equal(outcome.targets, outcome.reference.lr[None])
        assert outcome.latents == {} and outcome.steps == 0 and outcome.best_step == [0]
        assert outcome.fidelity_trace.shape == (0, 1)


def test_many_references_have_a_progress_bar(capsys):
    outcomes(BicubicSearch, NoConsistency(), [[0, 1], [2]])
    said = capsys.readouterr().err
    assert said.startswith("references:   0%") and "3/3" in said.splitlines()[-1]
    outcomes(BicubicSearch, NoConsistency(), [[0]])
    assert capsys.readouterr().err == ""


def test_the_mean_image_is_the_same_for_all_and_drawn_by_its_latents():
    first, second = outcomes(MeanImageSearch, NoConsistency(), [[0], [1]])
    assert torch.equal(first.samples, second.samples)
    noise_maps = [first.latents[f"noise.{layer}"] for layer in range(5)]
    again = tiny_generator().synthesis(first.latents["w_plus"], noise_maps)
    assert torch.equal(quantise(again), first.samples)
    # The mean of the mapped latents lies near the middle of what random z give, far nearer than any of them.
    w = tiny_generator().mapping(torch.randn(500, 16, generator=torch.Generator().manual_seed(3)))
    assert (w.mean(dim=0) - first.latents["w_plus"][0]).norm() < (w - w.mean(dim=0)).norm(dim=(1, 2)).mean() / 2


def test_consistency_is_applied_to_baselines_as_well():
    found = outcomes(MeanImageSearch, ExactConsistency(rounds=50), [[0, 1, 2]])
    plain = outcomes(MeanImageSearch, NoConsistency(), [[0, 1, 2]])
    for exact, loose in zip(found, plain, strict=True):
        error = (exact.lr_before_rounding - exact.targets).square().mean()
        assert error < (loose.lr_before_rounding - loose.targets).square().mean() / 10
