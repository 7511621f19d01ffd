"""The search as a model of deepinv, and deepinv's operators on the command line."""

import json

import pytest
import tiny_run
import torch
from torch.utils.data import DataLoader, TensorDataset

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.degradation import Bicubic
from multimodal_pulse.generator.ops.build import BuildError
from multimodal_pulse.metrics.functional import psnr

deepinv = pytest.importorskip("deepinv", reason="deepinv is not installed: pip install -e '.[deepinv]'")

from multimodal_pulse.interface.reconstructor import LatentSearch  # noqa: E402 (needs deepinv)
from multimodal_pulse.references import Portraits  # noqa: E402

QUICK = {"steps": 2, "latent_resampling.draws": 50, "latent_resampling.nearest": 10, "consistency.rounds": 10}


def downsampling(side: int = 128, factor: int = 8, **settings) -> torch.nn.Module:
    return deepinv.physics.Downsampling(img_size=(3, side, side), factor=factor, filter="bicubic", **settings)


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("MULTIMODAL_PULSE_CACHE", str(tmp_path / "cache"))


def test_a_search_on_the_built_in_generator_is_consistent() -> None:
    physics = downsampling()
    (portrait,) = Portraits(128, Bicubic(8), limit=1, split="validation")
    measured = physics.A(portrait.hr[None])
    (samples,) = LatentSearch("explore", num_samples=2, **QUICK | {"consistency.rounds": 3}).samples(measured, physics)
    assert samples.shape == (2, 3, 128, 128) and samples.min() >= 0 and samples.max() <= 1
    assert (samples[0] - samples[1]).abs().mean() > 0.01
    assert psnr(physics.A(samples), measured.expand(2, -1, -1, -1)).min() > 50


def test_deepinv_evaluates_it_as_one_of_its_models() -> None:
    physics, model = downsampling(32, 4), LatentSearch("explore", num_samples=2, **tiny_run.GENERATOR, **QUICK)
    assert isinstance(model, deepinv.models.Reconstructor)
    originals = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    measured = physics.A(originals)
    found = model.samples(measured, physics)
    with torch.inference_mode():
        assert torch.equal(model(measured, physics), found[:, 0])
    loader = DataLoader(TensorDataset(originals, measured), batch_size=2)
    scores = deepinv.test(
        model, loader, physics, metrics=deepinv.metric.PSNR(), online_measurements=False, verbose=False,
        show_progress_bar=False, device="cpu",
    )  # fmt: skip
    assert scores["PSNR"] == pytest.approx(float(psnr(found[:, 0], originals).mean()), abs=0.01)


def test_operators_are_built_once_and_what_is_against_them_is_said_once(monkeypatch, caplog) -> None:
    tried = []

    def broken() -> None:
        tried.append("once")
        raise BuildError("no luck today")

    monkeypatch.setattr("multimodal_pulse.generator.ops.fused.library", broken)
    wide = tiny_run.GENERATOR | {"generator.channel_max": 16}
    model = LatentSearch("explore", **wide, **QUICK | {"trainer.precision": "32-true"})
    measured = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    first, again = (model(measured, downsampling(32, 4)) for _ in range(2))
    assert torch.equal(first, again) and tried == ["once"]
    [said] = [record.message for record in caplog.records if "fused operators" in record.message]
    assert said.startswith("The fused operators cannot be built (no luck today): the search runs without")


def test_known_noise_is_not_projected_onto() -> None:
    small = {**tiny_run.GENERATOR, **QUICK}
    model = LatentSearch("explore", **small)
    measured = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    exact, noisy = downsampling(32, 4), downsampling(32, 4, noise_model=deepinv.physics.GaussianNoise(0.1))
    errors = [psnr(exact.A(model(measured, physics)), measured).item() for physics in (exact, noisy)]
    assert errors[0] > errors[1] + 10


def test_every_measurement_has_its_own_noise_and_noise_that_is_not_gaussian_is_not_known() -> None:
    measured = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0)).expand(2, -1, -1, -1)
    model = LatentSearch("explore", **tiny_run.GENERATOR, **QUICK | {"latent_resampling.draws": 50})
    errors = {}
    for name, noise in {
        "two": deepinv.physics.GaussianNoise(torch.tensor([0.0, 0.1])),
        "other": deepinv.physics.PoissonGaussianNoise(gain=0.1, sigma=0.1),
    }.items():
        physics = downsampling(32, 4, noise_model=noise)
        errors[name] = psnr(physics.A(model(measured, physics)), measured).tolist()
    assert errors["two"][0] > errors["two"][1] + 10
    assert min(errors["other"]) > errors["two"][1] + 10


def test_other_measurements_are_refused() -> None:
    model = LatentSearch("explore", **tiny_run.GENERATOR, **QUICK)
    with pytest.raises(UserError, match=r"measurements are \[3, 4, 4\], but deepinv's Downsampling makes \[3, 8, 8\]"):
        model(torch.zeros(1, 3, 4, 4), downsampling(32, 4))


def test_an_operator_is_named_on_the_command_line(command, tmp_path) -> None:
    operator = "{_target_:deepinv.physics.Downsampling,img_size:[3,32,32],factor:4,filter:bicubic}"
    words = [*tiny_run.overrides(tiny_run.GENERATOR | QUICK), "metrics.lpips_net=null", "tracking=none"]
    arguments = ("degradation=deepinv", f"degradation.physics={operator}", f"hydra.run.dir={tmp_path / 'run'}")
    status, _, errors = command("method=explore", *arguments, base=words)
    assert status == 0, errors
    entry = json.loads((tmp_path / "run" / "references" / "test_000000" / "record.json").read_text())
    assert min(record["lr_psnr"] for record in entry["records"]) > 50
    assert "nothing to do" in command("method=explore", *arguments, base=words)[2]


def test_an_operator_that_does_not_exist_is_refused(command) -> None:
    nothing = "degradation.physics={_target_:deepinv.physics.Nothing}"
    status, _, errors = command("degradation=deepinv", nothing, base=tiny_run.overrides(tiny_run.GENERATOR))
    assert status == 1 and errors.count("\n") == 1 and "deepinv.physics.Nothing" in errors
