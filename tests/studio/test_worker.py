"""The process that works, with a thread in its place that talks over the same pipe."""

import multiprocessing
import threading
from contextlib import suppress

import pytest

from multimodal_pulse.studio.worker import CLOSED, CRASHED, STOP, Line, Worker


class Threaded(Worker):
    """Does `wait`, which ends when it is told to stop or with the pipe, and `crash`, which breaks the pipe."""

    def __init__(self):
        super().__init__(warm_up=False)
        self.starts = 0

    def start(self):
        if self._connection is None:
            self.starts += 1
            self._connection, theirs = multiprocessing.Pipe()
            self.over = threading.Event()
            threading.Thread(target=self.serve, args=(theirs, self.over), daemon=True).start()

    def _end(self):
        if self.starts:
            self.over.set()  # as a process that is ended, it closes its side of the pipe
        super()._end()

    @staticmethod
    def serve(connection, over):
        with connection, suppress(OSError, EOFError):
            while (call := connection.recv()) == STOP:
                pass
            while call != ("crash", {}):
                line = Line(connection)
                line.report({"begun": True})
                while call[0] == "wait" and not line.stopped:
                    if over.is_set():
                        return
                connection.send(("done", line.stopped))
                while (call := connection.recv()) == STOP:
                    pass


def test_a_call_that_runs_is_stopped():
    worker, begun = Threaded(), threading.Event()
    threading.Thread(target=lambda: begun.wait() and worker.stop()).start()
    assert worker.call("wait", {}, lambda news: begun.set()) == ("done", True)


def test_a_stop_that_comes_before_the_call_was_sent_is_not_lost():
    worker = Threaded()
    worker.forget_stop()
    worker.stop()  # the queue has announced the job, and its thread has not begun yet
    assert worker.call("wait", {}, lambda news: None) == ("done", True)


def test_a_stop_that_comes_too_late_stops_nothing_else():
    worker = Threaded()
    assert worker.call("quick", {}, lambda news: None) == ("done", False)
    worker.stop()
    worker.forget_stop()
    assert worker.call("quick", {}, lambda news: None) == ("done", False)


def test_after_a_crash_the_next_call_gets_a_new_process():
    worker = Threaded()
    assert worker.call("crash", {}, lambda news: None) == ("failed", CRASHED)
    assert worker.call("quick", {}, lambda news: None) == ("done", False) and worker.starts == 2


@pytest.mark.parametrize("running", [True, False])
def test_once_it_is_closed_nothing_begins_any_more(running):
    worker, begun = Threaded(), threading.Event()
    if running:
        threading.Thread(target=lambda: begun.wait() and worker.close()).start()
        assert worker.call("wait", {}, lambda news: begun.set()) == ("failed", CLOSED)
    else:
        worker.close()
    assert worker.call("quick", {}, lambda news: None) == ("failed", CLOSED) and worker.starts == running
