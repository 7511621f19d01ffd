"""`python run.py <overrides>`: a run, or with -m the runs of a sweep, as Hydra composes and launches them."""

import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import hydra
from hydra._internal.hydra import Hydra
from hydra.conf import HydraConf
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from multimodal_pulse.base.errors import STOPS, UserError
from multimodal_pulse.base.files import expanded, short
from multimodal_pulse.configuration.compose import Job
from multimodal_pulse.configuration.conf_folder import CONF
from multimodal_pulse.configuration.overrides import as_argument, folder_of_sweep_job, own_overrides
from multimodal_pulse.configuration.run_config import CONFIG_FILE, as_begun, refuse_another_config
from multimodal_pulse.configuration.schema import register
from multimodal_pulse.configuration.validation import FILES, check_config, check_files
from multimodal_pulse.interface.hydra_errors import explain, read_arguments, refuse_arguments
from multimodal_pulse.interface.messages import STOPPED, ReportedError, in_words, say, say_error, say_loading, show
from multimodal_pulse.interface.sweep_jobs import LOST, CommandLine, collect, leave
from multimodal_pulse.interface.sweep_table import EndedJob, SweepReport

register()


def search(arguments: Sequence[str]) -> None:
    """Runs what the arguments ask for; after a sweep prints the common table of its runs.

    Raises:
        UserError: the arguments or the configuration cannot be used.
        ReportedError: a run failed.
        KeyboardInterrupt, Terminated: the program was stopped; a note says how to resume.
    """
    refuse_arguments(arguments)
    sys.argv[1:] = arguments = read_arguments(arguments)
    jobs: list[EndedJob] = []
    silent = LOST
    process = _process()

    @hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
    def job(cfg: DictConfig) -> None:
        """Hydra calls this once, or once for each combination of a sweep."""
        ended = _ended(cfg, HydraConfig.get(), arguments, jobs)
        if ended.error and _process() != process:  # in a launcher's process `jobs` is a copy: Hydra carries the error
            failed = "" if ended.metrics else f"{short(ended.job.run_dir)} failed: "
            raise ReportedError(failed + ended.error)

    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises its errors instead of printing them over several lines
    CommandLine().begin(arguments)
    try:
        if {"-m", "--multirun"} & set(arguments):
            from multimodal_pulse.interface.sweep_check import check_sweep

            check_sweep(arguments)
        with _composed_once(arguments):
            job()
        if any(ended.error for ended in jobs):
            raise ReportedError
    except STOPS as stop:
        silent = STOPPED  # by the launcher, which was told to
        stop.add_note(_how_to_resume(jobs))
        raise
    except (ReportedError, BrokenPipeError):
        raise
    except (HydraException, ValueError) as error:  # from the composition: a run's own errors are reported in `job`
        raise UserError(explain(error)) from error
    except OSError as error:  # from Hydra, which makes the folder
        raise UserError(
            f"the run directory cannot be made ({error}): choose another hydra.run.dir (of a sweep: hydra.sweep.dir)."
        ) from error
    except Exception as error:  # a worker was killed, or a cluster took a job back
        if not any(argument.startswith("hydra/launcher=") for argument in arguments):
            raise
        raise UserError(
            f"the launcher gave up ({in_words(error)}): the same command with the same hydra.sweep.dir does the rest."
        ) from error
    finally:
        _say_sweep(jobs, silent)


@contextmanager
def _composed_once(arguments: Sequence[str]) -> Iterator[None]:
    """Spares Hydra from composing the configuration once more, only to find out whether `hydra.mode` asks for a sweep.

    No option file here does: that is for the arguments, -m as a rule.
    """
    name = "get_mode"
    inner = getattr(Hydra, name, None)
    if inner is None or any("hydra.mode" in argument for argument in arguments):
        yield
        return
    setattr(Hydra, name, lambda *_, **__: None)
    try:
        yield
    finally:
        setattr(Hydra, name, inner)


def _ended(cfg: DictConfig, hydra_config: HydraConf, arguments: Sequence[str], jobs: list[EndedJob]) -> EndedJob:
    """Does one run, says why if it fails, and returns how it ended, which it adds to `jobs`.

    A launcher may do this in another process, where `jobs` is a copy: the job is left in the sweep's folder as well.
    """
    job = _job(hydra_config)
    begun = EndedJob(job, own_overrides(job.overrides, arguments), error=LOST)
    launched = job.sweep is not None and job.choices["hydra/launcher"] != "basic"

    def end(metrics: Mapping[str, Any] | None, error: str) -> EndedJob:
        jobs.append(replace(begun, metrics=metrics, error=error))
        if launched:
            leave(jobs[-1], hydra_config.job.num)
        return jobs[-1]

    if launched:
        leave(begun, hydra_config.job.num)
    try:
        _refuse_lost_paths(cfg, hydra_config)
        ended = end(*_run(cfg, job))
    except BaseException as error:
        with suppress(OSError):  # Hydra has made the folder; a refused run leaves none
            job.run_dir.rmdir()
        ended = end(None, in_words(error))
        if not isinstance(error, Exception):  # a stop ends a sweep, an error only the job
            raise
        say_error(error)
        return ended
    if ended.error:
        say(ended.error)
    return ended


