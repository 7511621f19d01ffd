"""The readings of the authors' program together, against that program's algorithm as a plain loop over the samples."""

from functools import partial

import pytest
import torch
import torch.nn.functional as F
from pytorch_optimizer import Ranger21
from tiny_search import FACTOR, run, tiny_generator, tiny_references, tiny_search, tiny_statistics

from multimodal_pulse.base.randomness import stream
from multimodal_pulse.degradation import PlainBicubic
from multimodal_pulse.diversity import AveragedBatchDiversity, GaussianSynthesisNoise, SharedLrNoise
from multimodal_pulse.diversity.synthesis_noise import SharedSynthesisNoise
from multimodal_pulse.generator.spaces.flat_sphere import FlatSphere
from multimodal_pulse.references.pixels import quantise
from multimodal_pulse.search import LowestSum, NoSchedule, Objective, Stage, ranger21_of_batch

STEPS, K = 12, 3
WEIGHTS = {"l2_weight": 405.0, "geodesic_weight": 0.058, "eps": 0.14}  # high enough to matter here


def plain_loop(generator, lr, name):
    """Searches the samples of one reference: the saved pictures [K, 3, R, R], and the step at which each was found."""
    statistics = tiny_statistics(generator)
    layers = range(len(generator.noise_resolutions))
    drawn = SharedSynthesisNoise(0.2).draw(generator, 0, name, K)
    custom = [drawn.fixed[layer][:1] for layer in layers]
    target = SharedLrNoise(0.108).targets(lr, 0, name, 1)
    latent = torch.nn.Parameter(
        torch.stack([torch.randn(6, 16, generator=stream(0, name, k, "latent")) for k in range(K)])
    )
    radii = latent.detach().norm(dim=2, keepdim=True)
    optimizer = Ranger21([latent], num_iterations=STEPS * K, lr=0.4, weight_decay=1e-4)
    lowest, best, best_step = [torch.inf] * K, [None] * K, [0] * K
    for step in range(STEPS):
        images, total = [], 0
        for b in range(K):
            w = F.leaky_relu(latent[b] * statistics.std + statistics.mean, 0.025)
            image = generator.synthesis(w[None], custom).clamp(0, 1)
            small = F.interpolate(image, scale_factor=1 / FACTOR, mode="bicubic")
            angles = [
                2 * torch.atan2(((x - y).square().sum() + 1e-9).sqrt(), ((x + y).square().sum() + 1e-9).sqrt())
                for x in w
                for y in w
            ]
            geodesic = torch.stack(angles).square().mean() * 16 / 8
            loss = 405 * (small - target).square().mean().clamp(min=0.14) + 0.058 * geodesic
            if loss < lowest[b]:
                lowest[b], best[b], best_step[b] = loss.detach(), w.detach(), step
            total = total + loss
            images.append(image)
        pairs = sum(torch.dist(images[i], images[j]) for i in range(K) for j in range(i + 1, K))
        total = total - 0.02 * pairs / K * 16  # distances at 16 x 16 pixels, as if at 256 x 256
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        with torch.no_grad():
            latent.mul_(radii / latent.norm(dim=2, keepdim=True))
    unit = GaussianSynthesisNoise(1.0).draw(generator, 0, name, K).fixed
    return generator.synthesis(torch.stack(best), [unit[layer] for layer in layers]), best_step


def test_the_search_is_the_programs_loop():
    references = tiny_references(2)
    generator = tiny_generator()
    stage = Stage(
        latent_space=FlatSphere(generator, tiny_statistics(generator)),
        steps=STEPS,
        optimizer=partial(ranger21_of_batch, lr=0.4, weight_decay=1e-4),
        schedule=NoSchedule(),
    )
    found = run(
        tiny_search(
            references,
            [[0, 1]],
            generator=generator,
            stages=[stage],
            degradation=PlainBicubic(FACTOR),
            lr_noise=SharedLrNoise(0.108),
            synthesis_noise=SharedSynthesisNoise(0.2),
            batch_diversity=AveragedBatchDiversity(),
            objective=Objective(diversity_weight=0.02, **WEIGHTS),
            keep=partial(LowestSum, **WEIGHTS),
            num_samples=K,
        )
    )
    for reference in references:
        outcome = found[reference.name]
        images, best_step = plain_loop(generator, reference.lr, reference.name)
        assert outcome.best_step == best_step
        assert (outcome.samples - quantise(images)).abs().max() <= 1.5 / 255  # single precision, and 8 bits
        assert outcome.lr_before_rounding == pytest.approx(PlainBicubic(FACTOR)(images.clamp(0, 1)), abs=2e-3)
