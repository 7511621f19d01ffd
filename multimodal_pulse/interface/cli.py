"""The command line: `multimodal-pulse`, and `run.py` of the source tree, which is the same.

What the user got wrong ends in one line on stderr and exit status 1, a mistake of ours in a traceback and 1, Ctrl-C in
one line and 130. Nothing heavy is imported before a configuration is composed.
"""

import json
import os
import platform
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import hydra
from hydra.conf import HydraConf
from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.base.files import short
from multimodal_pulse.base.version import __version__
from multimodal_pulse.configuration.compose import Job
from multimodal_pulse.configuration.conf_folder import CONF
from multimodal_pulse.configuration.overrides import as_argument, folder_of_sweep_job, own_overrides
from multimodal_pulse.configuration.run_config import refuse_another_config
from multimodal_pulse.configuration.schema import register
from multimodal_pulse.configuration.validation import FILES, check_config, check_files
from multimodal_pulse.interface.hydra_errors import explain, refuse_arguments
from multimodal_pulse.interface.subcommands import HELP, convert, merge, wandb_sweep, weights
from multimodal_pulse.interface.sweep_table import STOPPED, EndedJob

register()


class CommandLine(metaclass=Singleton):
    """The arguments of the command. Hydra's launchers carry its singletons to the processes they start, on whatever
    machine, where the environment may be another.
    """

    def __init__(self) -> None:
        self.arguments: list[str] = []


class ReportedError(Exception):
    """A run failed and has said why; of a sweep the others are done first.

    Where a launcher gives the jobs to other processes, Hydra raises the first at the end, after a line of its own,
    "Error executing job with overrides". It then says again why, since the job itself may have said so in a log file.
    """


def _run(cfg: DictConfig, job: Job) -> tuple[Mapping[str, Any], str]:
    """One run, whose report is printed; returns the content of metrics.json, and why it is not of all references."""
    # Whatever can be refused without the seconds that PyTorch takes to be imported.
    check_config(cfg, job.choices, job.overrides)
    check_files(cfg)
    refuse_another_config(job.run_dir, cfg)
    from multimodal_pulse.run.run import run

    report = run(cfg, job)
    print(report)
    return report.metrics, report.failure


def _job(hydra_config: HydraConf) -> Job:
    """What Hydra knows about the run."""
    return Job(
        run_dir=Path(hydra_config.runtime.output_dir),
        choices=dict(hydra_config.runtime.choices),
        overrides=list(hydra_config.overrides.task),
        sweep=Path(hydra_config.sweep.dir) if hydra_config.mode is RunMode.MULTIRUN else None,
    )


def _refuse_lost_paths(cfg: DictConfig, hydra_config: HydraConf) -> None:
    """
    Raises:
        UserError: a path is relative to a folder that a launcher's process is not in, as those of a Ray cluster.
    """
    given_in, here = hydra_config.runtime.cwd, os.getcwd()
    if given_in == here or hydra_config.job.chdir:
        return
    paths = {"hydra.sweep.dir": hydra_config.sweep.dir} | {key: OmegaConf.select(cfg, key) for key in FILES}
    for key, path in paths.items():
        if path is not None and not Path(str(path)).expanduser().is_absolute():
            whole = as_argument(key, os.path.join(given_in, str(path)))
            raise UserError(f"the launcher's processes are in {here} and not in {given_in}: write {whole}.")


def render(arguments: Sequence[str]) -> None:
    """Draws the pictures of a reference, or of all in a run directory, again from their `latents.safetensors`."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        raise UserError(
            "usage: multimodal-pulse render <folder>, a run directory or one reference of it"
            " (outputs/.../references/<name>)"
        )
    from multimodal_pulse.results.pictures.redraw import Renderer, reference_folders, render_folder
    from multimodal_pulse.run.build import load_renderer

    @lru_cache(maxsize=1)  # one run has the same settings in every record
    def renderer(settings: str) -> Renderer:
        return load_renderer(json.loads(settings))

    for folder in reference_folders(arguments[0]):
        for path in render_folder(folder, lambda settings: renderer(json.dumps(settings))):
            print(path)


COMMANDS: dict[str, Callable[[Sequence[str]], None]] = {
    "render": render,
    "weights": weights,
    "convert": convert,
    "wandb-sweep": wandb_sweep,
    "merge": merge,
}
"""What the first argument may be, besides Hydra's own."""


def main() -> None:
    """Runs the command in `sys.argv`."""
    # argparse takes no overrides after a flag that follows others; this one may stand anywhere.
    arguments = sorted(sys.argv[1:], key=lambda argument: argument not in ("-m", "--multirun"))
    sys.argv[1:] = arguments
    if {"-h", "--help"} & set(arguments):
        from multimodal_pulse.interface.help import help_text

        # Hydra would list every file there is, its own included, for a second
        print(HELP[arguments[0]] if arguments[0] in HELP else help_text())
        return
    if "--version" in arguments:
        print(f"multimodal-pulse {__version__}")  # Hydra would print its own
        return
    try:
        if arguments and arguments[0] in COMMANDS:
            COMMANDS[arguments[0]](arguments[1:])
        else:
            _search(arguments)
    except KeyboardInterrupt as stop:
        _say(" ".join(["stopped.", *stop.args]))
        sys.exit(130)
    except ReportedError as error:
        for sentence in error.args:
            _say(sentence)
        sys.exit(1)
    except Exception as error:
        _report(error)
        sys.exit(1)


