"""Samples that fit their targets well enough leave the batch, and nobody else notices."""

from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_search import run, tiny_references, tiny_search, tiny_statistics
from torch import nn

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.diversity.batch_diversity import BatchDiversity
from multimodal_pulse.diversity.synthesis_noise import PulseNoise
from multimodal_pulse.generator.spaces.sphere import Sphere
from multimodal_pulse.search import optimizers, schedules
from multimodal_pulse.search.active import Active, ActiveUntil
from multimodal_pulse.search.joint import Joint
from multimodal_pulse.search.keep import LastIterate
from multimodal_pulse.search.stages import Stage

STEPS = 40
OPTIMIZERS = {
    "ranger21": partial(optimizers.ranger21, lr=0.4),
    "ranger21_of_batch": partial(optimizers.ranger21_of_batch, lr=0.4, weight_decay=1e-4),
    "adam": partial(optimizers.adam, lr=0.2),
    "sgd": partial(optimizers.sgd, lr=0.02, momentum=0.9),
    "lbfgs": partial(optimizers.lbfgs, lr=1.0, first_move=1.0, history=12),
}


def until(target):
    return partial(ActiveUntil, target_lr_psnr=target)


def decibels(fidelity):
    return -10 * torch.log10(fidelity)


def searched(changes, **more):
    search = tiny_search(tiny_references(3), [[0, 1, 2]], **{"steps": STEPS, "num_samples": 2} | changes | more)
    return run(search, precision="64-true")


