"""A queue of requests, from which those that can be answered in one call are taken together."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from kerasseq.serving.calls import Answer, Calls, failure
from kerasseq.serving.limits import Limits
from kerasseq.serving.requests import Request

__all__ = ["Queue"]


@dataclass(frozen=True, eq=False)
class _Waiting:
    """A request that waits, since a time of the event loop's clock."""

    request: Request
    since: float
    answer: asyncio.Future[Answer]


class Queue:
    """A bounded queue, and one thread that answers its requests.

    Requests that arrive while the thread is busy are answered together in its next call, if they
    can be. A first request waits for others for some milliseconds.

    Args:
        calls: the calls that answer requests.
        limits: how many requests may wait, for how long, and how many rows go together.
    """

    def __init__(self, calls: Calls, limits: Limits) -> None:
        self._calls, self._limits = calls, limits
        self._waiting: deque[_Waiting] = deque()
        self._arrived = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "kerasseq-calls")
        self._worker: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        """The number of requests that wait."""
        return len(self._waiting)

    @contextlib.asynccontextmanager
    async def working(self):  # type: ignore[no-untyped-def]  # a context without a value
        """Context in which requests are answered; leaving it answers those that wait."""
        self._worker = asyncio.create_task(self._work())
        try:
            yield
        finally:
            while self._waiting:
                await asyncio.sleep(0.01)
            self._worker.cancel()
            self._thread.shutdown()

    async def answer(self, request: Request) -> Answer:
        """Wait in the queue, and return the answer; 503 if the queue is full."""
        if len(self._waiting) >= self._limits.queue:
            message = f"{len(self._waiting):,} requests wait already: try again later"
            return failure(503, message)
        loop = asyncio.get_running_loop()
        waiting = _Waiting(request, loop.time(), loop.create_future())
        self._waiting.append(waiting)
        self._arrived.set()
        return await waiting.answer

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            while not self._waiting:
                self._arrived.clear()
                await self._arrived.wait()
            first = self._waiting[0]
            joins = self._calls.can_join(first.request)
            if joins:
                await self._wait_for_others(first)
            batch = self._take(first, joins)
            answers = await loop.run_in_executor(
                self._thread, self._calls.answer, [each.request for each in batch]
            )
            for waiting, answer in zip(batch, answers, strict=True):
                if not waiting.answer.done():  # else the client has gone
                    waiting.answer.set_result(answer)

    async def _wait_for_others(self, first: _Waiting) -> None:
        """Wait until a request has waited long enough, or enough rows are there."""
        loop = asyncio.get_running_loop()
        until = first.since + self._limits.wait / 1000
        while (rest := until - loop.time()) > 0 and self._rows() < self._limits.batch:
            self._arrived.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._arrived.wait(), rest)

    def _rows(self) -> int:
        return sum(each.request.size for each in self._waiting)

    def _take(self, first: _Waiting, joins: bool) -> list[_Waiting]:
        """Take the first request off the queue, and those that are answered with it."""
        if not joins:
            return [self._waiting.popleft()]
        taken: list[_Waiting] = []
        rest: list[_Waiting] = []
        rows = 0
        for each in self._waiting:
            size = each.request.size
            fits = each is first or (
                rows + size <= self._limits.batch
                and each.request.others == first.request.others
                and self._calls.can_join(each.request)
            )
            (taken if fits else rest).append(each)
            rows += size if fits else 0
        self._waiting = deque(rest)
        return taken
