"""`dry_run=true`: a trial in place of a run, and what it says about the run. What it leaves is the plan."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from multimodal_pulse.base.files import PARTIAL, only_writer
from multimodal_pulse.configuration.compose import Job
from multimodal_pulse.configuration.run_config import settle_config
from multimodal_pulse.results.plan import Plan, write_plan
from multimodal_pulse.results.records import metrics_of
from multimodal_pulse.results.report import Forecast
from multimodal_pulse.run.parts import Parts
from multimodal_pulse.search.group_size import peak_bytes
from multimodal_pulse.search.latent_optimization import Recorder
from multimodal_pulse.search.progress import SearchProgress
from multimodal_pulse.search.timing import STEPS, Timing, time_search


def dry_run(
    job: Job,
    parts: Parts,
    plan: Plan,
    groups: Sequence[Sequence[int]],
    once: float,
    recorder: Callable[[Path], Recorder],
) -> Forecast:
    """Searches the first group for a few steps, scores it and writes it to a folder that is removed.

    The run directory then has plan.json, with the seconds, and belongs to this configuration without its `dry_run`.

    Args:
        job: where the run would go.
        parts: of the run.
        plan: of the run.
        groups: those that are to be searched; none: nothing is tried.
        once: seconds that the run takes before its search is made.
        recorder: makes what scores an outcome and writes it below a folder.
    """
    cfg = parts.cfg
    with only_writer(job.run_dir), TemporaryDirectory(prefix=PARTIAL, dir=job.run_dir) as folder:
        timing = Timing(once, 0.0, 0.0)
        if groups:
            begun = time.perf_counter()
            search = parts.search(groups[:1], min(STEPS, cfg.steps))
            once += time.perf_counter() - begun
            rehearsal, trial = (recorder(Path(folder) / attempt) for attempt in ("first", "again"))
            timing = time_search(search, once, rehearsal, trial, SearchProgress(), **parts.trainer_options)
        forecast = Forecast(
            run_dir=job.run_dir,
            title=cfg.method,
            entries=(),
            metrics=metrics_of([], {}),
            num_samples=cfg.num_samples,
            steps=cfg.steps,
            groups=groups,
            shard=f"shard {cfg.shard.index} of {cfg.shard.count}" if cfg.shard.count > 1 else "",
            timing=timing,
            memory=peak_bytes(parts.device),
            device=str(parts.device),
            price_per_hour=cfg.trainer.price_per_hour,
        )
        settled = cfg.copy()
        settled.dry_run = False
        settle_config(job.run_dir, settled, [given for given in job.overrides if not given.startswith("dry_run=")])
        write_plan(job.run_dir, replace(plan, seconds=forecast.seconds))
    return forecast
