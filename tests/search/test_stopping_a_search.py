"""A search that is watched, and stopped early, by a callback."""

from functools import partial

import pytest
import pytorch_lightning as pl
import torch
from tiny_search import run, tiny_references, tiny_search, tiny_statistics

from multimodal_pulse.diversity.batch_diversity import BatchDiversity
from multimodal_pulse.generator.spaces.sphere import Sphere
from multimodal_pulse.search import optimizers, schedules
from multimodal_pulse.search.stages import Stage


class Watcher(pl.Callback):
    """Collects the pictures of each pass, and stops the search after so many of them."""

    def __init__(self, passes=None):
        self.seen, self._passes = [], passes

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.seen.append((pl_module.rows, pl_module.images))
        if len(self.seen) == self._passes:
            pl_module.stop()


@pytest.mark.parametrize("coupling", [{}, {"batch_diversity": BatchDiversity()}], ids=["alone", "coupled"])
@pytest.mark.parametrize("passes", [1, 7])
def test_a_stopped_search_is_the_beginning_of_the_whole_one(passes, coupling):
    references, groups = tiny_references(3), [[0, 1], [2]]
    whole = run(tiny_search(references, groups, **coupling))
    search, watcher = tiny_search(references, groups, **coupling), Watcher(passes)
    found = run(search, callbacks=[watcher])

    assert list(found) == ["r0", "r1"] and len(watcher.seen) == passes  # the second group has not begun
    for name, outcome in found.items():
        assert outcome.stopped and not whole[name].stopped
        assert outcome.passes == [passes] * 2 and outcome.steps == passes
        assert torch.equal(outcome.fidelity_trace, whole[name].fidelity_trace[:passes])
        assert outcome.best_step == outcome.fidelity_trace.argmin(dim=0).tolist()
    assert list(run(search)) == ["r0", "r1", "r2"]  # a stop is over with the search that it ended


def test_a_stop_after_the_last_pass_of_a_group_cuts_nothing_short():
    found = run(tiny_search(tiny_references(2), [[0], [1]], steps=3), callbacks=[Watcher(3)])
    assert [(name, outcome.stopped, outcome.steps) for name, outcome in found.items()] == [("r0", False, 3)]


def test_a_search_is_stopped_before_its_next_stage():
    search = tiny_search(tiny_references(1), [[0]])
    space = Sphere(search.generator, tiny_statistics(search.generator))
    stages = [Stage(space, steps, partial(optimizers.adam, lr=0.2), schedules.NoSchedule()) for steps in (4, 5)]
    first = run(tiny_search(tiny_references(1), [[0]], stages=stages[:1], generator=search.generator))["r0"]
    both = tiny_search(tiny_references(1), [[0]], stages=stages, generator=search.generator)
    stopped = run(both, callbacks=[Watcher(4)])["r0"]
    assert stopped.stopped and torch.equal(stopped.samples, first.samples)


def test_a_watcher_sees_the_pictures_of_every_pass():
    watcher = Watcher()
    outcome = run(tiny_search(tiny_references(1), [[0]], steps=5, film_frames=5), callbacks=[watcher])["r0"]
    assert [rows for rows, _ in watcher.seen] == [[0, 1]] * 5
    pictures = torch.stack([images for _, images in watcher.seen])
    assert not pictures.requires_grad
    assert torch.equal(pictures.clamp(0, 1), outcome.film)


def test_the_pictures_of_the_last_pass_are_not_kept_in_memory():
    search = tiny_search(tiny_references(1), [[0]], steps=2)
    run(search, callbacks=[watcher := Watcher()])
    assert watcher.seen[-1][1] is not None and search.images is None
