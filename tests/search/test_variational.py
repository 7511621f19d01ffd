"""The fit of a normal distribution over W+, on a linear generator, under which the posterior is normal and known."""

from functools import partial

import numpy as np
import pytest
import torch
from tiny_search import run, tiny_generator, tiny_references, tiny_search

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.degradation.bicubic import Bicubic
from multimodal_pulse.diversity.latent_resampling import NearMeanLatents
from multimodal_pulse.generator import Variational, WPlus
from multimodal_pulse.search import LastIterate, NewDraw, NormalDivergence, NormalW, Objective, Ramp, Stage, optimizers
from multimodal_pulse.search.after_step import Step
from multimodal_pulse.search.objective import Iterate, squared_error
from multimodal_pulse.search.variables import Variable

L2_WEIGHT, WEIGHT, STEPS, SAMPLES = 65.0, 20.0, 1500, 8


class Linear:
    """A generator whose pictures are a linear function of w_plus, and what follows from that."""

    def __init__(self) -> None:
        self.generator = tiny_generator()
        self.shape = (self.generator.num_ws, self.generator.w_dim)
        rng = torch.Generator().manual_seed(3)
        self.matrix = 0.15 * torch.randn(3 * 16 * 16, self.shape[0] * self.shape[1], generator=rng, dtype=torch.float64)
        self.generator.synthesis = lambda w_plus, noise_maps=None: self.pictures(w_plus)  # type: ignore[method-assign]
        self.space = Variational(self.generator, std=1.0)

    def pictures(self, w_plus: torch.Tensor) -> torch.Tensor:
        return (w_plus.flatten(1) @ self.matrix.to(w_plus).T).view(-1, 3, 16, 16)

    def of_latents(self) -> tuple[np.ndarray, np.ndarray]:
        """The LR picture as J latent + c, by downsampling the picture of each component alone: [48, n] and [48]."""
        plain, n = WPlus(self.generator).double(), self.matrix.shape[1]
        basis = torch.cat([torch.zeros(1, n), torch.eye(n)]).double().view(-1, *self.shape)
        lr = Bicubic(4)(self.pictures(plain.to_w_plus(basis))).flatten(1).numpy()
        return (lr[1:] - lr[:1]).T, lr[0]


@pytest.fixture(scope="module")
def linear() -> Linear:
    return Linear()


OBJECTIVE = Objective(
    l2_weight=L2_WEIGHT, geodesic_weight=0.0, diversity_weight=0.0, eps=0.0, terms={"kl": NormalDivergence(WEIGHT)}
)


def test_gradients_are_those_of_the_evidence_lower_bound_at_the_drawn_point(linear) -> None:
    rng = torch.Generator().manual_seed(0)
    mean, log_std, eps = (torch.randn(2, *linear.shape, generator=rng).double() for _ in range(3))
    targets = torch.rand(2, 3, 4, 4, generator=rng).double()
    leaves = [value.requires_grad_() for value in (mean, 0.3 * log_std.detach(), eps)]
    variables = dict(zip(("latent", "log_std", "eps"), leaves, strict=True))
    w_plus, images = linear.space.double().synthesise(variables, [])
    fidelity = squared_error(Bicubic(4)(images), targets)
    losses, _ = OBJECTIVE(Iterate(variables, {}, w_plus, images[:, None], fidelity, 48), torch.zeros(2).double())
    losses.sum().backward()

    m, log_s, e = (leaf.detach().flatten(1).numpy() for leaf in leaves)
    jacobian, offset = linear.of_latents()
    s, prior = np.exp(log_s), WEIGHT / (m.shape[1] * linear.shape[1])
    of_drawn = 2 * L2_WEIGHT / 48 * ((m + s * e) @ jacobian.T + offset - targets.flatten(1).numpy()) @ jacobian
    assert np.allclose(leaves[0].grad.flatten(1), of_drawn + 2 * prior * m, atol=1e-6)
    assert np.allclose(leaves[1].grad.flatten(1), of_drawn * s * e + 2 * prior * (s**2 - 1), atol=1e-6)
    assert leaves[2].grad is None  # the optimiser must not move the draw


