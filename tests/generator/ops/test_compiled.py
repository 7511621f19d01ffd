"""When compiled operators rehearse: before the first pass of each kind, so that a failure comes before the search."""

import logging

import pytest
import torch
from torch._subclasses import FakeTensorMode

from multimodal_pulse.generator.ops.compiled import CompiledOperators


@pytest.fixture
def rehearsals(monkeypatch, caplog):
    """A function that makes a pass without a compiler, and returns how many rehearsals there were until then."""
    monkeypatch.setattr(torch, "compile", lambda network: network)
    caplog.set_level(logging.INFO)
    operators = CompiledOperators()

    def after(w_plus, *noise_maps):
        operators(lambda *inputs: torch.zeros(1), w_plus, noise_maps, None)
        return caplog.text.count("compiling the generator")

    return after


def test_a_pass_of_another_kind_is_rehearsed_and_one_of_the_same_is_not(rehearsals):
    w_plus, noise_map = torch.zeros(2, 8, 4), torch.zeros(1, 1, 4, 4)
    passes = [
        (w_plus, noise_map),
        (w_plus.clone().requires_grad_(), noise_map),
        (w_plus[:1], noise_map),
        (w_plus, noise_map.clone().requires_grad_()),
    ]
    assert [rehearsals(*inputs) for inputs in passes + passes] == [1, 2, 3, 4, 4, 4, 4, 4]
    with torch.autocast("cpu"):
        assert rehearsals(*passes[0]) == 5


def test_autocast_is_that_of_the_device_of_the_search(rehearsals):
    with FakeTensorMode():  # a GPU's tensors without a GPU
        w_plus = torch.zeros(2, 8, 4, device="cuda")
        assert rehearsals(w_plus) == 1
        with torch.autocast("cpu"):
            assert rehearsals(w_plus) == 1
        torch.set_autocast_enabled("cuda", True)
        try:
            assert rehearsals(w_plus) == 2
        finally:
            torch.set_autocast_enabled("cuda", False)
