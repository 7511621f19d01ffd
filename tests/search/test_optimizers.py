import pytest
import torch

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
