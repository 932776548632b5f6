"""Requests that come at about the same time are answered together; too many are turned away."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from siamese.serving.answer import Answer, RequestError
from siamese.serving.requests import Request

# Requests that are answered together, at most.
MOST_TOGETHER = 64
# Seconds after which a client may try again.
RETRY_AFTER = 1

Send = Callable[[Sequence[Request]], Awaitable[Sequence[Answer]]]


class Batching:
    """Collects requests while earlier ones are being answered, and has them answered together.

    A request that comes when there is nothing to wait for is sent at once.

    Args:
        send: answers a batch; called again before it has returned, `at_once` times at most.
        at_once: batches that are sent at the same time.
        most_waiting: requests that wait at most; one more is turned away.
        seconds: after which a request that has no answer is turned away.
    """

    def __init__(
        self, send: Send, at_once: int, most_waiting: int = 256, seconds: float = 60.0
    ) -> None:
        self._send = send
        self._at_once = at_once
        self._most_waiting = most_waiting
        self._seconds = seconds
        self._waiting: deque[tuple[Request, asyncio.Future[Answer]]] = deque()
        self._sending: set[asyncio.Task[None]] = set()

    async def answer(self, request: Request) -> Answer:
        """Have a request answered.

        Raises:
            RequestError: too many wait already, or no answer came in time (503).
        """
        if len(self._waiting) >= self._most_waiting:
            raise busy(f"{len(self._waiting):,} requests wait already")
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, future))
        if len(self._sending) < self._at_once:
            self._start()
        try:
            return await asyncio.wait_for(future, self._seconds)
        except TimeoutError:
            raise busy(f"there was no answer in {self._seconds:g} s") from None

    def _start(self) -> None:
        task = asyncio.create_task(self._work())
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _work(self) -> None:
        """Send batches until nobody waits."""
        await asyncio.sleep(0)  # what comes in the same turn of the event loop comes along
        while batch := self._take():
            try:
                answers = await self._send([request for request, _ in batch])
            except Exception as error:
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                continue
            for (_, future), answer in zip(batch, answers, strict=True):
                if not future.done():
                    future.set_result(answer)

    def _take(self) -> list[tuple[Request, asyncio.Future[Answer]]]:
        """Take those who wait out of the queue, but for those who have gone away."""
        taken: list[tuple[Request, asyncio.Future[Answer]]] = []
        while self._waiting and len(taken) < MOST_TOGETHER:
            request, future = self._waiting.popleft()
            if not future.done():
                taken.append((request, future))
        return taken


def busy(reason: str) -> RequestError:
    """Make the refusal that asks a client to come back later."""
    return RequestError(
        503,
        "overloaded",
        f"The server is busy: {reason}. Try again in {RETRY_AFTER} s.",
        {"Retry-After": str(RETRY_AFTER)},
    )
