"""What the command line says on stderr."""

import os
import sys
import traceback

from multimodal_pulse.base.errors import STOPS, FullDiskError, UserError

STOPPED = "stopped"


class ReportedError(Exception):
    """A run failed and has said why; the other runs of its sweep are done first.

    If a launcher runs the jobs in other processes, Hydra raises the first such error at the end, after a line of its
    own. The reason is then said again, since the job itself may have said it in a log file.
    """


def show(text: object) -> None:
    """Prints to stdout. If its reader has gone, as `head` does, the work goes on without it."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        discard_output()


def discard_output() -> None:
    """Lets everything that is printed from now on disappear, so that nothing fails because nobody reads it."""
    with open(os.devnull, "w") as nowhere:
        for stream in filter(None, (sys.stdout, sys.stderr)):
            try:
                stream.flush()
            except BrokenPipeError:
                os.dup2(nowhere.fileno(), stream.fileno())


def say(sentence: str) -> None:
    print(f"multimodal-pulse: {sentence}", file=sys.stderr)


def say_loading(what: str) -> None:
    """Prints a line before PyTorch is imported for the first time, which takes seconds; otherwise nothing."""
    if "torch" not in sys.modules:
        print(f"loading {what} ...", file=sys.stderr, flush=True)


def say_error(error: Exception) -> None:
    """Prints one line about an error that the user can correct, and a traceback of an error of the program."""
    if isinstance(error, UserError | FullDiskError):
        say(str(error))
    elif isinstance(error, ReportedError):
        for sentence in error.args:
            say(sentence)
    elif isinstance(error, OSError):  # a folder without permission, a disk that is full for another program
        say(f"{error.filename}: {error.strerror}." if error.filename else f"{error.strerror or error}.")
    else:
        traceback.print_exception(error)


def in_words(error: BaseException) -> str:
    """Returns one line for the table of a sweep."""
    if isinstance(error, STOPS):
        return STOPPED
    said = str(error) if isinstance(error, UserError | FullDiskError) else f"{type(error).__name__}: {error}"
    return " ".join(said.split())
