"""Searches wait for their turn, and one after the other goes to the worker."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

from multimodal_pulse.studio.limits import WAITING, BusyError
from multimodal_pulse.studio.worker import Worker

GRACE_SECONDS = 5.0
"""How long a search goes on while nobody watches it: a browser that lost the connection comes back by then."""


class Job:
    """A call of the worker, from the queue to its end. All of it but `report` happens in the thread of the event loop.

    Attributes:
        call: the name of the function in `work.py` and its arguments.
        state: waiting, running, done, failed or cancelled.
        latest: the last thing that the worker has reported.
        result: what the function returned.
        failure: the sentence on why it failed.
        position: the number of jobs before it.
        stopped: whether somebody asked it to stop.
    """

    def __init__(self, function: str, **arguments: Any) -> None:
        self.call = (function, arguments)
        self.state = "waiting"
        self.latest: Mapping[str, Any] = {}
        self.result: Any = None
        self.failure = ""
        self.position = 0
        self.stopped = False
        self.version = 0
        self.watchers = 0
        self._changed = asyncio.Event()
        self._leaving: asyncio.TimerHandle | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in ("done", "failed", "cancelled")

    def change(self, **attributes: Any) -> None:
        """Sets attributes and tells everybody who watches."""
        for name, value in attributes.items():
            setattr(self, name, value)
        self.version += 1
        self._changed.set()
        self._changed = asyncio.Event()

    async def changes(self) -> AsyncIterator[None]:
        """Yields at once and after each change, the last time when it has ended; several changes may be one."""
        seen = -1
        while True:
            changed = self._changed
            if self.version != seen:
                seen = self.version
                yield
            elif self.ended:
                return
            else:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), timeout=15)
                if self.version == seen:
                    yield  # so that a connection that is gone is noticed

    async def finished(self) -> Any:
        """Waits for the end and returns the result.

        Raises:
            WorkFailedError: it failed.
        """
        async for _ in self.changes():
            pass
        if self.state != "done":
            raise WorkFailedError(self.failure or "It was cancelled.")
        return self.result


class WorkFailedError(Exception):
    """The worker could not do something; the message is a sentence."""


class Queue:
    """The jobs of one worker, in order.

    Args:
        worker: does them.
        most: the most that wait.
    """

    def __init__(self, worker: Worker, most: int = WAITING) -> None:
        self.worker, self.most = worker, most
        self.running: Job | None = None
        self._waiting: list[Job] = []
        self._task: asyncio.Task[None] | None = None

    def add(self, job: Job) -> Job:
        """Puts a job at the end.

        Raises:
            BusyError: too many wait already.
        """
        if len(self._waiting) >= self.most:
            raise BusyError(f"{self.most} searches are waiting already: try again in a few minutes.")
        self._waiting.append(job)
        self._count()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work())
        return job

    def stop(self, job: Job) -> None:
        """Ends a job: one that waits is cancelled, one that runs keeps the best that it has found."""
        if job in self._waiting:
            self._waiting.remove(job)
            job.change(state="cancelled", failure="It was cancelled before its turn.")
            self._count()
        elif job is self.running and not job.stopped:
            job.change(stopped=True)
            self.worker.stop()

    @contextlib.contextmanager
    def watched(self, job: Job) -> Any:
        """Counts a watcher in the block; a job that nobody watches any more is stopped after a while."""
        job.watchers += 1
        if job._leaving is not None:
            job._leaving.cancel()
        try:
            yield
        finally:
            job.watchers -= 1
            if not job.watchers and not job.ended:
                job._leaving = asyncio.get_running_loop().call_later(GRACE_SECONDS, self.stop, job)

    def close(self) -> None:
        """Ends the worker, and cancels what waits for it."""
        for job in list(self._waiting):
            self.stop(job)
        self.worker.close()

    def _count(self) -> None:
        for position, job in enumerate(self._waiting, start=int(self.running is not None)):
            if job.position != position:
                job.change(position=position)

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            self.worker.forget_stop()  # it was meant for an earlier job
            job = self.running = self._waiting.pop(0)
            self._count()
            job.change(state="running", position=0)

            def report(news: Mapping[str, Any], job: Job = job) -> None:
                loop.call_soon_threadsafe(lambda: job.change(latest=news))

            kind, answer = await asyncio.to_thread(self.worker.call, *job.call, report=report)
            self.running = None
            if kind == "done":
                job.change(state="done", result=answer)
            else:
                job.change(state="failed", failure=answer)
