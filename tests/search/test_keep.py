from functools import partial

import numpy as np
import torch

from multimodal_pulse.search.keep import BestIterate, LowestSum


def observed(
    fidelities: torch.Tensor, film_frames: int = 0, keep=BestIterate, spreads: torch.Tensor | None = None
) -> BestIterate:
    """fidelities and geodesic terms [steps, B]; the variables and images of step s have the value s."""
    steps, batch = fidelities.shape
    spreads = torch.zeros_like(fidelities) if spreads is None else spreads
    best = keep(steps, film_frames)
    best.begin_stage({"latent": torch.zeros(batch, 2, 3), "noise.0": torch.zeros(batch, 1, 4, 4)})
    for step in range(steps):
        variables = {
            "latent": torch.full((batch, 2, 3), float(step)),
            "noise.0": torch.full((batch, 1, 4, 4), float(step)),
        }
        terms = {"fidelity": fidelities[step], "geodesic_spread": spreads[step]}
        best.observe(step, terms, variables, torch.full((batch, 3, 4, 4), step / 10))
    return best


def test_each_sample_keeps_its_own_lowest_iterate():
    rng = torch.Generator().manual_seed(0)
    fidelities = torch.rand(9, 5, generator=rng)
    best = observed(fidelities)
    expected = fidelities.argmin(dim=0)
    assert best.step.tolist() == expected.tolist()
    assert torch.equal(best.variables["latent"], expected[:, None, None].expand(5, 2, 3).float())
    assert torch.equal(best.variables["noise.0"], expected[:, None, None, None].expand(5, 1, 4, 4).float())
    assert torch.equal(best.fidelity_trace, fidelities)


def test_the_lowest_sum_may_be_another_iterate_than_the_lowest_fidelity():
    rng = torch.Generator().manual_seed(0)
    fidelities, spreads = 0.01 * torch.rand(30, 8, generator=rng), 10 * torch.rand(30, 8, generator=rng)
    keep = partial(LowestSum, l2_weight=405.0, geodesic_weight=0.058, eps=2e-3)
    best = observed(fidelities, keep=keep, spreads=spreads)
    sums = 405 * np.maximum(fidelities.numpy(), 2e-3) + 0.058 * spreads.numpy()
    assert best.step.tolist() == sums.argmin(axis=0).tolist()
    assert best.step.tolist() != fidelities.argmin(dim=0).tolist()
    assert torch.equal(best.fidelity_trace, fidelities)
    assert torch.equal(best.variables["latent"][:, 0, 0].long(), best.step)


def test_the_first_of_equals_is_kept():
    assert observed(torch.tensor([[2.0], [1.0], [1.0]])).step.tolist() == [1]


def test_nan_is_never_the_best_but_where_there_is_nothing_else():
    nan = float("nan")
    best = observed(torch.tensor([[nan, nan, 1.0], [3.0, nan, nan]]))
    assert best.step.tolist() == [1, 0, 0]


def test_film_frames_are_spread_from_the_first_step_to_the_last():
    best = observed(torch.rand(9, 2), film_frames=3)
    assert best.film_steps == [0, 4, 8]
    assert best.film[:, 0, 0, 0, 0].tolist() == [torch.tensor(s / 10).item() for s in (0, 4, 8)]
    assert observed(torch.rand(2, 1), film_frames=5).film_steps == [0, 1]
    assert observed(torch.rand(2, 1)).film is None


def test_no_picture_stays_in_memory_without_a_film():
    best = observed(torch.rand(2, 5))
    assert not [name for name, value in vars(best).items() if torch.is_tensor(value) and value.shape == (5, 3, 4, 4)]
