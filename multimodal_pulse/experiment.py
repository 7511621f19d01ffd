"""One run, from a configuration to pictures and scores: the table of contents of the program.

`cfg` goes no deeper than this module and `assembly`: everything below gets plain arguments.
"""

import logging
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from omegaconf import DictConfig
from PIL.Image import Image
from torch import Tensor

from multimodal_pulse.assembly import (
    build,
    build_lr_noise,
    build_references,
    build_search,
    build_tracker,
    rendering_settings,
    torch_device,
)
from multimodal_pulse.curves import Curves
from multimodal_pulse.generator.statistics import w_statistics
from multimodal_pulse.job import Job, refuse_another_config, settle_config
from multimodal_pulse.latents import LatentSpace
from multimodal_pulse.metrics import Scores, build_lpips, evaluate
from multimodal_pulse.outcome import Outcome
from multimodal_pulse.pictures import caption, film_strip, grid, made_exact
from multimodal_pulse.progress import SearchProgress
from multimodal_pulse.records import Plan, Records, finished, refuse_another_run, settle_plan, write_provenance
from multimodal_pulse.references.images import quantise
from multimodal_pulse.references.in_memory import Picture
from multimodal_pulse.report import Notices, Report, report, say_begun, say_resumed


def run(cfg: DictConfig, job: Job, picture: Picture | None = None) -> Report:
    """Searches, scores and records every reference of a run, or what is missing in a run directory that has begun.

    What can be refused is refused before the run directory is touched, and before LPIPS is asked for, which may be
    long in coming.

    Args:
        cfg: the configuration, without Hydra's own node, after `check_config`.
        job: where the run goes, and how the configuration came about.
        picture: stands in for the file of `references=image`.

    Raises:
        UserError: something in the configuration, or something it names, cannot be used.
        KeyboardInterrupt: Ctrl-C; what is finished is recorded.
    """
    refuse_another_config(job.run_dir, cfg)
    device = torch_device(cfg.trainer.accelerator)
    generator = build(cfg.generator)
    degradation = build(cfg.degradation)
    references = build_references(cfg, job, generator, degradation, picture)
    lr_noise = build_lr_noise(cfg, job, generator, degradation)
    synthesis_noise = build(cfg.synthesis_noise)
    # Refuses what this generator cannot take now, and not when the search has begun.
    synthesis_noise.draw(generator, cfg.seed, references.names[0], num_samples=1)
    tracker = build_tracker(cfg, job)

    plan = Plan.of(references.names, cfg.trainer.references_per_group)
    refuse_another_run(job.run_dir, plan, generator.sha256)
    done = finished(job.run_dir)
    groups = plan.pending(done, cfg.shard.index, cfg.shard.count)
    search = build_search(
        cfg,
        references=references,
        groups=groups,
        generator=generator,
        degradation=degradation,
        latent_space=lambda: LatentSpace(w_statistics(generator), generator.num_ws),
        lr_noise=lr_noise,
        synthesis_noise=synthesis_noise,
    )
    references.check(index for group in groups for index in group)

    notices = Notices(references)
    notices.say()
    mine = plan.names(cfg.shard.index, cfg.shard.count)
    say_resumed(len(done.intersection(mine)), len(mine))
    lpips = build_lpips(cfg.metrics.lpips_net, cfg.metrics.lpips_verify, cfg.metrics.lpips_download_seconds)

    # W&B may still refuse the run as the block is entered; only inside does the run directory become this run's own.
    with tracker:
        settle_config(job.run_dir, cfg, job.overrides)
        say_begun(job.run_dir)
        settle_plan(job.run_dir, plan)
        if groups:  # who finds nothing to do has made nothing here
            write_provenance(
                job.run_dir,
                seed=cfg.seed,
                device=device,
                weights_sha256=generator.sha256,
                generator=job.choices["generator"],
            )
        records = Records(job.run_dir, rendering_settings(cfg), lpips.state, generator.sha256)

        def record(outcome: Outcome) -> None:
            downsampled = degradation(quantise(outcome.samples))
            scores = evaluate(outcome, degradation, lpips)
            pictures = _pictures(outcome, downsampled, scores, records.settings)
            records.write(outcome, scores, downsampled, pictures)
            tracker.log_reference(scores, outcome.samples, pictures["grid.png"])
            notices.say()

        curves = Curves(tracker, labels=[plan.label(group) for group in groups])
        try:
            with _as_a_search():
                search.run(
                    record,
                    accelerator=cfg.trainer.accelerator,
                    precision=cfg.trainer.precision,
                    callbacks=[SearchProgress(), curves],
                )
        finally:
            metrics = records.derive(plan.references)
        result = report(job.run_dir, cfg.method, plan.references, metrics)
        tracker.log_table(result.records, metrics)
    return result


def _pictures(outcome: Outcome, downsampled: Tensor, scores: Scores, settings: Mapping[str, Any]) -> dict[str, Image]:
    """The pictures for people, by file name; their words come from the record's settings."""
    words = caption(settings, outcome.steps)
    lr_psnr = [sample.lr_psnr for sample in scores.records]
    found = (outcome.reference, outcome.targets, outcome.mask, outcome.samples)
    pictures = {"grid.png": grid(*found, downsampled, lr_psnr, words)}
    if outcome.film is not None:
        pictures["film.png"] = film_strip(outcome, lr_psnr, words, made_exact(settings))
    return pictures


@contextmanager
def _as_a_search() -> Iterator[None]:
    """Keeps Lightning's notes on devices and products to itself, and gives Ctrl-C its meaning back.

    Lightning sets its logger's level when it is imported, after Hydra has configured logging; it turns Ctrl-C into an
    exit and ignores it from then on.
    """
    logger = logging.getLogger("lightning.pytorch")
    level, handler = logger.level, signal.getsignal(signal.SIGINT)
    logger.setLevel(logging.ERROR)
    try:
        yield
    except SystemExit as error:
        if not isinstance(error.__context__, KeyboardInterrupt):
            raise
        signal.signal(signal.SIGINT, handler)
        raise KeyboardInterrupt from error
    finally:
        logger.setLevel(level)