def test_the_fit_is_the_normal_distribution_nearest_to_the_posterior(linear) -> None:
    stage = Stage(linear.space.float(), STEPS, partial(optimizers.adam, lr=0.05), Ramp(up=0.05, down=0.7))
    references = tiny_references(1)
    settings = {"stages": [stage], "generator": linear.generator, "objective": OBJECTIVE, "after_step": NewDraw()}
    settings |= {"keep": LastIterate, "num_samples": SAMPLES, "latent_resampling": NearMeanLatents(0.01)}
    found = run(tiny_search(references, [[0]], **settings), precision="64-true")["r0"].latents

    # -log posterior is a quadratic; the nearest product of normal distributions, in KL(q || posterior), has its mean
    # and the diagonal of its precision (Bishop 2006, section 10.1.2).
    jacobian, offset = linear.of_latents()
    prior = 2 * WEIGHT / (jacobian.shape[1] * linear.shape[1])
    precision = 2 * L2_WEIGHT / 48 * jacobian.T @ jacobian + prior * np.eye(jacobian.shape[1])
    residual = references[0].lr.flatten().double().numpy() - offset
    mean = np.linalg.solve(precision, 2 * L2_WEIGHT / 48 * jacobian.T @ residual)
    std = np.sqrt(prior / np.diag(precision))
    assert std.max() < 0.8 and std.max() / std.min() > 1.5  # the reference narrows the prior, and not everywhere alike
    fitted = found["latent"].flatten(1).mean(dim=0).numpy(), found["log_std"].flatten(1).exp().mean(dim=0).numpy()
    assert np.abs(fitted[0] - mean).max() < 0.1
    assert np.abs(fitted[1] / std - 1).max() < 0.1
    drawn = found["latent"] + found["log_std"].exp() * found["eps"]
    assert torch.allclose(linear.space.double().to_w_plus(drawn), found["w_plus"])
    # eps was not used before: over all samples and components it is standard normal.
    assert abs(found["eps"].mean()) < 4 / found["eps"].numel() ** 0.5
    assert 0.8 < found["eps"].std() < 1.2


def test_the_divergence_is_that_of_torchs_distributions_in_the_units_of_the_prior(linear) -> None:
    mean, log_std = torch.randn(2, 3, *linear.shape, generator=torch.Generator().manual_seed(1)).double()
    images = torch.zeros(1, 3, 3, 4, 4)
    of_q = Iterate({"latent": mean, "log_std": log_std}, {}, mean, images, torch.zeros(3), 48)
    normal = torch.distributions.Normal
    nats = torch.distributions.kl_divergence(normal(mean, log_std.exp()), normal(0.0, 1.0)).flatten(1).sum(dim=1)
    units = 2 / (mean[0].numel() * linear.shape[1])
    assert torch.allclose(NormalDivergence(1.0)(of_q), units * nats)
    point = Iterate({"latent": mean}, {}, mean, images, torch.zeros(3), 48)
    narrow = Iterate({"latent": mean, "log_std": torch.zeros_like(mean)}, {}, mean, images, torch.zeros(3), 48)
    assert torch.allclose(NormalDivergence(1.0)(narrow), NormalW(1.0)(point))
    with pytest.raises(UserError, match="latent_space=variational"):
        NormalDivergence(1.0)(point)


def test_a_new_draw_is_the_samples_own_and_leaves_other_spaces_alone(linear) -> None:
    def drawn(samples: int) -> torch.Tensor:
        variables = {name: Variable(torch.zeros(samples, 2, 3)) for name in ("latent", "eps")}
        streams = [torch.Generator().manual_seed(sample) for sample in range(samples)]
        NewDraw()(Step(linear.space, variables, 0.1, streams))
        assert torch.equal(variables["latent"].stack(), torch.zeros(samples, 2, 3))
        return variables["eps"].stack()

    assert torch.equal(drawn(3)[:2], drawn(2))
    assert not torch.equal(drawn(2)[0], drawn(2)[1])
    plain = {"latent": Variable(torch.ones(1, 2, 3))}
    NewDraw()(Step(linear.space, plain, 0.1, [torch.Generator()]))
    assert torch.equal(plain["latent"].stack(), torch.ones(1, 2, 3))


def test_a_standard_deviation_is_positive(linear) -> None:
    with pytest.raises(UserError, match="latent_space.std=0"):
        Variational(linear.generator, std=0)
