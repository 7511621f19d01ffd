"""Signals that ask the program to end."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from multimodal_pulse.base.errors import Terminated

ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGXCPU, signal.SIGUSR1, signal.SIGUSR2)
"""A batch system, a container or `kill` sends the first, a terminal that is closed the second, the system after the
seconds of `ulimit -t` the third, and a batch system that is asked for a warning before its time is over the others."""


@contextmanager
def ending_signals_raise() -> Iterator[None]:
    """Makes the signals of `ENDING` raise `Terminated` within the block, so that files are closed and tables written.

    A signal that is ignored (by `nohup`) or handled already stays so. Only a program's main thread can do this; in
    another one nothing changes.
    """
    changed = []
    if threading.current_thread() is threading.main_thread():
        changed = [number for number in ENDING if signal.getsignal(number) is signal.SIG_DFL]
    for number in changed:
        signal.signal(number, _raise)
    try:
        yield
    finally:
        for number in changed:
            signal.signal(number, signal.SIG_DFL)


def _raise(number: int, frame: FrameType | None) -> None:
    # SIGXCPU comes again every second, and a batch system may repeat itself: that must not end the work of the first.
    signal.signal(number, signal.SIG_IGN)
    raise Terminated(number)
