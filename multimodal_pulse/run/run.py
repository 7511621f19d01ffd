"""One run, from a configuration to pictures and scores: the table of contents of the program.

The configuration `cfg` stays in this package; everything below gets plain arguments.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from multimodal_pulse.base.collector import collect_again
from multimodal_pulse.base.files import only_writer, refuse_unwritable
from multimodal_pulse.configuration.compose import Job
from multimodal_pulse.configuration.generator_choice import said_choice
from multimodal_pulse.configuration.run_config import as_begun, refuse_another_config, write_config_once
from multimodal_pulse.configuration.validation import AUTO, without_effect
from multimodal_pulse.generator.files.weights import NETWORKS
from multimodal_pulse.metrics import build_lpips, build_realism
from multimodal_pulse.metrics.lpips import choose_net
from multimodal_pulse.references.base import outside
from multimodal_pulse.references.in_memory import Picture
from multimodal_pulse.results.pictures.restore import restore_pictures
from multimodal_pulse.results.plan import Plan, refuse_another_run, write_plan_once
from multimodal_pulse.results.provenance import write_provenance
from multimodal_pulse.results.records import ReferenceFolders, check_entries, derive, finished
from multimodal_pulse.results.report import Notices, Report, report, say_begun, say_precision, say_resumed, say_unusable
from multimodal_pulse.results.tracking.trackers import NullTracker
from multimodal_pulse.run.blind import with_degradation_found
from multimodal_pulse.run.build import (
    build_parts,
    build_search,
    build_tracker,
    renderer_loader,
    rendering_settings,
    searches_latents,
    total_steps,
    trainer_options,
)
from multimodal_pulse.run.dry_run import dry_run, trial
from multimodal_pulse.run.groups import plan_run
from multimodal_pulse.run.kernels import with_kernels
from multimodal_pulse.run.parent import with_parent
from multimodal_pulse.run.scoring import score
from multimodal_pulse.run.space import refuse_full_disk, refuse_full_memory
from multimodal_pulse.search.outcome import Outcome, Recorder
from multimodal_pulse.search.stuck import stuck

if TYPE_CHECKING:
    import pytorch_lightning as pl


def run(cfg: DictConfig, job: Job, picture: Picture | None = None, callbacks: Sequence["pl.Callback"] = ()) -> Report:
    """Searches, scores and records every reference of a run; in an existing run directory, only the missing ones.

    Unusable input is refused before the run directory is touched and before LPIPS, which may have to be downloaded.
    With `dry_run=true` a trial replaces the search, and a `Forecast` the report.

    Args:
        cfg: the configuration, without Hydra's own node, after `check_config`.
        job: the run directory and the overrides of the configuration.
        picture: replaces the file of `references=image`.
        callbacks: Lightning's, which watch the search, or end it by `stop` of their `pl_module`; a trial has none.

    Raises:
        UserError: something in the configuration, or something it names, cannot be used.
        KeyboardInterrupt, Terminated: the run was stopped; finished references are recorded.
    """
    refuse_unwritable(job.run_dir)
    cfg, parent = with_parent(as_begun(job.run_dir, cfg))
    refuse_another_config(job.run_dir, cfg)
    parts = build_parts(cfg, picture, parent)
    cfg = parts.cfg
    recorded, parts = with_degradation_found(cfg, parts)
    references, shard = parts.references, (cfg.shard.index, cfg.shard.count)
    references.add_notice(without_effect(job.choices, job.overrides))
    references.add_notice(_said_choice(job))
    tracker = build_tracker(cfg, job)

    plan, done = plan_run(cfg, parts, job.run_dir), finished(job.run_dir)
    refuse_another_run(job.run_dir, plan, parts.generator.sha256, done)
    plan = plan.resuming(Plan.read(job.run_dir), done)
    earlier = check_entries(job.run_dir, plan.references)
    waiting = [index for group in plan.pending(done, *shard) for index in group]
    references.check(waiting)
    unusable = references.unusable(waiting)
    groups = plan.pending(done, *shard, unusable)
    refuse_full_memory(cfg, parts, groups)
    refuse_full_disk(cfg, parts, len(set(plan.names_of(groups)) - done), job.run_dir)
    if searches_latents(cfg):
        passes = len(plan.names(*shard)) * cfg.num_samples * total_steps(cfg)
        cfg, without_fused = with_kernels(cfg, parts.device, parts.generator, passes)
        references.add_notice(without_fused)
    search = build_search(*(trial(cfg, groups) if cfg.dry_run else (cfg, groups)), parts)
    collect_again()  # everything large is imported
    missing = {plan.references[i]: reason for i, reason in unusable.items() if plan.references[i] not in done}

    notices = Notices(references)
    notices.say()
    say_unusable(missing)
    mine = plan.names(*shard)
    say_resumed(len(done.intersection(mine)), len(mine), len(missing))
    if cfg.metrics.lpips_net == AUTO:
        cfg = cfg.copy()
        cfg.metrics.lpips_net = choose_net()
    lpips = build_lpips(
        cfg.metrics.lpips_net,
        cfg.metrics.lpips_verify,
        cfg.metrics.lpips_required,
        cfg.metrics.lpips_download_seconds,
    )

    knows, shown = parts.generator.domain, references.domain
    # Without LPIPS nothing is measured in deep features, and with nothing left to search nothing at all.
    measured = bool(groups and cfg.metrics.lpips_net)
    realism = build_realism((knows or shown) if measured else None, parts.generator.resolution)

    def recorder(tracker: NullTracker, folder: Path) -> Recorder:
        folders = ReferenceFolders(
            folder,
            rendering_settings(recorded),
            lpips.state,
            parts.generator.sha256,
            realism.state,
            plan.files,
            plan.varied,
        )

        def score_and_write(outcome: Outcome) -> None:
            score(outcome, parts.degradation, lpips, realism, outside(knows, shown), folders, tracker)
            for sentence in stuck(outcome):
                references.add_notice(sentence)
            notices.say()

        return score_and_write

    if cfg.dry_run:
        return dry_run(cfg, job, search, parts.device, plan, groups, partial(recorder, NullTracker(job.run_dir)))

    # Imported here, since Lightning takes seconds and a run that is refused does not need it.
    from multimodal_pulse.results.tracking.curves import Curves
    from multimodal_pulse.search.progress import SearchProgress

    # W&B may still refuse the run when the block is entered, so the configuration is written only inside it.
    with only_writer(job.run_dir), tracker:
        write_config_once(job.run_dir, cfg, job.overrides)
        say_begun(job.run_dir)
        if groups and searches_latents(cfg):
            say_precision(cfg.trainer.precision, parts.why_precision)
        write_plan_once(job.run_dir, plan)
        restore_pictures(job.run_dir, earlier, renderer_loader())
        if groups:  # a process with nothing left to search adds no provenance
            write_provenance(
                job.run_dir,
                seed=cfg.seed,
                device=parts.device,
                weights_sha256=parts.generator.sha256,
                generator=job.choices["generator"],
                varied=plan.varied,
                choices={
                    "precision": {"chosen": str(cfg.trainer.precision), "because": parts.why_precision},
                    "kernels": parts.generator.operators.chosen,
                },
            )
        try:
            search.run(
                recorder(tracker, job.run_dir),
                callbacks=[SearchProgress(), Curves(tracker, plan.label), *callbacks],
                **trainer_options(cfg.trainer, parts.device),
            )
        finally:
            metrics = derive(job.run_dir, plan.references, missing)
        result = report(job.run_dir, cfg.method, plan.references, metrics)
        tracker.log_tables(result.entries, metrics)
    return result


def _said_choice(job: Job) -> str | None:
    """Returns a notice of the generator that was chosen for the references; the report's is named if it is here."""
    said = said_choice(job.choices, job.overrides)
    if said is None:
        return None
    report_network = "; the report's network is on this machine: generator=ffhq256" * NETWORKS["ffhq256"].path.exists()
    return f"{said}{report_network}."
