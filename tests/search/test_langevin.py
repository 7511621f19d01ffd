"""Langevin dynamics on a quadratic, whose stationary distribution is known exactly for every step size."""

import math

import pytest
import torch
from tiny_search import run, tiny_generator, tiny_references, tiny_search

from multimodal_pulse.search import optimizers
from multimodal_pulse.search.after_step import LangevinNoise, Step
from multimodal_pulse.search.keep import LastIterate
from multimodal_pulse.search.variables import Variable, by_problem

PRECISIONS = torch.tensor([0.5, 1.0, 4.0, 16.0])
STEP_SIZE = 0.05


def chains(num_chains: int, steps: int) -> torch.Tensor:
    """The ends of chains with U(x) = sum of precision * x^2 / 2, all begun at x = 3: [num_chains, 4]."""
    variable = Variable(torch.full((num_chains, 4), 3.0))
    problems = by_problem([variable], num_chains)
    optimizer = optimizers.gradient_descent(problems, num_iterations=steps, built_in_schedule=False, lr=STEP_SIZE)
    streams = [torch.Generator().manual_seed(chain) for chain in range(num_chains)]
    for _ in range(steps):
        for parameter in variable.parameters:
            parameter.grad = PRECISIONS * parameter.detach()
        optimizer.step()
        LangevinNoise()(Step(None, {"latent": variable}, STEP_SIZE, streams))
    return variable.stack().detach()


def test_the_stationary_distribution_is_normal_with_the_variance_of_the_discretised_chain():
    # x' = (1 - h p) x + sqrt(2 h) noise has the stationary variance 1 / (p (1 - h p / 2)).
    count = 1500
    ends = chains(count, 300)  # the slowest direction forgets its start as 0.975^300 = 5e-4
    variance = 1 / (PRECISIONS * (1 - STEP_SIZE * PRECISIONS / 2))
    z_of_mean = ends.mean(dim=0) / (variance / count).sqrt()
    assert z_of_mean.abs().max() < 4
    # The variance of N normal numbers has the relative standard error sqrt(2 / N), 3.7 % here. The variance of the
    # continuous dynamics, 1 / p, would be 40 % off in the last direction.
    z_of_variance = (ends.var(dim=0) / variance - 1) / math.sqrt(2 / count)
    assert z_of_variance.abs().max() < 4
    fourth = ((ends - ends.mean(dim=0)) / ends.std(dim=0)).pow(4).mean(dim=0)
    assert ((fourth - 3) / math.sqrt(24 / count)).abs().max() < 4  # of a normal distribution
    correlation = torch.corrcoef(ends.T) - torch.eye(4)
    assert correlation.abs().max() < 4 / math.sqrt(count)


def test_a_samples_noise_is_its_own():
    assert torch.equal(chains(5, 3)[:2], chains(2, 3))
    assert not torch.equal(chains(2, 3)[0], chains(2, 3)[1])


def test_a_search_hands_over_its_learning_rate_and_ends_at_the_last_iterate():
    class Recorded(LangevinNoise):
        rates: list[float] = []

        def __call__(self, step):
            self.rates.append(step.learning_rate)
            super().__call__(step)

    settings = {
        "generator": tiny_generator(),
        "after_step": Recorded(),
        "keep": LastIterate,
        "optimizer": lambda problems, **more: optimizers.gradient_descent(problems, lr=1e-3, **more),
        "steps": 4,
        "schedule": schedule,
    }
    references = tiny_references(2)
    together = run(tiny_search(references, [[0, 1]], **settings), precision="64-true")["r1"]
    assert Recorded.rates == pytest.approx([4e-3, 3e-3, 2e-3, 1e-3])
    assert together.best_step == [3, 3]
    alone = run(tiny_search(references, [[1]], **settings | {"num_samples": 1}), precision="64-true")["r1"]
    assert (together.latents["latent"][0] - alone.latents["latent"][0]).abs().max() < 1e-8


def schedule(step: float, steps: float) -> float:
    return steps - step


schedule.keeps_built_in = False  # type: ignore[attr-defined]
