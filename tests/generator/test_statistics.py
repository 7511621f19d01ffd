import logging
import os
import stat

import numpy as np
import pytest
import torch

from multimodal_pulse.generator import statistics, untrained


@pytest.fixture
def generator(tmp_path, monkeypatch):
    monkeypatch.setenv("MULTIMODAL_PULSE_CACHE", str(tmp_path / "cache"))
    return untrained(16, z_dim=8, w_dim=12, mapping_layers=2, channel_base=64, channel_max=8)


def test_mean_and_std_equal_numpy_s_over_all_draws(generator):
    draws = 25_000  # two chunks and a half
    estimated = statistics.estimate_w_statistics(generator, draws)
    rng = torch.Generator().manual_seed(0)
    z = torch.cat([torch.randn(n, 8, generator=rng) for n in (10_000, 10_000, 5_000)])
    w = generator.mapping(z)[:, 0].numpy().astype(np.float64)
    gaussianised = np.where(w > 0, w, 5 * w)
    np.testing.assert_allclose(estimated.mean.numpy(), gaussianised.mean(axis=0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(estimated.std.numpy(), gaussianised.std(axis=0), rtol=1e-5)


def test_the_second_time_they_come_from_the_cache(generator, monkeypatch, tmp_path):
    first = statistics.w_statistics(generator, draws=1_000)
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [
        f"w-statistics-{generator.sha256}-1000.safetensors"
    ]

    def forbidden(*arguments):
        raise AssertionError("computed again")

    monkeypatch.setattr(statistics, "estimate_w_statistics", forbidden)
    second = statistics.w_statistics(generator, draws=1_000)
    assert torch.equal(first.mean, second.mean) and torch.equal(first.std, second.std)
    with pytest.raises(AssertionError, match="computed again"):
        statistics.w_statistics(untrained(16, seed=1, channel_base=64), draws=1_000)


def test_what_takes_long_is_said_once(generator, capsys):
    statistics.w_statistics(generator, draws=1_000)
    assert capsys.readouterr().err == "note: the statistics of W are computed now and kept for later runs\n"
    statistics.w_statistics(generator, draws=1_000)
    assert capsys.readouterr().err == ""


def test_the_cache_file_has_the_permissions_of_the_umask(generator, tmp_path):
    before = os.umask(0o027)
    try:
        statistics.w_statistics(generator, draws=1_000)
    finally:
        os.umask(before)
    (path,) = (tmp_path / "cache").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.parametrize("content", [b"", b"\x00" * 100])
def test_a_damaged_cache_file_is_replaced(generator, content, tmp_path):
    first = statistics.w_statistics(generator, draws=1_000)
    (path,) = (tmp_path / "cache").iterdir()
    size = path.stat().st_size
    path.write_bytes(content)
    assert torch.equal(statistics.w_statistics(generator, draws=1_000).mean, first.mean)
    assert path.stat().st_size == size


def test_without_a_place_to_write_they_are_computed_with_a_warning(generator, monkeypatch, tmp_path, caplog):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MULTIMODAL_PULSE_CACHE", str(tmp_path / "file" / "cache"))
    with caplog.at_level(logging.WARNING):
        assert statistics.w_statistics(generator, draws=1_000).std.min() > 0
    assert "cannot be written" in caplog.text
