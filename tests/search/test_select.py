"""Selection: which samples of a larger search are kept."""

import pytest
import torch
from tiny_search import FACTOR, run, tiny_references, tiny_search

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.degradation import Bicubic
from multimodal_pulse.search import AllSamples, MostDifferent

DEGRADATION = Bicubic(FACTOR)


def in_the_null_space(*directions: torch.Tensor) -> torch.Tensor:
    """Pictures around grey whose downsampled pictures are all grey, and differ from grey by these: [K, 3, 16, 16]."""
    pictures = torch.stack(directions).float()
    hidden = pictures - DEGRADATION.pseudo_inverse(DEGRADATION(pictures))
    return 0.5 + 0.1 * hidden / hidden.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()


@pytest.fixture
def grey() -> torch.Tensor:
    return torch.full((3, 16 // FACTOR, 16 // FACTOR), 0.5)


def test_the_most_different_ones_are_kept_the_best_fit_first(grey):
    rng = torch.Generator().manual_seed(0)
    a, b, c = (torch.randn(3, 16, 16, generator=rng) for _ in range(3))
    images = in_the_null_space(a, a + 0.1 * b, b, -a, c)
    images[1:] += 0.001  # all fit; the first fits best
    kept = MostDifferent(3)(images, grey, DEGRADATION).tolist()
    assert kept[:2] == [0, 3]  # the opposite picture is the farthest
    assert kept[2] in (2, 4)  # and number 1 is nearly the same as number 0


def test_samples_that_do_not_fit_come_last_the_best_of_them_first(grey):
    rng = torch.Generator().manual_seed(1)
    images = in_the_null_space(*torch.randn(4, 3, 16, 16, generator=rng))
    images[0] += 0.2  # 14 dB
    images[1] += 0.1  # 20 dB
    images[2] = float("nan")
    assert MostDifferent(2)(images, grey, DEGRADATION).tolist() == [3, 1]
    assert MostDifferent(4)(images, grey, DEGRADATION).tolist() == [3, 1, 0, 2]
    assert MostDifferent(9)(images, grey, DEGRADATION).tolist() == [3, 1, 0, 2]


def test_a_search_keeps_the_selected_samples_as_they_are():
    every = run(tiny_search(tiny_references(2), [[0, 1]], num_samples=4, select=AllSamples()))
    some = run(tiny_search(tiny_references(2), [[0, 1]], num_samples=4, select=MostDifferent(2)))
    for name, outcome in some.items():
        whole, chosen = every[name], outcome.selected
        assert len(set(chosen)) == 2 and whole.selected == [0, 1, 2, 3]
        assert torch.equal(outcome.samples, whole.samples[chosen])
        assert torch.equal(outcome.latents["w_plus"], whole.latents["w_plus"][chosen])
        assert torch.equal(outcome.fidelity_trace, whole.fidelity_trace[:, chosen])
        assert torch.equal(outcome.targets, whole.targets[chosen])
        assert outcome.best_step == [whole.best_step[k] for k in chosen]


def test_less_than_one_is_refused():
    with pytest.raises(UserError, match="select=0"):
        MostDifferent(0)
