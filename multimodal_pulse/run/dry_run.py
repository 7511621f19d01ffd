"""`dry_run=true`: a short trial instead of a run, which forecasts its time and memory and writes only the plan."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from omegaconf import DictConfig

from multimodal_pulse.base.files import PARTIAL, only_writer
from multimodal_pulse.configuration.compose import Job
from multimodal_pulse.configuration.run_config import write_config_once
from multimodal_pulse.results.plan import Plan, write_plan
from multimodal_pulse.results.records import metrics_of
from multimodal_pulse.results.report import Forecast
from multimodal_pulse.run.build import total_steps, trainer_options
from multimodal_pulse.search.group_size import peak_bytes
from multimodal_pulse.search.outcome import Recorder, Search
from multimodal_pulse.search.timing import STEPS, Timing, time_search


def trial(cfg: DictConfig, groups: Sequence[Sequence[int]]) -> tuple[DictConfig, Sequence[Sequence[int]]]:
    """The configuration and the groups of a trial: the first group, for a few steps.

    No sample leaves a trial early: steps of few samples would be timed for those of all.
    """
    short = cfg.copy()
    short.steps, short.target_lr_psnr = min(STEPS, cfg.steps), None
    return short, groups[:1]


def dry_run(
    cfg: DictConfig,
    job: Job,
    search: Search,
    device: torch.device,
    plan: Plan,
    groups: Sequence[Sequence[int]],
    recorder: Callable[[Path], Recorder],
) -> Forecast:
    """Runs a trial and scores what it finds; the results go to a temporary folder.

    Afterwards the run directory has plan.json, with the estimated seconds, and config.yaml without `dry_run`.

    Args:
        cfg, job, device, plan: those of the run.
        search: the search of the trial.
        groups: the groups that remain to be searched; without any, nothing is tried.
        recorder: makes, for a folder, the recorder that scores an outcome and writes it there.
    """
    once = time.perf_counter() - job.started
    written = cfg.copy()
    written.dry_run = False
    with only_writer(job.run_dir), TemporaryDirectory(prefix=PARTIAL, dir=job.run_dir) as folder:
        timing = Timing(once, 0.0, 0.0)
        if groups:
            from multimodal_pulse.search.progress import SearchProgress  # imports Lightning

            first, again = (recorder(Path(folder) / attempt) for attempt in ("first", "again"))
            options = trainer_options(cfg.trainer, device)
            timing = time_search(search, once, first, again, SearchProgress(), **options)
        forecast = Forecast(
            run_dir=job.run_dir,
            title=cfg.method,
            entries=(),
            metrics=metrics_of([], {}),
            num_samples=cfg.num_samples,
            steps=total_steps(cfg),
            groups=groups,
            shard=f"shard {cfg.shard.index} of {cfg.shard.count}" if cfg.shard.count > 1 else "",
            timing=timing,
            memory=peak_bytes(device),
            device=str(device),
            price_per_hour=cfg.trainer.price_per_hour,
        )
        write_config_once(job.run_dir, written, [given for given in job.overrides if not given.startswith("dry_run=")])
        write_plan(job.run_dir, replace(plan, seconds=forecast.seconds))
    return forecast
