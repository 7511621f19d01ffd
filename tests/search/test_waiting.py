"""A step of the search neither waits for the device nor sends it anything."""

from functools import partial

import pytest
import torch
from tiny_search import FACTOR, run, tiny_references, tiny_search, tiny_statistics
from torch.utils._python_dispatch import TorchDispatchMode

from multimodal_pulse.degradation import Bicubic, GaussianBlur, MotionBlur
from multimodal_pulse.diversity.batch_diversity import BatchDiversity, PixelDistance, Repulsion
from multimodal_pulse.generator.spaces.gaussian import Gaussian
from multimodal_pulse.search import optimizers, schedules
from multimodal_pulse.search.objective import MapObjective
from multimodal_pulse.search.stages import Stage

aten = torch.ops.aten
WAITING = {aten._local_scalar_dense, aten.is_nonzero, aten.nonzero, aten.lift_fresh, aten.equal}


class Waits(TorchDispatchMode):
    """Collects the operations that wait for a GPU: a number read, or a Python number or list that becomes a tensor."""

    def __init__(self):
        super().__init__()
        self.found = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        # Autograd's own formulas make such operands on the device.
        forward = torch._C._current_graph_task_id() == -1
        scalar = forward and func is aten.where.self and any(operand.ndim == 0 for operand in args)
        if func.overloadpacket in WAITING or scalar:
            self.found.append(func)
        return func(*args, **(kwargs or {}))


def waits(**changes):
    """What waits in the steps of a search but the first, which may make what is kept."""
    search = tiny_search(tiny_references(1), [[0]], **changes)
    step, watch = search.training_step, Waits()

    def watched(number):
        if number == 0:
            return step(number)
        with watch:
            return step(number)

    search.training_step = watched
    run(search)
    return watch.found


@pytest.mark.parametrize(
    "degradation", [Bicubic(FACTOR), GaussianBlur(1.0, FACTOR), MotionBlur(factor=FACTOR)], ids=repr
)
def test_no_step_of_lbfgs_with_a_repulsion_waits(degradation):
    search = tiny_search(tiny_references(1), [[0]])
    stage = Stage(
        latent_space=Gaussian(search.generator, tiny_statistics(search.generator)),
        steps=4,
        optimizer=partial(optimizers.lbfgs, lr=1.0, first_move=1.0, history=3),
        schedule=schedules.NoSchedule(),
    )
    changes = {"degradation": degradation, "batch_diversity": Repulsion(PixelDistance()), "generator": search.generator}
    assert waits(stages=[stage], objective=MapObjective(0.01, 1.0), **changes) == []


def test_no_step_of_the_report_waits_but_in_ranger21_which_takes_the_root_of_one_number():
    descent = partial(optimizers.gradient_descent, lr=0.1)
    assert waits(steps=4, batch_diversity=BatchDiversity(), optimizer=descent) == []
    assert waits(steps=4, batch_diversity=BatchDiversity()) == 3 * [aten._local_scalar_dense.default]