@pytest.mark.parametrize("coupling", [{}, {"batch_diversity": BatchDiversity()}], ids=["alone", "coupled"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_who_has_left_fits_and_the_others_go_on_as_if_nobody_had(name, coupling):
    settings = {"optimizer": OPTIMIZERS[name], "synthesis_noise": PulseNoise()} | coupling
    whole = searched(settings)
    best = {key: decibels(outcome.fidelity_trace.min(dim=0).values) for key, outcome in whole.items()}
    # Between the references, so that some leave and some do not.
    reached = torch.stack([values.min() if coupling else values.max() for values in best.values()])
    target = reached.sort().values[1:].mean().item()
    left = searched(settings, active=until(target))

    lengths = [passes for outcome in left.values() for passes in outcome.passes]
    assert min(lengths) < STEPS == max(lengths)
    for key, outcome in left.items():
        assert outcome.steps == max(outcome.passes)
        if coupling:
            assert len(set(outcome.passes)) == 1
        for sample, passes in enumerate(outcome.passes):
            same, trace = whole[key].fidelity_trace[:passes, sample], outcome.fidelity_trace[:, sample]
            assert torch.allclose(trace[:passes], same, rtol=0, atol=1e-8)
            assert bool((trace[passes:] == trace[passes - 1]).all())
            assert outcome.best_step[sample] == same.argmin() < passes
            kept = decibels(trace[outcome.best_step[sample]])
            if passes < STEPS:
                assert kept >= target
            else:
                assert torch.allclose(
                    outcome.latents["latent"][sample], whole[key].latents["latent"][sample], atol=1e-8
                )


def test_a_target_out_of_reach_changes_no_bit_and_none_is_the_default():
    default, unreachable = searched({}), searched({}, active=until(300.0))
    for key, outcome in default.items():
        assert outcome.passes == unreachable[key].passes == [STEPS, STEPS]
        assert torch.equal(outcome.fidelity_trace, unreachable[key].fidelity_trace)
        assert all(torch.equal(value, unreachable[key].latents[name]) for name, value in outcome.latents.items())


def test_a_group_ends_with_its_last_sample_and_the_next_one_begins():
    search = tiny_search(tiny_references(3), [[0, 1], [2]], steps=STEPS, active=until(5.0), film_frames=STEPS)
    found = run(search)
    for group in (["r0", "r1"], ["r2"]):
        last = max(passes for name in group for passes in found[name].passes)
        assert last < STEPS
        for name in group:
            assert len(found[name].fidelity_trace) == len(found[name].film) == last
            assert found[name].film_steps == list(range(last))
            assert (decibels(found[name].fidelity_trace[-1]) >= 5).all()


def test_a_sample_that_left_in_the_first_stage_is_handed_over_as_it_was():
    search = tiny_search(tiny_references(3), [[0, 1, 2]], num_samples=2)
    generator = search.generator

    def stage(steps):
        space = Sphere(generator, tiny_statistics(generator))
        return Stage(space, steps, OPTIMIZERS["adam"], schedules.NoSchedule())

    first = searched({"stages": [stage(10)], "generator": generator})
    ends = torch.stack([decibels(outcome.fidelity_trace.min(dim=0).values).max() for outcome in first.values()])
    target = ends.max().item() - 1e-6
    both = searched({"stages": [stage(10), stage(10)], "generator": generator}, active=until(target))
    whole = searched({"stages": [stage(10), stage(10)], "generator": generator})
    early = [(key, sample) for key in both for sample, passes in enumerate(both[key].passes) if passes <= 10]
    assert early
    for key, sample in early:
        w_plus = (both[key].latents["w_plus"][sample], first[key].latents["w_plus"][sample])
        assert torch.allclose(*w_plus, atol=1e-6) and both[key].best_step[sample] == first[key].best_step[sample]
    late = [(key, sample) for key in both for sample, passes in enumerate(both[key].passes) if passes == 20]
    for key, sample in late:
        assert torch.allclose(both[key].latents["latent"][sample], whole[key].latents["latent"][sample], atol=1e-8)


def test_the_last_iterate_is_that_of_the_last_pass():
    found = searched({"keep": LastIterate, "optimizer": OPTIMIZERS["adam"]}, active=until(12.0))
    passes = [passes for outcome in found.values() for passes in outcome.passes]
    assert min(passes) < STEPS
    assert [step + 1 for outcome in found.values() for step in outcome.best_step] == passes


@given(st.integers(1, 5), st.integers(1, 4), st.data())
def test_a_problem_leaves_once_all_of_its_samples_fit(problems, samples, data):
    active, counted = ActiveUntil(problems, samples, target_lr_psnr=20.0), [0] * (problems * samples)
    there = torch.zeros(problems, samples, dtype=torch.bool)
    for _ in range(3):
        begun = [row for row in range(problems * samples) if not there[row // samples].all()]
        assert active.rows == begun
        assert torch.arange(problems * samples)[active.index].tolist() == begun
        losses = active.spread(torch.ones(len(begun) // samples))
        assert losses.isnan().tolist() == there.all(dim=1).tolist()
        for row in begun:
            counted[row] += 1
        there |= torch.tensor(
            data.draw(st.lists(st.booleans(), min_size=there.numel(), max_size=there.numel()))
        ).view_as(there)
        active.after_pass(torch.where(there, 0.009, 0.011).flatten())
        assert active.passes == counted


def test_all_are_searched_where_there_is_no_target():
    active = Active(3, 2)
    active.after_pass(torch.zeros(6))
    assert active.rows == [0, 1, 2, 3, 4, 5] and active.passes == [1] * 6
    assert active.spread(torch.arange(3.0)).tolist() == [0, 1, 2]


@pytest.mark.parametrize("target", [0.0, -3.0, float("nan")])
def test_a_target_that_cannot_be_meant_is_refused(target):
    with pytest.raises(UserError, match="target_lr_psnr="):
        ActiveUntil(1, 1, target_lr_psnr=target)


def test_a_joint_problem_without_gradients_stays_where_it_is():
    problems = [[nn.Parameter(torch.ones(2)) for _ in range(2)] for _ in range(2)]
    optimizer = Joint(problems, lambda common, samples: torch.optim.Adam(common, lr=0.1), lr=0.1)
    for parameter in problems[0]:
        parameter.grad = torch.ones(2)
    optimizer.step()
    assert all((parameter < 1).all() for parameter in problems[0])
    assert all((parameter == 1).all() for parameter in problems[1])
