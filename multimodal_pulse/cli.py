"""The command line: `multimodal-pulse`, and `run.py` of the source tree, which is the same.

What the user got wrong ends in one line on stderr and exit status 1, a mistake of ours in a traceback and 1, Ctrl-C in
one line and 130. Nothing heavy is imported before a configuration is composed.
"""

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import hydra
from hydra.conf import HydraConf
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig

from multimodal_pulse import __version__
from multimodal_pulse.checks import check_config
from multimodal_pulse.config import register
from multimodal_pulse.errors import UserError
from multimodal_pulse.job import Job

register()


class ReportedError(Exception):
    """A run of a sweep failed and has said why; Hydra does the others and raises this at the end."""


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def search(cfg: DictConfig) -> None:
    """One run: what Hydra calls once, or once for each combination of a sweep."""
    hydra_config = HydraConfig.get()
    job = _job(hydra_config)
    try:
        check_config(cfg, job.choices, job.overrides)
        from multimodal_pulse.experiment import run

        print(run(cfg, job))
    except Exception as error:
        _report(error)
        with suppress(OSError):  # Hydra has made the folder; a run that was refused leaves none
            job.run_dir.rmdir()
        if hydra_config.mode is RunMode.MULTIRUN:
            raise ReportedError from error
        sys.exit(1)


def _job(hydra_config: HydraConf) -> Job:
    """What Hydra knows about the run."""
    return Job(
        run_dir=Path(hydra_config.runtime.output_dir),
        choices=dict(hydra_config.runtime.choices),
        overrides=list(hydra_config.overrides.task),
        sweep=Path(hydra_config.sweep.dir).name if hydra_config.mode is RunMode.MULTIRUN else None,
    )


def render(arguments: Sequence[str]) -> None:
    """Draws the pictures of a reference again from its `latents.safetensors`."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        raise UserError("usage: multimodal-pulse render <reference folder>, such as outputs/.../references/<name>")
    from multimodal_pulse.assembly import load_renderer
    from multimodal_pulse.pictures import render_folder

    for path in render_folder(arguments[0], load_renderer):
        print(path)


COMMANDS: dict[str, Callable[[Sequence[str]], None]] = {"render": render}
"""What the first argument may be, besides Hydra's own."""


def main() -> None:
    """Runs the command in `sys.argv`."""
    # argparse takes no overrides after a flag that follows others; this one may stand anywhere.
    arguments = sorted(sys.argv[1:], key=lambda argument: argument not in ("-m", "--multirun"))
    sys.argv[1:] = arguments
    if {"-h", "--help"} & set(arguments):
        from multimodal_pulse.help_text import help_text

        print(help_text())  # Hydra would list every file there is, its own included, for a second
        return
    if "--version" in arguments:
        print(f"multimodal-pulse {__version__}")  # Hydra would print its own
        return
    try:
        if arguments and arguments[0] in COMMANDS:
            COMMANDS[arguments[0]](arguments[1:])
        else:
            _search(arguments)
    except KeyboardInterrupt:
        _say("stopped. What is finished is in the run directory; the same command in that hydra.run.dir does the rest.")
        sys.exit(130)
    except ReportedError:
        sys.exit(1)
    except Exception as error:
        _report(error)
        sys.exit(1)


def _search(arguments: Sequence[str]) -> None:
    # With it Hydra lets its errors through to us instead of printing them over several lines.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        search()
    except (HydraException, ValueError) as error:  # from the composition: a run's own errors are reported in `search`
        from multimodal_pulse.config_errors import explain

        raise UserError(explain(error, arguments)) from error
    except OSError as error:  # from Hydra, which makes the folder
        raise UserError(f"the run directory cannot be made ({error}): choose another hydra.run.dir.") from error


def _report(error: Exception) -> None:
    """One line about what the user can mend, a traceback of anything else."""
    if isinstance(error, UserError | OSError):  # of the system's: a full disk, a folder without permission
        _say(str(error))
    else:
        traceback.print_exception(error)


def _say(sentence: str) -> None:
    print(f"multimodal-pulse: {sentence}", file=sys.stderr)
