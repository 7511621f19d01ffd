"""What a search is made of before its groups are known, and the plan of the groups."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from multimodal_pulse.configuration.compose import Job
from multimodal_pulse.configuration.validation import AUTO
from multimodal_pulse.degradation.bicubic import Degradation
from multimodal_pulse.generator import Generator
from multimodal_pulse.generator.spaces.sphere import LatentSpace
from multimodal_pulse.generator.statistics import w_statistics
from multimodal_pulse.references import References
from multimodal_pulse.references.in_memory import Picture
from multimodal_pulse.results.plan import Plan
from multimodal_pulse.run.build import build, build_lr_noise, build_references, build_search, torch_device
from multimodal_pulse.search.baselines import BicubicSearch
from multimodal_pulse.search.group_size import references_per_group
from multimodal_pulse.search.latent_optimization import LatentOptimization


@dataclass(frozen=True)
class Parts:
    """The objects of a run that take long to make, or that refuse a configuration.

    Attributes:
        cfg: the configuration that they were made from.
        device: where the search runs.
        generator, degradation, references, lr_noise, synthesis_noise: the slots of these names.
    """

    cfg: DictConfig
    device: torch.device
    generator: Generator
    degradation: Degradation
    references: References
    lr_noise: Any
    synthesis_noise: Any

    @classmethod
    def of(cls, cfg: DictConfig, job: Job, picture: Picture | None) -> "Parts":
        """Builds them; `picture` stands in for the file of `references=image`.

        Raises:
            UserError: something in the configuration, or something it names, cannot be used.
        """
        device = torch_device(cfg.trainer, cfg.shard.index)
        generator = build(cfg.generator)
        degradation = build(cfg.degradation)
        references = build_references(cfg, job, generator, degradation, picture)
        lr_noise = build_lr_noise(cfg, job, generator, degradation)
        synthesis_noise = build(cfg.synthesis_noise)
        # Refuses what this generator cannot take now, and not when the search has begun.
        synthesis_noise.draw(generator, cfg.seed, references.names[0], num_samples=1)
        return cls(cfg, device, generator, degradation, references, lr_noise, synthesis_noise)

    def plan(self, run_dir: Path) -> Plan:
        """The groups that the configuration asks for.

        `trainer.references_per_group=auto` asks for those that are settled in the run directory, where they are: groups
        stay as they are when a run is taken up again on another machine.
        """
        names, trainer = self.references.names, self.cfg.trainer
        if trainer.references_per_group != AUTO:
            return Plan.of(names, trainer.references_per_group)
        settled = Plan.read(run_dir)
        if settled is not None:
            return replace(settled, references=names)
        size = references_per_group(self.generator, self.cfg.num_samples, self.device, trainer.precision)
        return Plan.of(names, size)

    def search(self, groups: Sequence[Sequence[int]], steps: int) -> LatentOptimization | BicubicSearch:
        """The search of these groups, ready to run with `trainer_options`."""
        cfg = self.cfg.copy()
        cfg.steps = steps
        return build_search(
            cfg,
            references=self.references,
            groups=groups,
            generator=self.generator,
            degradation=self.degradation,
            latent_space=lambda: LatentSpace(w_statistics(self.generator), self.generator.num_ws),
            lr_noise=self.lr_noise,
            synthesis_noise=self.synthesis_noise,
        )

    @property
    def trainer_options(self) -> dict[str, Any]:
        """Of `pytorch_lightning.Trainer`."""
        return {
            "accelerator": self.cfg.trainer.accelerator,
            "devices": 1 if self.device.index is None else [self.device.index],
            "precision": self.cfg.trainer.precision,
        }
