import logging
import math
from pathlib import Path

import pytest
import torch
from tiny_run import read

from multimodal_pulse.domains.portraits.renderer import render_seeds, split_seeds
from multimodal_pulse.domains.real_pictures import kept_features, real_pictures
from multimodal_pulse.metrics import NullRealism, Realism, build_realism, realism
from multimodal_pulse.metrics.manifold import features, squeezenet

DOMAIN = "rendered portraits"


@pytest.fixture
def portraits(torch_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A backbone, few real portraits of 32 pixels, and an empty cache, which is returned."""
    monkeypatch.setenv("TORCH_HOME", str(torch_home))
    monkeypatch.setenv("MULTIMODAL_PULSE_CACHE", str(tmp_path))
    monkeypatch.setattr(realism, "REAL_PICTURES", 60)
    return tmp_path


def test_portraits_are_realistic_and_noise_is_not(portraits: Path):
    measured = build_realism(DOMAIN, 32)
    known = next(real_pictures(DOMAIN, 32, 25))
    noise = torch.rand(8, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert all(measured.of(known)) and not any(measured.of(noise))
    unseen = measured.of(render_seeds(split_seeds("test", 32), 32))
    assert sum(map(bool, unseen)) > 16
    state = measured.state
    assert (state["domain"], state["pictures"], state["reason"]) == (DOMAIN, 60, None)
    assert state["weights"] in ("verified", "unverified") and len(state["sha256"]) == 64


def test_a_failed_sample_has_no_realism_and_does_not_touch_the_others(portraits: Path):
    measured = build_realism(DOMAIN, 32)
    samples = render_seeds(split_seeds("test", 4), 32)
    before = measured.of(samples)
    samples[1, 0, 3, 3] = math.nan
    assert measured.of(samples) == [before[0], None, *before[2:]]


def test_the_features_that_are_shipped_are_those_of_the_real_portraits(torch_home: Path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(torch_home))
    shipped = kept_features(DOMAIN, 128)
    assert shipped is not None and len(shipped) == realism.REAL_PICTURES
    own = features([next(real_pictures(DOMAIN, 128, 25))], squeezenet())
    torch.testing.assert_close(shipped[:25], own, rtol=2e-3, atol=1e-3)  # shipped in half precision
    assert kept_features(DOMAIN, 64) is None


def test_real_pictures_are_looked_at_once(portraits: Path, monkeypatch: pytest.MonkeyPatch):
    first = build_realism(DOMAIN, 32)
    assert len(list(portraits.iterdir())) == 1
    monkeypatch.setattr(realism, "real_pictures", lambda *arguments: pytest.fail("drawn again"))
    samples = render_seeds(split_seeds("test", 8), 32)
    assert build_realism(DOMAIN, 32).of(samples) == first.of(samples)


def test_building_it_moves_no_random_stream(portraits: Path):
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    squeezenet()
    assert torch.equal(torch.rand(3), expected)


def test_without_the_backbone_one_line_says_so(tmp_path: Path, monkeypatch, caplog: pytest.LogCaptureFixture):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with caplog.at_level(logging.WARNING):
        absent = build_realism(DOMAIN, 32)
    [line] = caplog.messages
    assert line.startswith("Realism is left out (null): SqueezeNet's weights are missing (") and str(tmp_path) in line
    assert isinstance(absent, NullRealism) and absent.state["weights"] == "absent"
    assert absent.of(torch.rand(3, 3, 32, 32)) == [None, None, None]


def test_a_damaged_backbone_is_left_out(tmp_path: Path, monkeypatch, caplog: pytest.LogCaptureFixture):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    path = realism.backbone_file("squeeze")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"not weights")
    assert build_realism(DOMAIN, 32).state["reason"] == "SqueezeNet's weights cannot be read"


@pytest.mark.parametrize(("domain", "resolution"), [(None, 32), ("photographs", 32), (DOMAIN, 16)])
def test_where_nothing_can_be_compared_nothing_is_said(domain, resolution: int, caplog: pytest.LogCaptureFixture):
    assert not isinstance(build_realism(domain, resolution), Realism) and not caplog.messages
    with pytest.raises(ValueError, match="no real pictures of the domain 'shoes'"):
        real_pictures("shoes", 32, 1)


def test_realism_is_measured_against_the_domain_of_the_references_if_the_generator_has_none(
    command, portraits, tmp_path
):
    status, said, errors = command("method=bicubic", "metrics.lpips_net=squeeze", f"hydra.run.dir={tmp_path / 'run'}")
    assert status == 0, errors
    [entry] = [read(path) for path in (tmp_path / "run").glob("references/*/record.json")]
    assert [record["realistic"] for record in entry["records"]] == [False]
    assert "\nrealistic: 0 of 1 samples (they look like rendered portraits)\n" in said
    metrics = read(tmp_path / "run" / "metrics.json")
    assert metrics["realism"]["mean"] == 0.0 and metrics["realism_backbone"]["pictures"] == 60
