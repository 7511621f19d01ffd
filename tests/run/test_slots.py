"""A latent space, a stage and a degradation of somebody else's: a class of a few lines and an option file, found by
Hydra's search path. The package is not touched.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import tiny_run

CODE = """
import torch
from multimodal_pulse.degradation import Degradation
from multimodal_pulse.generator import Space


class MappedZ(Space):
    def initial(self, rng):
        return {"latent": torch.randn(self.generator.z_dim, generator=rng)}

    def to_w_plus(self, latent):
        return self.generator.mapping(latent)


class Stripes(Degradation):
    name, sentence = "stripes", "Every second row is left out."

    def lr_shape(self, shape):
        return shape[0], shape[1] // 2, shape[2]

    def __call__(self, x):
        return x[..., ::2, :]

    def transpose(self, y):
        return torch.stack([y, torch.zeros_like(y)], dim=-2).flatten(-3, -2)

    pseudo_inverse = transpose
"""
OPTIONS = {
    "latent_space/z": "_target_: mine.MappedZ",
    "degradation/stripes": "_target_: mine.Stripes",
    "stages/z_first": """
before:
  - latent_space: {_target_: mine.MappedZ}
    steps: 4
    optimizer: {_target_: multimodal_pulse.search.adam, lr: 0.1}
    schedule: {_target_: multimodal_pulse.search.FixedSchedule}
""",
}
TINY = [
    *tiny_run.overrides(tiny_run.GENERATOR), "metrics.lpips_net=null", "tracking=none", "method=resampling",
    "num_samples=2", "steps=3",
]  # fmt: skip


@pytest.fixture(scope="module")
def mine(tmp_path_factory) -> Iterator[Path]:
    """A folder with the module `mine` and option files beside it."""
    folder = tmp_path_factory.mktemp("mine")
    (folder / "mine.py").write_text(CODE)
    for name, text in OPTIONS.items():
        path = folder / "conf" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield folder


def run(mine: Path, *arguments: str) -> Path:
    """The folder of the only reference of a run."""
    run_dir = mine / "-".join(arguments).replace("=", "-")
    searched = f"hydra.searchpath=[file://{mine / 'conf'}]"
    assert tiny_run.run(searched, *TINY, *arguments, f"hydra.run.dir={run_dir}") == 0
    return run_dir / "references" / "test_000000"


def record(folder: Path) -> dict:
    return json.loads((folder / "record.json").read_text())["records"][0]


def test_a_space(mine):
    from safetensors.torch import load_file

    folder = run(mine, "latent_space=z", "degradation.factor=4")
    latents = load_file(folder / "latents.safetensors")
    assert latents["latent"].shape == (2, 4) and latents["w_plus"].shape == (2, 8, 4)
    assert record(folder)["steps"] == 3 and len(list(folder.glob("sr_0?.png"))) == 2


def test_a_stage(mine):
    folder = run(mine, "stages=z_first", "degradation.factor=4")
    assert record(folder)["steps"] == 7  # four in Z and the run's own three on the sphere
    assert record(folder)["best_step"] >= 4


def test_a_degradation(mine):
    from PIL import Image

    folder = run(mine, "degradation=stripes", "consistency=exact")
    assert Image.open(folder / "lr.png").size == (32, 16)
    assert record(folder)["lr_psnr"] > 60 and record(folder)["status"] == "ok"
