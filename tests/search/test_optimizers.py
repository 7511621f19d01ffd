import pytest
import torch
from pytorch_optimizer import Ranger21

from multimodal_pulse.search import optimizers

OPTIMIZERS = [optimizers.ranger21, optimizers.adam, optimizers.sgd, optimizers.gradient_descent]


def walk(make, num_neighbours: int, scale: float) -> torch.Tensor:
    """Where a Parameter ends after 12 steps beside neighbours whose gradients are `scale` times as large."""
    rng = torch.Generator().manual_seed(0)
    parameter = torch.nn.Parameter(torch.randn(6, 16, generator=rng))
    neighbours = [torch.nn.Parameter(torch.randn(6, 16)) for _ in range(num_neighbours)]
    optimizer = make(
        [[problem] for problem in (parameter, *neighbours)], num_iterations=12, built_in_schedule=True, lr=0.4
    )
    for _ in range(12):
        parameter.grad = torch.randn(6, 16, generator=rng)
        for neighbour in neighbours:
            neighbour.grad = scale * torch.randn(6, 16)
        optimizer.step()
    return parameter.detach()


@pytest.mark.parametrize("make", OPTIMIZERS)
def test_a_parameter_does_not_feel_its_neighbours(make):
    alone = walk(make, 0, 0.0)
    assert torch.equal(alone, walk(make, 3, 1e3))
    assert not torch.equal(alone, torch.randn(6, 16, generator=torch.Generator().manual_seed(0)))


def test_ranger21_of_batch_is_ranger21_on_one_parameter_for_all_samples():
    rng = torch.Generator().manual_seed(0)
    initial = torch.randn(2, 4, 6, 16, generator=rng)  # two references with four samples each
    together = [torch.nn.Parameter(of_reference.clone()) for of_reference in initial]
    plain = [Ranger21([parameter], num_iterations=800, lr=0.4, weight_decay=1e-4) for parameter in together]
    apart = [[torch.nn.Parameter(sample.clone()) for sample in of_reference] for of_reference in initial]
    joint = optimizers.ranger21_of_batch(apart, num_iterations=200, built_in_schedule=True, lr=0.4, weight_decay=1e-4)
    for _ in range(12):
        for reference in range(2):
            gradient = torch.randn(4, 6, 16, generator=rng) * torch.tensor([1.0, 10.0, 100.0, 0.1])[:, None, None]
            together[reference].grad = gradient.clone()
            for parameter, of_sample in zip(apart[reference], gradient, strict=True):
                parameter.grad = of_sample.clone()
            plain[reference].step()
        joint.step()
        with torch.no_grad():  # as a return to the sphere does
            for parameter in [*together, *apart[0], *apart[1]]:
                parameter.mul_(0.9)
    for reference in range(2):
        assert torch.equal(torch.stack(apart[reference]), together[reference])
        assert not torch.allclose(together[reference], initial[reference] * 0.9**12, atol=1e-3)


def test_ranger21_of_batch_couples_the_samples_of_a_reference_alone():
    def walk(scale_of_sample: float, scale_of_reference: float) -> torch.Tensor:
        rng = torch.Generator().manual_seed(0)
        problems = [[torch.nn.Parameter(torch.randn(6, 16, generator=rng)) for _ in range(2)] for _ in range(2)]
        make = optimizers.ranger21_of_batch
        optimizer = make(problems, num_iterations=12, built_in_schedule=True, lr=0.4, weight_decay=1e-4)
        for _ in range(6):
            scales = (1.0, scale_of_sample, scale_of_reference, scale_of_reference)
            for parameter, scale in zip([*problems[0], *problems[1]], scales, strict=True):
                parameter.grad = scale * torch.randn(6, 16, generator=rng)
            optimizer.step()
        return problems[0][0].detach()

    assert torch.equal(walk(1.0, 1.0), walk(1.0, 1e-4))
    assert not torch.allclose(walk(1.0, 1.0), walk(1e-4, 1.0), atol=1e-3)


def test_ranger21_of_batch_keeps_variables_apart_and_obeys_a_schedule():
    latents = [torch.nn.Parameter(torch.ones(6, 16)) for _ in range(3)]
    maps = [[torch.nn.Parameter(torch.ones(1, 8, 8)) for _ in range(3)] for _ in range(2)]
    optimizer = optimizers.ranger21_of_batch(
        [[*latents, *maps[0], *maps[1]]], num_iterations=10, built_in_schedule=False, lr=0.4, weight_decay=0.0
    )
    moving = [*latents, *maps[0]]
    optimizer.param_groups[0]["lr"] = 0.0  # a schedule that ends at 0
    for parameter in [*moving, *maps[1]]:
        parameter.grad = torch.randn(parameter.shape)
    optimizer.step()
    assert all(torch.equal(parameter, torch.ones_like(parameter)) for parameter in [*moving, *maps[1]])
    optimizer.param_groups[0]["lr"] = 0.4
    for parameter in maps[1]:
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    assert all((parameter - 1).abs().max() > 0.01 for parameter in moving)


def test_ranger21_warms_up_only_where_its_schedule_is_on():
    moved = {}
    for built_in in (True, False):
        parameter = torch.nn.Parameter(torch.ones(4, 8))
        optimizer = optimizers.ranger21([[parameter]], num_iterations=200, built_in_schedule=built_in, lr=0.4)
        parameter.grad = torch.randn(4, 8, generator=torch.Generator().manual_seed(0))
        optimizer.step()
        moved[built_in] = (parameter.detach() - 1).abs().mean()
    # 22 % of 200 steps are warm-up: the first takes 1 / 44 of the learning rate.
    assert moved[False] / moved[True] == pytest.approx(44, rel=0.05)
