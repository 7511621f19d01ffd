"""The methods of earlier papers, from the command line to pictures that are drawn again from what was saved."""

import pytest
import tiny_run
import torch
from safetensors.torch import load_file, save_file

from multimodal_pulse.references.pixels import load_rgb

OVERRIDES = [*tiny_run.overrides(tiny_run.TINY), "num_samples=2", "references.limit=1"]
FEW_DRAWS = ["latent_resampling.draws=60", "latent_resampling.nearest=20"]
METHODS = {
    "csgm": ([], {"latent": (2, 4)}, 6),
    "ilo": ([], {"latent": (2, 8, 4), "deviation.4": (2, 8, 4, 4), "deviation.16": (2, 8, 16, 16)}, 128),
    "brgm": ([], {"latent": (2, 8, 4)}, 3),
    "brgm_variational": ([], {"latent": (2, 8, 4), "log_std": (2, 8, 4), "eps": (2, 8, 4)}, 3),
    "langevin": (FEW_DRAWS, {"latent": (2, 8, 4)}, 3),
    "rls": ([], {"latent": (2, 8, 4)}, 3),
}


@pytest.mark.parametrize("method", METHODS)
def test_it_runs_and_is_rendered_again(method, tmp_path):
    more, shapes, steps = METHODS[method]
    assert tiny_run.run(*OVERRIDES, f"method={method}", *more, f"hydra.run.dir={tmp_path / 'run'}") == 0
    folder = tmp_path / "run" / "references" / "test_000000"
    record = tiny_run.read(folder / "record.json")
    assert len(record["records"]) == 2 and record["records"][0]["steps"] == steps
    latents = load_file(folder / "latents.safetensors")
    assert {name: tuple(latents[name].shape) for name in shapes} == shapes
    drawn = {name: content for name, content in tiny_run.contents(folder).items() if name.startswith("sr_")}
    for name in drawn:
        (folder / name).unlink()
    assert tiny_run.run("render", folder) == 0
    again = {name: content for name, content in tiny_run.contents(folder).items() if name.startswith("sr_")}
    assert again == drawn and len(drawn) == 4


def test_further_samples_are_drawn_from_the_fitted_distributions(tmp_path, capsys):
    run = tmp_path / "run"
    assert tiny_run.run(*OVERRIDES, "method=brgm_variational", f"hydra.run.dir={run}") == 0
    folder = run / "references" / "test_000000"
    assert tiny_run.run("draw", folder, "--count", 3) == 0
    drawn = tiny_run.contents(folder / "draws")
    assert list(sorted(drawn)) == ["draw_0000.png", "draw_0001.png", "draw_0002.png"]
    assert len({*drawn.values(), (folder / "sr_00.png").read_bytes()}) == 4
    assert tiny_run.run("draw", run, "--count", 2) == 0  # the same samples again
    assert tiny_run.contents(folder / "draws") == drawn

    # Without any width, a draw is the mean of its distribution: of the first, the second and the first again.
    path = folder / "latents.safetensors"
    latents = load_file(path)
    save_file(latents | {"log_std": torch.full_like(latents["log_std"], -40.0)}, path)
    assert tiny_run.run("draw", folder, "--count", 3) == 0
    pictures = [load_rgb(folder / "draws" / name) for name in sorted(drawn)]
    assert torch.equal(pictures[0], pictures[2]) and not torch.equal(pictures[0], pictures[1])


def test_a_search_without_a_distribution_has_nothing_to_draw_from(tmp_path, capsys):
    run = tmp_path / "run"
    assert tiny_run.run(*OVERRIDES, "method=brgm", f"hydra.run.dir={run}") == 0
    assert tiny_run.run("draw", run) == 1
    assert "latents.safetensors: it has no distribution to draw from" in capsys.readouterr().err
    assert not list(run.rglob("draws"))


def test_the_optimizer_of_a_whole_batch_is_refused_for_distributions(tmp_path, capsys):
    words = ("method=brgm_variational", "optimizer=ranger21_of_batch", f"hydra.run.dir={tmp_path / 'run'}")
    assert tiny_run.run(*OVERRIDES, *words) == 1
    assert "optimizer=ranger21_of_batch does not suit this latent_space" in capsys.readouterr().err
