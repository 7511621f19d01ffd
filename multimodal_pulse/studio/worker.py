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
    "The process that works ended without a word, perhaps because the memory was full: choose fewer samples. Nothing"
    " else is lost."
)
CLOSED = "The studio was closed."

Report = Callable[[Mapping[str, Any]], None]


class Worker:
    """The process, seen from the page.

    Args:
        warm_up: whether it is made ready for searches at once, by a tiny one.
    """

    def __init__(self, warm_up: bool) -> None:
        self._warm_up = warm_up
        self._sending = threading.Lock()  # what two threads send at once would be mixed
        self._calling = False
        self._closed = self._asked_to_stop = False
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
        with self._sending:
            if self._closed:
                return "failed", CLOSED
            self.start()
            connection = self._connection
            assert connection is not None
            self._calling = True
        try:
            with self._sending:
                connection.send((function, dict(arguments)))
                if self._asked_to_stop:
                    connection.send(STOP)
            while True:
                kind, content = connection.recv()
                if kind != "report":
                    return kind, content
                report(content)
        except (EOFError, OSError):
            self._end()
            return "failed", CLOSED if self._closed else CRASHED
        finally:
            with self._sending:
                self._calling = False

    def stop(self) -> None:
        """Asks the call that runs, or is about to, to end early."""
        with self._sending:
            self._asked_to_stop = True
            if self._calling and self._connection is not None:
                with suppress(OSError):  # the process has just ended by itself
                    self._connection.send(STOP)

    def forget_stop(self) -> None:
        """Forgets a stop that came too late for the call that it was meant for."""
        with self._sending:
            self._asked_to_stop = False

    def close(self) -> None:
        """Ends the process for good."""
        self._closed = True
        self._end()

    def _end(self) -> None:
        with self._sending:  # the page and the thread of a call may come at once
            process, self._process = self._process, None
            connection, self._connection = self._connection, None
        if process is not None:
            process.terminate()
            process.join(timeout=5)
            if process.is_alive():
                process.kill()
                process.join()
        if connection is not None:
            connection.close()


def _serve(connection: Connection, warm_up: bool) -> None:
    """What the process does: waits for calls until the page has gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in the terminal is for the page, which then ends this
    from multimodal_pulse.studio import work

    if warm_up:
        with suppress(UserError, OSError):  # a search says the same, to somebody who can read it
            work.warm_up()
    while True:
        try:
            call = connection.recv()
        except EOFError:
            return
        if call == STOP:  # it came after the end of what it was meant for
            continue
        function, arguments = call
        answer: tuple[str, Any]
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
