"""Stages in different spaces, and restarts."""

from functools import partial

import pytest
import torch
from tiny_search import run, tiny_generator, tiny_references, tiny_search, tiny_statistics

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.base.randomness import stream
from multimodal_pulse.configuration.compose import compose_config
from multimodal_pulse.generator import Gaussian, Intermediate, Sphere, W, WPlus, Z, ZPlus
from multimodal_pulse.references.pixels import quantise
from multimodal_pulse.run.build import build_stages
from multimodal_pulse.search import optimizers, schedules
from multimodal_pulse.search.stages import Stage

GENERATOR = tiny_generator()
STATISTICS = tiny_statistics(GENERATOR)


def stage(space, steps: int = 6) -> Stage:
    return Stage(space, steps, partial(optimizers.adam, lr=0.05), schedules.FixedSchedule())


def search(*stages: Stage):
    return tiny_search(tiny_references(2), [[0, 1]], generator=GENERATOR, stages=stages)


@pytest.mark.parametrize(
    "spaces",
    [
        (Z(GENERATOR), ZPlus(GENERATOR), WPlus(GENERATOR)),
        (W(GENERATOR), Gaussian(GENERATOR, STATISTICS)),
        (Sphere(GENERATOR, STATISTICS), *(Intermediate(GENERATOR, r, 50.0, STATISTICS) for r in (4, 8))),
    ],
    ids=["z, z_plus, w_plus", "w, gaussian", "ilo"],
)  # fmt: skip
def test_a_stage_begins_at_the_picture_where_the_one_before_ended(spaces):
    outcome = run(search(*map(stage, spaces)))["r0"]
    trace = outcome.fidelity_trace
    for first in range(6, len(trace), 6):
        assert torch.allclose(trace[first], trace[first - 6 : first].min(dim=0).values, rtol=1e-3)
    assert trace[-1].mean() < 0.9 * trace[0].mean()
    last = spaces[-1]
    noise_maps = [outcome.latents[f"noise.{layer}"] for layer in range(5)]
    assert torch.equal(quantise(last.redraw(GENERATOR, outcome.latents, noise_maps)), outcome.samples)


def test_a_restart_begins_anew_and_the_best_iterate_of_all_is_kept():
    once = stage(Sphere(GENERATOR, STATISTICS))
    outcome = run(search(once, once, once))["r0"]
    trace = outcome.fidelity_trace
    assert trace.shape == (18, 2) and outcome.steps == 18
    assert torch.equal(trace[:6], run(search(once))["r0"].fidelity_trace)
    assert outcome.best_step == trace.argmin(dim=0).tolist()
    for restart in (1, 2):
        streams = [stream(0, f"r0, restart {restart}", k, "latent") for k in range(2)]
        latents = torch.stack([once.latent_space.initial(rng)["latent"] for rng in streams])
        images = GENERATOR.synthesis(once.latent_space.to_w_plus(latents))
        lr = tiny_search([], []).degradation(images)
        expected = (lr - tiny_references(1)[0].lr).square().mean(dim=(1, 2, 3))
        assert torch.allclose(trace[6 * restart], expected, rtol=1e-4)


def test_restarts_are_repeated_stages_and_several_stages_cannot_be_restarted():
    csgm = ["method=csgm", "generator=untrained", "steps=7"]
    stages = build_stages(compose_config(csgm), GENERATOR)
    assert len(stages) == 2 and stages[0] is stages[1] and stages[0].steps == 7
    restarted = compose_config(csgm)
    restarted.stages.before = compose_config(["method=ilo", "generator=untrained"]).stages.before
    with pytest.raises(UserError, match=r"stages\.restarts=2: only a search with a single stage"):
        build_stages(restarted, GENERATOR)
