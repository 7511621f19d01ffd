"""Searches wait for their turn, are watched, stopped and cancelled."""

import asyncio
import threading

import pytest

from multimodal_pulse.studio import queue
from multimodal_pulse.studio.limits import BusyError
from multimodal_pulse.studio.queue import Job, Queue, WorkFailedError


class Fake:
    """A worker that ends when it is told to; it answers with its number, or fails if that is -1."""

    def __init__(self):
        self.go, self.calls, self.stops = threading.Event(), [], 0

    def call(self, function, arguments, report):
        self.calls.append(arguments["number"])
        report({"step": 1})
        assert self.go.wait(10)
        return ("failed", "It went wrong.") if arguments["number"] < 0 else ("done", arguments["number"])

    def forget_stop(self):
        pass

    def stop(self):
        self.stops += 1
        self.go.set()


def in_a_loop(scenario):
    fake = Fake()

    async def run():
        await scenario(Queue(fake, most=2), fake)

    asyncio.run(run())


async def until(holds):
    for _ in range(500):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not happen")


def test_jobs_are_done_in_order_and_know_their_place():
    async def scenario(line, fake):
        jobs = [line.add(Job("search", number=0))]
        await until(lambda: jobs[0].state == "running")
        jobs += [line.add(Job("search", number=number)) for number in (1, 2)]
        assert [job.position for job in jobs] == [0, 1, 2] and jobs[2].state == "waiting"
        with pytest.raises(BusyError, match="2 searches are waiting"):
            line.add(Job("search", number=3))
        await until(lambda: jobs[0].latest == {"step": 1})
        fake.go.set()
        assert [await job.finished() for job in jobs] == [0, 1, 2] == fake.calls

    in_a_loop(scenario)


def test_a_failure_ends_one_job_only():
    async def scenario(line, fake):
        fake.go.set()
        bad, good = line.add(Job("search", number=-1)), line.add(Job("search", number=5))
        with pytest.raises(WorkFailedError, match="It went wrong"):
            await bad.finished()
        assert await good.finished() == 5

    in_a_loop(scenario)


def test_a_waiting_job_is_cancelled_and_a_running_one_is_told_to_stop_once():
    async def scenario(line, fake):
        first, second, third = (line.add(Job("search", number=n)) for n in range(2)), None, None
        first, second = first
        await until(lambda: first.state == "running")
        third = line.add(Job("search", number=2))
        line.stop(second)
        assert second.state == "cancelled" and third.position == 1
        with pytest.raises(WorkFailedError, match="before its turn"):
            await second.finished()
        line.stop(first)
        line.stop(first)
        assert await first.finished() == 0 and first.stopped and fake.stops == 1
        assert await third.finished() == 2 and fake.calls == [0, 2]

    in_a_loop(scenario)


def test_a_job_that_nobody_watches_any_more_is_stopped_after_a_while():
    async def scenario(line, fake):
        job = line.add(Job("search", number=0))
        await until(lambda: job.state == "running")
        later = []
        asyncio.get_running_loop().call_later = lambda seconds, *call: later.append((seconds, *call)) or Handle()
        with line.watched(job):
            pass
        [(seconds, stop, whom)] = later
        assert seconds == queue.GRACE_SECONDS and whom is job and fake.stops == 0
        with line.watched(job):  # the browser came back in time
            assert job._leaving.cancelled
        del asyncio.get_running_loop().call_later
        stop(whom)
        assert fake.stops == 1
        await job.finished()

    in_a_loop(scenario)


class Handle:
    cancelled = False

    def cancel(self):
        self.cancelled = True


def test_who_watches_hears_of_the_end():
    async def scenario(line, fake):
        job = line.add(Job("search", number=7))
        heard = []

        async def listen():
            async for _ in job.changes():
                heard.append(job.state)

        listener = asyncio.create_task(listen())
        await until(lambda: "running" in heard)
        fake.go.set()
        await listener
        assert heard[-1] == "done"

    in_a_loop(scenario)
