"""What is said about a search that has not moved its samples, or has not told them apart."""

import pytest
import torch
from tiny_run import read
from tiny_search import run, tiny_references, tiny_search

from multimodal_pulse.diversity.latent_resampling import SharedLatent
from multimodal_pulse.search import LastIterate
from multimodal_pulse.search.optimizers import sgd
from multimodal_pulse.search.stuck import stuck


def said(**changes) -> list[str]:
    """The notices about the search of one tiny reference."""
    (outcome,) = run(tiny_search(tiny_references(1), [[0]], **changes)).values()
    return stuck(outcome)


def still(*problems, **settings):
    """An optimiser that moves nothing."""
    return sgd(*problems, **settings, lr=0.0)


def test_nothing_is_said_about_an_ordinary_search():
    assert said(steps=20) == []


def test_no_step_that_was_better_than_the_first_is_said():
    (notice,) = said(steps=5, optimizer=still)
    assert notice.startswith("no step was better than the first for some samples")
    assert "optimizer.lr" in notice


def test_one_step_cannot_be_better_than_itself():
    assert said(steps=1, optimizer=still) == []


def test_the_end_of_a_chain_need_not_be_better_than_its_start():
    assert said(steps=5, optimizer=still, keep=LastIterate) == []


def test_samples_that_are_the_same_picture_are_said():
    (notice,) = said(steps=5, latent_resampling=SharedLatent())
    assert notice.startswith("all samples of a reference are the same picture")
    assert said(steps=5, latent_resampling=SharedLatent(), num_samples=1) == []


@pytest.mark.parametrize(
    ("arguments", "notice"),
    [
        (["method=resampling", "optimizer.lr=1e8"], "note: no step was better than the first"),
        (["method=resampling", "optimizer=adam", "optimizer.lr=0"], "note: no step was better than the first"),
        (["method=lr_noise", "noise.lr_std=0"], "note: all samples of a reference are the same picture"),
        (["method=synthesis_noise", "noise.synthesis_std=0"], "note: all samples of a reference are the same picture"),
        (["method=bicubic", "film_frames=4"], "note: search=bicubic makes one picture per reference without a search"),
    ],
)
def test_the_command_says_it_once(arguments, notice, command, tmp_path):
    status, _, errors = command(*arguments, "references.limit=2", f"hydra.run.dir={tmp_path / 'run'}")
    assert status == 0 and errors.count(notice) == 1
    assert read(tmp_path / "run" / "metrics.json")["num_references"] == 2


def test_a_failed_sample_is_not_said_to_be_where_it_started():
    search = tiny_search(tiny_references(1), [[0]], steps=3)
    with torch.no_grad():
        next(search.generator.network.synthesis.parameters()).fill_(torch.nan)
    (outcome,) = run(search).values()
    assert outcome.samples.isnan().any()
    assert stuck(outcome) == []
