"""The entry point of `multimodal-pulse` and `python -m multimodal_pulse`, and what concerns the process as a whole."""

import atexit
import os
import sys

from multimodal_pulse.base.collector import postpone_collections


def main() -> None:
    """Runs the command line, in whatever process calls it; Ctrl-C during the imports ends it with one line.

    Raises:
        SystemExit: the command line has failed or was stopped; its code is the exit status.
    """
    # OpenMP's threads sleep while they wait for each other. Where another program keeps a core busy, those that spin,
    # as by default, take the time that the last of them needs, and a search ten times as long.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    postpone_collections()
    try:
        from multimodal_pulse.interface import cli

        cli.main()
    except KeyboardInterrupt:
        print("multimodal-pulse: stopped.", file=sys.stderr)
        sys.exit(130)


def run_as_process() -> None:
    """Runs the command line as all that this process is for: it ends as soon as what `main` registered is closed.

    PyTorch's million objects are not freed one by one, which takes a second. Python's own end is skipped from there on,
    and with it what was registered with `atexit` before this call. After an error of the program nothing is skipped.
    """
    process = _Process()
    try:
        main()
        process.status = 0
    except SystemExit as end:
        process.status = end.code if isinstance(end.code, int) else None
        raise


class _Process:
    """Ends this process when those functions have been called that are registered with `atexit` after it.

    Attributes:
        status: the exit status; None leaves the end to Python.
    """

    def __init__(self) -> None:
        self.status: int | None = None
        atexit.register(self._end)  # the last function that is registered is the first that is called

    def _end(self) -> None:
        if self.status is None:
            return
        for stream in filter(None, (sys.stdout, sys.stderr)):
            try:
                stream.flush()
            except (OSError, ValueError):  # full, or closed: Python has a status of its own for it
                return
        os._exit(self.status)


if __name__ == "__main__":
    run_as_process()