def _search(arguments: Sequence[str]) -> None:
    """A run, or with -m all runs of a sweep and then their common table."""
    refuse_arguments(arguments)
    jobs: list[EndedJob] = []
    process = _process()

    @hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
    def search(cfg: DictConfig) -> None:
        """What Hydra calls once, or once for each combination of a sweep."""
        job = _job(HydraConfig.get())
        own = own_overrides(job.overrides, arguments)
        try:
            _refuse_lost_paths(cfg, HydraConfig.get())
            metrics, failure = _run(cfg, job)
        except BaseException as error:
            with suppress(OSError):  # Hydra has made the folder; a run that was refused leaves none
                job.run_dir.rmdir()
            jobs.append(EndedJob(job, own, error=_in_words(error)))
            if not isinstance(error, Exception):  # Ctrl-C ends a sweep, an error only the job
                raise
            _report(error)
            if _process() != process:  # a launcher's, where `jobs` is a copy: Hydra has to carry the news
                raise ReportedError(f"{short(job.run_dir)} failed: {_in_words(error)}") from error
        else:
            jobs.append(EndedJob(job, own, metrics, failure))
            if failure:
                _say(failure)
            if failure and _process() != process:
                raise ReportedError(failure)

    # With it Hydra lets its errors through to us instead of printing them over several lines.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    CommandLine().arguments = list(arguments)
    try:
        search()
        if any(ended.error for ended in jobs):
            raise ReportedError
    except KeyboardInterrupt as stop:
        raise KeyboardInterrupt(_remedy_of_a_stop(jobs)) from stop
    except (HydraException, ValueError) as error:  # from the composition: a run's own errors are reported in `search`
        raise UserError(explain(error, arguments)) from error
    except OSError as error:  # from Hydra, which makes the folder
        raise UserError(
            f"the run directory cannot be made ({error}): choose another hydra.run.dir (of a sweep: hydra.sweep.dir)."
        ) from error
    except ReportedError:
        raise
    except Exception as error:  # a worker was killed, or a cluster took a job back
        if not any(argument.startswith("hydra/launcher=") for argument in arguments):
            raise
        raise UserError(
            f"the launcher gave up ({_in_words(error)}): the same command with the same hydra.sweep.dir does the rest."
        ) from error
    finally:
        _say_sweep(jobs)


def _process() -> tuple[str, int]:
    """Tells this process from those of a launcher, which may be on other machines."""
    return platform.node(), os.getpid()


def _folder_of_sweep_job(shard_index: int, shard_count: int) -> str:
    """For `conf/config.yaml`, while a job of a sweep is set up, be it in a process of a launcher's."""
    job = HydraConfig.get()
    own = own_overrides(job.overrides.task, CommandLine().arguments)
    shard = shard_index if shard_count > 1 else None
    return folder_of_sweep_job(job.job.num, job.runtime.choices["method"], own, shard)


OmegaConf.register_new_resolver("folder_of_sweep_job", _folder_of_sweep_job, replace=True)


def _remedy_of_a_stop(jobs: Sequence[EndedJob]) -> str:
    """How to go on after Ctrl-C, with the argument to add."""
    if not jobs:  # stopped in the composition, or a launcher has given the jobs to other processes
        return "The same command with the hydra.run.dir (of a sweep: hydra.sweep.dir) that was named does the rest."
    job = jobs[-1].job
    key, folder = ("hydra.run.dir", job.run_dir) if job.sweep is None else ("hydra.sweep.dir", job.sweep)
    return f"What is finished stays; the same command with {as_argument(key, str(short(folder)))} does the rest."


def _say_sweep(jobs: Sequence[EndedJob]) -> None:
    """The table of a sweep, as far as it has come, on stdout and as a file.

    Nothing after a single run, nor where a launcher has given the jobs to other processes.
    """
    folder = jobs[0].job.sweep if jobs else None
    if folder is not None:
        from multimodal_pulse.interface.sweep_table import SweepReport

        report = SweepReport(folder, jobs)
        print(f"\n{report}")
        report.write()


def _report(error: Exception) -> None:
    """One line about what the user can mend, a traceback of anything else."""
    if isinstance(error, UserError | OSError):  # of the system's: a full disk, a folder without permission
        _say(str(error))
    else:
        traceback.print_exception(error)


def _in_words(error: BaseException) -> str:
    """One line for the table of a sweep."""
    if isinstance(error, KeyboardInterrupt):
        return STOPPED
    said = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
    return " ".join(said.split())


def _say(sentence: str) -> None:
    print(f"multimodal-pulse: {sentence}", file=sys.stderr)
