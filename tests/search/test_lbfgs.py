"""The batched L-BFGS against `scipy.optimize`, problem by problem, and against its own promises."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from torch import Tensor, nn

from multimodal_pulse.search.lbfgs import LBFGS


def rosenbrock(x: Tensor) -> Tensor:
    """[P, n] -> [P]."""
    return (100 * (x[:, 1:] - x[:, :-1].square()).square() + (1 - x[:, :-1]).square()).sum(dim=1)


def minimised(function, initial: Tensor, steps: int, **options) -> tuple[Tensor, list[Tensor]]:
    """The accepted points after `steps` evaluations, and all values on the way."""
    parameters = [nn.Parameter(row.clone()) for row in initial]
    optimizer = LBFGS([[parameter] for parameter in parameters], **options)
    trace = []
    for _ in range(steps):
        values = function(torch.stack(parameters))
        optimizer.zero_grad()
        values.sum().backward()
        trace.append(optimizer.step(lambda values=values: values))
    return optimizer.accepted, trace


def quadratics(problems: int, n: int, condition: float, seed: int):
    """Convex quadratics of a given condition number: the function, and the minima."""
    rng = torch.Generator().manual_seed(seed)
    basis = torch.linalg.qr(torch.randn(problems, n, n, generator=rng, dtype=torch.float64))[0]
    matrix = basis @ torch.diag(torch.logspace(0, np.log10(condition), n, dtype=torch.float64)) @ basis.mT
    minimum = torch.randn(problems, n, generator=rng, dtype=torch.float64)

    def function(x: Tensor) -> Tensor:
        error = x - minimum
        return 0.5 * (error[:, None] @ matrix @ error[:, :, None]).flatten()

    return function, minimum


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 6), st.integers(2, 20), st.sampled_from([1.0, 10.0, 1e3]), st.integers(0, 1000))
def test_quadratics_are_minimised(problems, n, condition, seed):
    function, minimum = quadratics(problems, n, condition, seed)
    found, _ = minimised(function, torch.zeros(problems, n, dtype=torch.float64), steps=200)
    assert (found - minimum).abs().max() < 1e-5


def test_rosenbrock_takes_about_as_many_evaluations_as_scipy_sample_by_sample():
    rng = np.random.default_rng(0)
    initial = rng.uniform(-1.5, 1.5, (5, 6))
    _, trace = minimised(rosenbrock, torch.from_numpy(initial), steps=150)
    values = torch.stack(trace).cummin(dim=0).values
    for problem, start in enumerate(initial):
        evaluations = []

        def function(x, evaluations=evaluations):
            row = torch.from_numpy(x)[None].requires_grad_()
            value = rosenbrock(row)
            value.sum().backward()
            evaluations.append(value.item())
            return value.item(), row.grad[0].numpy()

        minimize(function, start, jac=True, method="L-BFGS-B", options={"maxcor": 12, "gtol": 1e-9, "ftol": 1e-15})
        ours = int((values[:, problem] > 1e-8).sum())
        theirs = int((np.minimum.accumulate(evaluations) > 1e-8).sum())
        assert values[-1, problem] < 1e-8 and ours <= 2 * theirs + 10


def test_no_problem_depends_on_the_others():
    function, _ = quadratics(4, 8, 100.0, seed=1)
    initial = torch.randn(4, 8, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    together, _ = minimised(function, initial, steps=15)
    other = initial.clone()
    other[1:] *= 100  # the neighbours have other line searches now
    apart, _ = minimised(function, other, steps=15)
    assert torch.equal(together[0], apart[0])


def test_the_accepted_values_never_rise_and_a_refused_problem_does_not_hold_the_others_up():
    def steep_or_flat(x: Tensor) -> Tensor:
        return torch.stack([1e4 * x[0].pow(4).sum(), 0.5 * x[1].square().sum()])

    initial = torch.tensor([[1.0, 2.0], [1.0, 2.0]], dtype=torch.float64)
    _, trace = minimised(steep_or_flat, initial, steps=40, first_move=50.0)
    steep, flat = torch.stack(trace).T
    assert (steep[1:4] > steep[0]).any()  # its first steps were refused
    assert flat[4] < 1e-3 * flat[0] and steep.min() < 1e-3 * steep[0]


def test_a_value_that_is_not_a_number_is_refused():
    def nan_beyond_two(x: Tensor) -> Tensor:
        return torch.where(x.abs().amax(dim=1) > 2, torch.nan, (x - 1.5).square().sum(dim=1))

    found, _ = minimised(nan_beyond_two, torch.zeros(1, 3, dtype=torch.float64), steps=60, first_move=100.0)
    assert torch.allclose(found, torch.full((1, 3), 1.5, dtype=torch.float64), atol=1e-6)


def test_coupled_parameters_are_one_problem():
    parameters = [nn.Parameter(torch.tensor([value], dtype=torch.float64)) for value in (0.0, 3.0)]
    optimizer = LBFGS([parameters])
    for _ in range(30):
        values = (parameters[0] - 1).square() + (parameters[0] - parameters[1]).square()
        optimizer.zero_grad()
        values.sum().backward()
        optimizer.step(lambda values=values: values)
    assert optimizer.accepted[0] == pytest.approx([1.0, 1.0], abs=1e-6)
