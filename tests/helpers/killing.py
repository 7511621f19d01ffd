"""Children that die by SIGKILL at a chosen call that changes the disk."""

import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

DISK_CALLS = ("fsync", "replace", "rename", "link", "mkdir", "unlink", "rmdir")
SECONDS = 60
"""Before a child counts as stuck: a fork of a process with threads may block for ever."""


def killed_at(
    fatal: int, work: Callable[[], object], count: Path | None = None, calls: Sequence[str] = DISK_CALLS
) -> int:
    """The status, as `os.waitpid` has it, of a child that does `work` and dies at its call number `fatal`, from 1.

    A child that survives ends with 0, or 256 after an exception, and writes into `count` how many calls it made. The
    functions of `os` named in `calls` are counted.
    """
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    try:
        signal.alarm(SECONDS)
        made = 0
        for name in calls:
            function = getattr(os, name)

            def deadly(*arguments, function=function, **keywords):
                nonlocal made
                made += 1
                if made == fatal:
                    os.kill(os.getpid(), signal.SIGKILL)
                return function(*arguments, **keywords)

            setattr(os, name, deadly)
        work()
        if count is not None:
            count.write_text(str(made))
        os._exit(0)
    finally:
        os._exit(1)
