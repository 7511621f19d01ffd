"""The command line: `multimodal-pulse`, and `run.py` of the source tree, which is the same.

An error of the user ends in one line on stderr and exit status 1, an error of the program in a traceback and 1, Ctrl-C
in one line and 130, SIGTERM in one line and 143. Nothing heavy is imported before a configuration is composed.
"""

import sys

from multimodal_pulse.base.collector import collect_again
from multimodal_pulse.base.errors import STOPS, Terminated
from multimodal_pulse.base.version import __version__
from multimodal_pulse.interface.messages import STOPPED, discard_output, say, say_error, show
from multimodal_pulse.interface.signals import ending_signals_raise
from multimodal_pulse.interface.streams import usable_streams
from multimodal_pulse.interface.subcommands import COMMANDS, execute


def main() -> None:
    """Runs the command in `sys.argv`."""
    # argparse accepts no overrides after a flag that follows others; this flag may stand anywhere.
    arguments = sorted(sys.argv[1:], key=lambda argument: argument not in ("-m", "--multirun"))
    sys.argv[1:] = arguments
    with usable_streams(), ending_signals_raise():
        try:
            _execute(arguments)
            if sys.stdout is not None:
                sys.stdout.flush()  # Hydra prints a configuration itself
        except STOPS as stop:
            say(" ".join([f"{STOPPED}.", *getattr(stop, "__notes__", ())]))
            sys.exit(stop.code if isinstance(stop, Terminated) else 130)
        except BrokenPipeError:
            discard_output()
            sys.exit(141)  # as a shell says that SIGPIPE ended a program
        except Exception as error:
            say_error(error)
            sys.exit(1)


def _execute(arguments: list[str]) -> None:
    if arguments and arguments[0] in COMMANDS:
        collect_again()
        execute(arguments)
    elif {"-h", "--help"} & set(arguments):
        from multimodal_pulse.interface.help import help_text

        show(help_text())  # Hydra would list every file there is, its own included, for a second
    elif "--version" in arguments:
        show(f"multimodal-pulse {__version__}")  # Hydra would print its own
    else:
        from multimodal_pulse.interface.hydra_runs import search

        search(arguments)
