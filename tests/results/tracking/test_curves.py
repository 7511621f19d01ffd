"""The curves of a search, on their way to the tracker."""

import pytest
import torch
from tiny_search import run, tiny_generator, tiny_references, tiny_search

from multimodal_pulse.results.tracking.curves import Curves
from multimodal_pulse.results.tracking.trackers import NullTracker


class Collected(NullTracker):
    """Keeps what it is told, and when a group has ended."""

    def __init__(self) -> None:
        super().__init__(".")
        self.points: list[tuple[str, int]] = []
        self.losses: list[float] = []
        self.ends: list[int] = []

    def log_step(self, label, step, values) -> None:
        self.points.append((label, step))
        self.losses.append(values["loss"])

    def end_group(self) -> None:
        self.ends.append(len(self.points))


def label(group) -> str:
    return "+".join(map(str, group))


@pytest.mark.parametrize("steps", [3, 10, 12])
def test_every_step_of_every_group_is_a_point_of_its_curves(steps):
    tracker = Collected()
    run(tiny_search(tiny_references(3), [[0, 1], [2]], steps=steps), callbacks=[Curves(tracker, label)])
    assert tracker.points == [(name, step) for name in ("0+1", "2") for step in range(steps)]
    assert tracker.ends == [steps, 2 * steps]
    assert len(set(tracker.losses)) == 2 * steps


def test_halves_have_curves_of_their_own_and_nothing_of_the_group_that_did_not_fit():
    generator = tiny_generator()
    synthesis, times = generator.synthesis, iter(range(1000))

    def limited(w_plus, noise_maps=None):
        if len(w_plus) > 4 and next(times) == 3:  # in the fourth step
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return synthesis(w_plus, noise_maps)

    generator.synthesis = limited
    tracker = Collected()
    search = tiny_search(tiny_references(4), [[3], [0, 1, 2]], generator=generator, steps=5)
    run(search, callbacks=[Curves(tracker, label)])
    assert tracker.points == [(name, step) for name in ("3", "0", "1+2") for step in range(5)]
