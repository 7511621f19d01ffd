"""A blind start: the density against PyTorch's own, and that it names the true degradation."""

import math

import pytest
import torch
from tiny_search import FACTOR, tiny_generator

from multimodal_pulse.degradation import Degradation
from multimodal_pulse.degradation.candidates import CANDIDATES
from multimodal_pulse.diversity.blind import NOISE_STDS, Prior, most_likely, priors

CANDIDATES_HERE: dict[str, Degradation] = {name: make(FACTOR) for name, make in CANDIDATES.items()}


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("MULTIMODAL_PULSE_CACHE", str(tmp_path))


@pytest.mark.parametrize("draws", [200, 12])
def test_the_density_is_that_of_the_normal_distribution_with_noise(draws):
    """Also where there are fewer draws than numbers in a picture."""
    rng = torch.Generator().manual_seed(0)
    lr = 0.5 + 0.1 * torch.randn(draws, 20, generator=rng) @ torch.randn(20, 20, generator=rng) / 4
    seen = 0.5 + 0.1 * torch.randn(3, 20, generator=rng)
    found = Prior(lr).log_density(seen)
    for column, std in enumerate(NOISE_STDS):
        covariance = torch.cov(lr.double().T) + std**2 * torch.eye(20, dtype=torch.float64)
        normal = torch.distributions.MultivariateNormal(lr.double().mean(dim=0), covariance)
        expected = normal.log_prob(seen.double()) + 10 * math.log(2 * math.pi)  # a constant is left out
        assert torch.allclose(found[:, column], expected, rtol=1e-6)


def unseen_pictures(count: int, seed: int) -> torch.Tensor:
    """Pictures of the tiny generator that are not among the draws, [count, 3, 16, 16] in [0, 1]."""
    generator, rng = tiny_generator(), torch.Generator().manual_seed(seed)
    z = torch.randn(count, generator.z_dim, generator=rng)
    noise = [torch.randn(count, 1, r, r, generator=rng) for r in generator.noise_resolutions]
    with torch.no_grad():
        return generator.synthesis(generator.mapping(z), noise).clamp(0, 1)


def test_it_names_the_true_degradation_and_its_noise():
    of_candidates, pictures = priors(tiny_generator(), CANDIDATES_HERE), unseen_pictures(8, seed=5)
    right = 0
    for name, degradation in CANDIDATES_HERE.items():
        lr = (degradation(pictures).clamp(0, 1) * 255).round() / 255
        findings = [most_likely(one[None], of_candidates) for one in lr]
        right += sum(finding.name == name for finding in findings)
        together = most_likely(lr, of_candidates)
        assert together.name == name and together.margin > 0 and together.second != name
        noise = torch.randn(lr.shape, generator=torch.Generator().manual_seed(0))
        assert most_likely(lr + 0.064 * noise, of_candidates).noise_std == pytest.approx(0.064, rel=0.5)
    assert right >= 0.8 * len(CANDIDATES_HERE) * len(pictures)


def test_the_draws_are_kept_for_these_candidates_and_no_others(tmp_path, monkeypatch):
    two = dict(list(CANDIDATES_HERE.items())[:2])
    priors(tiny_generator(), CANDIDATES_HERE), priors(tiny_generator(), two)
    assert len(list(tmp_path.glob("candidates-*.safetensors"))) == 2
    monkeypatch.setattr("multimodal_pulse.diversity.blind.lr_pictures", lambda *rest: pytest.fail("drawn again"))
    priors(tiny_generator(), CANDIDATES_HERE)
