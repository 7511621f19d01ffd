"""Plans the groups in which a run searches its references, and notes which files it is made from."""

from dataclasses import replace
from pathlib import Path

from omegaconf import DictConfig

from multimodal_pulse.base.files import expanded
from multimodal_pulse.configuration.validation import AUTO
from multimodal_pulse.results.plan import Plan, fingerprint
from multimodal_pulse.run.build import Parts
from multimodal_pulse.search.group_size import references_per_group


def plan_run(cfg: DictConfig, parts: Parts, run_dir: Path) -> Plan:
    """Returns the plan that the configuration asks for, with the fingerprints of its files as they are now."""
    plan = _plan_groups(cfg, parts, run_dir)
    of_reference, masks = parts.references.files, (cfg.lr_noise.get("mask"), cfg.degradation.get("mask"))
    lr_mask, hidden = (None if mask is None else fingerprint(expanded(mask)) for mask in masks)
    mine = plan.names(cfg.shard.index, cfg.shard.count)
    return replace(
        plan,
        files={name: fingerprint(of_reference[name]) for name in mine if name in of_reference},
        lr_mask=lr_mask,
        hidden=hidden,
        varied={} if parts.parent is None else dict(parts.parent.files),
    )


def _plan_groups(cfg: DictConfig, parts: Parts, run_dir: Path) -> Plan:
    """Returns the plan with the groups that the configuration asks for.

    `trainer.references_per_group=auto` takes the groups from plan.json of the run directory if it exists, so that the
    groups do not change when a run is resumed on another machine.
    """
    names, trainer = parts.references.names, cfg.trainer
    if trainer.references_per_group != AUTO:
        return Plan.of(names, trainer.references_per_group)
    written = Plan.read(run_dir)
    if written is not None:
        return replace(written, references=names)
    return Plan.of(names, references_per_group(parts.generator, cfg.num_samples, parts.device, trainer.precision))
