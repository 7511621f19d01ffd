"""A process that does one call after the other, so that the page answers meanwhile and survives whatever happens there.

A search that takes all memory, or a decoder that crashes, ends the process and nothing else: the next call gets a new
one. It is started anew, not forked, since PyTorch's threads do not survive a fork.
"""

import multiprocessing
import signal
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

from multimodal_pulse.base.errors import STOPS, FullDiskError, UserError

STOP = "stop"
CRASHED = (
    "The search ended without a word, perhaps because the memory was full: choose fewer samples. Nothing else is lost."
)

Report = Callable[[Mapping[str, Any]], None]


class Worker:
    """The process, seen from the page.

    Args:
        warm_up: whether it is made ready for searches at once, by a tiny one.
    """

    def __init__(self, warm_up: bool) -> None:
        self._warm_up = warm_up
        self._lock = threading.Lock()  # held for the length of a call
        self._sending = threading.Lock()  # what two threads send at once would be mixed
        self._process: Any = None
        self._connection: Connection | None = None

    def start(self) -> None:
        """Starts the process, unless it runs."""
        if self._process is not None and self._process.is_alive():
            return
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, self._warm_up), daemon=True)
        self._process.start()
        theirs.close()  # else the end of the process would not be noticed

    def call(self, function: str, arguments: Mapping[str, Any], report: Report) -> tuple[str, Any]:
        """Calls a function of `work.py` there and waits for its end; a process that has ended is started again.

        Args:
            function: its name.
            arguments: its arguments.
            report: gets what the function reports meanwhile.

        Returns: "done" and what it returned, or "failed" and a sentence.
        """
        with self._lock:
            self.start()
            assert self._connection is not None
            try:
                with self._sending:
                    self._connection.send((function, dict(arguments)))
                while True:
                    kind, content = self._connection.recv()
                    if kind != "report":
                        return kind, content
                    report(content)
            except (EOFError, OSError):
                self.close()
                return "failed", CRASHED

    def stop(self) -> None:
        """Asks the running call to end early."""
        if self._connection is not None:
            with self._sending, suppress(OSError):  # it has ended by itself
                self._connection.send(STOP)

    def close(self) -> None:
        """Ends the process."""
        if self._process is not None:
            self._process.terminate()
            self._process.join(timeout=5)
            if self._process.is_alive():
                self._process.kill()
            self._process = None


def _serve(connection: Connection, warm_up: bool) -> None:
    """What the process does: waits for calls until the page has gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in the terminal is for the page, which then ends this
    from multimodal_pulse.studio import work

    if warm_up:
        work.warm_up()
    while True:
        try:
            call = connection.recv()
        except EOFError:
            return
        if call == STOP:  # it came after the end of what it was meant for
            continue
        function, arguments = call
        try:
            answer = ("done", getattr(work, function)(Line(connection), **arguments))
        except (UserError, FullDiskError) as error:
            answer = ("failed", str(error))
        except STOPS:
            return
        except Exception as error:
            answer = ("failed", f"Something went wrong in the program ({type(error).__name__}: {error}).")
        connection.send(answer)


class Line:
    """What a function of `work.py` says, and hears, while it works.

    Args:
        connection: leads to the page.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._stopped = False

    def report(self, news: Mapping[str, Any]) -> None:
        """Reports something."""
        self._connection.send(("report", news))

    @property
    def stopped(self) -> bool:
        """Whether the call is to end early."""
        if not self._stopped and self._connection.poll():
            self._stopped = self._connection.recv() == STOP
        return self._stopped
