"""The entry point of `multimodal-pulse` and `python -m multimodal_pulse`, and what concerns the process as a whole."""

import atexit
import os
import sys

from multimodal_pulse.base.collector import postpone_collections


def main() -> None:
    """Runs the command line; Ctrl-C during the imports ends it with one line."""
    # OpenMP's threads sleep while they wait for each other. Where another program keeps a core busy, those that spin,
    # as by default, take the time that the last of them needs, and a search ten times as long.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    postpone_collections()
    process = _Process()
    try:
        from multimodal_pulse.interface import cli

        cli.main()
        process.status = 0
    except KeyboardInterrupt:
        print("multimodal-pulse: stopped.", file=sys.stderr)
        process.status = 130
        sys.exit(130)
    except SystemExit as end:
        process.status = end.code if isinstance(end.code, int) else None
        raise


class _Process:
    """Ends this process without freeing PyTorch's million objects one by one, which takes a second.

    Attributes:
        status: the exit status; None leaves the end to Python.
    """

    def __init__(self) -> None:
        self.status: int | None = None
        atexit.register(self._end)  # registered before the others, so called after them

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
    main()
