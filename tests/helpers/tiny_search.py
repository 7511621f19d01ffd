"""A search small enough for tests: a random StyleGAN2 of 16 x 16 pixels and references of 4 x 4."""

from functools import partial
from typing import Any

import torch

from multimodal_pulse.degradation.bicubic import Bicubic
from multimodal_pulse.diversity.batch_diversity import NoBatchDiversity
from multimodal_pulse.diversity.latent_resampling import IndependentLatents
from multimodal_pulse.diversity.lr_noise import NoLrNoise
from multimodal_pulse.diversity.synthesis_noise import NoSynthesisNoise
from multimodal_pulse.generator import Generator, untrained
from multimodal_pulse.generator.spaces.sphere import Sphere
from multimodal_pulse.generator.statistics import WStatistics, estimate_w_statistics
from multimodal_pulse.references.base import Reference
from multimodal_pulse.search import optimizers, schedules
from multimodal_pulse.search.after_step import Retract
from multimodal_pulse.search.consistency import NoConsistency
from multimodal_pulse.search.keep import BestIterate
from multimodal_pulse.search.latent_optimization import LatentOptimization
from multimodal_pulse.search.objective import Objective
from multimodal_pulse.search.outcome import Outcome
from multimodal_pulse.search.select import AllSamples
from multimodal_pulse.search.stages import Stage

FACTOR = 4


def tiny_generator() -> Generator:
    return untrained(16, z_dim=16, w_dim=16, mapping_layers=2, channel_base=256, channel_max=16)


def tiny_statistics(generator: Generator) -> WStatistics:
    return estimate_w_statistics(generator, draws=5_000)


def tiny_references(count: int) -> list[Reference]:
    """Random pictures of 4 x 4, named r0, r1, ..."""
    rng = torch.Generator().manual_seed(1)
    return [Reference(f"r{i}", torch.randint(0, 256, (3, 4, 4), generator=rng) / 255, None) for i in range(count)]


def tiny_search(references: list[Reference], groups: list[list[int]], **changes: Any) -> LatentOptimization:
    """A search with every mechanism off and the report's objective, but for `changes`.

    The parts of a single stage (steps, optimizer, schedule) may be among them, or `stages`.
    """
    generator = changes.pop("generator", None) or tiny_generator()
    stage = Stage(
        latent_space=Sphere(generator, tiny_statistics(generator)),
        steps=changes.pop("steps", 20),
        optimizer=changes.pop("optimizer", partial(optimizers.ranger21, lr=0.4)),
        schedule=changes.pop("schedule", schedules.NoSchedule()),
    )
    settings: dict[str, Any] = {
        "degradation": Bicubic(FACTOR),
        "stages": [stage],
        "latent_resampling": IndependentLatents(),
        "lr_noise": NoLrNoise(),
        "synthesis_noise": NoSynthesisNoise(),
        "batch_diversity": NoBatchDiversity(),
        "objective": Objective(l2_weight=405.0, geodesic_weight=0.058, diversity_weight=0.02, eps=0.0),
        "after_step": Retract(),
        "keep": BestIterate,
        "select": AllSamples(),
        "consistency": NoConsistency(),
        "num_samples": 2,
        "seed": 0,
    }
    return LatentOptimization(references=references, groups=groups, generator=generator, **settings | changes)


def run(search: LatentOptimization, **trainer_options: Any) -> dict[str, Outcome]:
    """The outcomes of a search on the CPU, by name of the reference."""
    outcomes: list[Outcome] = []
    search.run(outcomes.append, **{"accelerator": "cpu"} | trainer_options)
    return {outcome.reference.name: outcome for outcome in outcomes}
