"""Repulsion by either metric, from the command line to the samples."""

import pytest
import torch
import yaml
from tiny_run import OVERRIDES, overrides, read

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.configuration.compose import compose_job
from multimodal_pulse.diversity import FeatureDistance, PixelDistance, Repulsion
from multimodal_pulse.metrics.lpips import build_lpips
from multimodal_pulse.run.build import build_batch_diversity

FEATURES = "batch_diversity.metric=features"
SMALL = overrides({"latent_resampling.draws": 60, "latent_resampling.nearest": 20, "references.limit": 1})


def built(*given: str, resolution: int = 32) -> Repulsion:
    return build_batch_diversity(compose_job(["method=explore", *given], "unused")[0], resolution)


def test_the_distance_follows_the_metric(torch_home, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(torch_home))
    assert (type(built().metric), built().distance) == (PixelDistance, PixelDistance.distance)
    features = built(FEATURES)
    assert (type(features.metric), features.distance) == (FeatureDistance, FeatureDistance.distance)
    assert built(FEATURES, "batch_diversity.distance=5").distance == 5


def test_the_distance_of_features_is_lpips_in_per_cent_and_its_network_is_not_that_of_the_scores(
    torch_home, monkeypatch
):
    monkeypatch.setenv("TORCH_HOME", str(torch_home))
    pictures = torch.rand(1, 2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    (apart,) = built(FEATURES).metric(pictures.double(), None)
    lpips = build_lpips("squeeze")
    assert apart.item() == pytest.approx(100 * lpips(pictures[0, :1], pictures[0, 1]).item(), rel=1e-4)  # in float32


def test_a_network_that_is_not_there_is_one_sentence(command, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "empty"))
    run_dir = tmp_path / "run"
    forbidden = "metrics.lpips_download_seconds=0"
    status, said, errors = command("method=explore", FEATURES, forbidden, *SMALL, f"hydra.run.dir={run_dir}")
    assert status != 0 and not (run_dir / "plan.json").exists()
    (sentence,) = [line for line in errors.splitlines() if FEATURES in line]
    assert "needs SqueezeNet" in sentence and "TORCH_HOME" in sentence and "metric=pixels" in sentence


def test_pictures_that_are_too_small_for_the_network_are_refused():
    with pytest.raises(UserError, match=f"{FEATURES} needs pictures of 17 pixels a side, and these have 16"):
        built(FEATURES, resolution=16)


def test_a_run_with_features_parts_the_samples_in_features(torch_home, command, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(torch_home))
    base = [override for override in OVERRIDES if not override.startswith(("metrics.lpips_net", "steps"))]
    lpips = {}
    for name, weight in (("off", 0), ("on", 100)):
        run_dir = tmp_path / name
        given = ("method=explore", FEATURES, "batch_diversity.distance=60", f"objective.diversity_weight={weight}")
        rest = ("metrics.lpips_net=squeeze", "consistency=none", "steps=10", f"hydra.run.dir={run_dir}")
        status, _, errors = command(*given, *rest, *SMALL, base=base)
        assert status == 0, errors
        lpips[name] = read(run_dir / "metrics.json")["diversity"]["lpips"]
    assert lpips["on"] > 1.2 * lpips["off"]
    assert yaml.safe_load((tmp_path / "on" / "config.yaml").read_text())["batch_diversity"]["metric"] == "features"