def _run(cfg: DictConfig, job: Job) -> tuple[Mapping[str, Any], str]:
    """Does one run and prints its report; returns the content of metrics.json, and why it lacks references."""
    _refuse_early(cfg, job)
    say_loading(f"PyTorch and generator={job.choices['generator']}")
    from multimodal_pulse.run.run import run

    report = run(cfg, job)
    show(report)
    return report.metrics, report.failure


def _refuse_early(cfg: DictConfig, job: Job) -> None:
    """Refuses what can be refused without the seconds that importing PyTorch takes.

    Raises:
        UserError: a value, a file or a picture cannot be used, or the run directory holds another run.
    """
    check_config(cfg, job.choices, job.overrides)
    check_files(cfg)
    refuse_another_config(job.run_dir, as_begun(job.run_dir, cfg))
    # A resumed run and a shard do not read all pictures: they check their own later.
    if cfg.shard.count == 1 and not _begun(job):
        from multimodal_pulse.references.picture_files import refuse_failing, size_and_format
        from multimodal_pulse.run.picture_sizes import picture_files

        refuse_failing(size_and_format, picture_files(cfg.references))


def _begun(job: Job) -> bool:
    return (job.run_dir / CONFIG_FILE).exists()


def _job(hydra_config: HydraConf) -> Job:
    """Returns what Hydra knows about the run."""
    return Job(
        run_dir=Path(hydra_config.runtime.output_dir),
        choices=dict(hydra_config.runtime.choices),
        overrides=list(hydra_config.overrides.task),
        sweep=Path(hydra_config.sweep.dir) if hydra_config.mode is RunMode.MULTIRUN else None,
    )


def _refuse_lost_paths(cfg: DictConfig, hydra_config: HydraConf) -> None:
    """Refuses a relative path where a launcher's process works in another folder, as on a Ray cluster.

    Raises:
        UserError: with the absolute path to write instead.
    """
    given_in, here = hydra_config.runtime.cwd, os.getcwd()
    if given_in == here or hydra_config.job.chdir:
        return
    paths = {"hydra.sweep.dir": hydra_config.sweep.dir} | {key: OmegaConf.select(cfg, key) for key in FILES}
    for key, path in paths.items():
        if path is not None and not expanded(str(path)).is_absolute():
            whole = as_argument(key, os.path.join(given_in, str(path)))
            raise UserError(f"the launcher's processes are in {here} and not in {given_in}: write {whole}.")


def _process() -> tuple[str, int]:
    """Identifies this process among those of a launcher, which may be on other machines."""
    return platform.node(), os.getpid()


def _folder_of_sweep_job(shard_index: int, shard_count: int) -> str:
    """Names the folder of a job for `conf/config.yaml`, while the job is set up, possibly in a launcher's process."""
    job = HydraConfig.get()
    own = own_overrides(job.overrides.task, CommandLine().arguments)
    shard = shard_index if shard_count > 1 else None
    return folder_of_sweep_job(job.job.num, job.runtime.choices["method"], own, shard)


OmegaConf.register_new_resolver("folder_of_sweep_job", _folder_of_sweep_job, replace=True)


def _how_to_resume(jobs: Sequence[EndedJob]) -> str:
    """Says how to resume after a stop, with the argument to add."""
    sweep = CommandLine().sweep
    if not jobs and sweep is None:  # stopped in the composition: nothing has begun
        return "Nothing had begun."
    key, folder = ("hydra.run.dir", jobs[-1].job.run_dir) if sweep is None else ("hydra.sweep.dir", sweep)
    return f"What is finished stays; the same command with {as_argument(key, str(short(folder)))} does the rest."


def _say_sweep(jobs: Sequence[EndedJob], silent: str) -> None:
    """Prints and writes the table of a sweep, as far as it has come; after a single run there is none.

    Args:
        jobs: the jobs that have ended in this process.
        silent: the error of a job that has begun in another process and has not said how it ended.
    """
    left = [replace(ended, error=silent) if ended.error == LOST else ended for ended in collect()]
    folder = CommandLine().sweep
    if folder is not None and (jobs or left):
        report = SweepReport(folder, jobs or left)
        show(f"\n{report}")
        report.write()
