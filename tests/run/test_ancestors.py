"""The methods of earlier papers, from the command line to pictures that are drawn again from what was saved."""

import pytest
import tiny_run
from safetensors.torch import load_file

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
