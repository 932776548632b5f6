"""Batches: what comes meanwhile is answered together, and too much is turned away."""

import asyncio
from collections.abc import Sequence

import pytest

from siamese.serving.answer import Answer, RequestError
from siamese.serving.batching import MOST_TOGETHER, Batching
from siamese.serving.requests import EmbeddingsRequest, Request


def request(text: str) -> Request:
    return EmbeddingsRequest(input=text)


class Slow:
    """Answers with the texts of the requests, each batch when it is let go."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.let_go = asyncio.Event()

    async def __call__(self, requests: Sequence[Request]) -> list[Answer]:
        texts = [request.input for request in requests]
        self.batches.append(texts)
        await self.let_go.wait()
        if "fails" in texts:
            raise RuntimeError("no answer")
        return [Answer(200, text.encode()) for text in texts]


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def test_each_request_gets_its_own_answer_in_batches_of_what_waited() -> None:
    async def work() -> None:
        slow = Slow()
        batching = Batching(slow, at_once=1)
        first = asyncio.create_task(batching.answer(request("first")))
        await turns()
        others = [asyncio.create_task(batching.answer(request(f"{i}"))) for i in range(70)]
        await turns()
        assert slow.batches == [["first"]]
        slow.let_go.set()
        answers = await asyncio.gather(first, *others)
        assert [each.body.decode() for each in answers] == ["first", *map(str, range(70))]
        assert list(map(len, slow.batches)) == [1, MOST_TOGETHER, 70 - MOST_TOGETHER]

    asyncio.run(work())


def test_as_many_batches_are_sent_as_replicas_take() -> None:
    async def work() -> None:
        slow = Slow()
        batching = Batching(slow, at_once=3)
        tasks = []
        for i in range(5):
            tasks.append(asyncio.create_task(batching.answer(request(f"{i}"))))
            await turns()
        assert slow.batches == [["0"], ["1"], ["2"]]
        slow.let_go.set()
        await asyncio.gather(*tasks)
        assert slow.batches == [["0"], ["1"], ["2"], ["3", "4"]]

    asyncio.run(work())


def test_one_more_than_may_wait_is_asked_to_come_back() -> None:
    async def work() -> None:
        slow = Slow()
        batching = Batching(slow, at_once=1, most_waiting=2)
        tasks = []
        for i in range(3):
            tasks.append(asyncio.create_task(batching.answer(request(f"{i}"))))
            await turns()
        with pytest.raises(RequestError) as refused:
            await batching.answer(request("too many"))
        assert refused.value.status == 503
        assert refused.value.headers["Retry-After"].isdecimal()
        slow.let_go.set()
        assert [each.status for each in await asyncio.gather(*tasks)] == [200] * 3
        assert (await batching.answer(request("later"))).status == 200

    asyncio.run(work())


def test_a_request_without_an_answer_in_time_is_turned_away_and_frees_its_place() -> None:
    async def work() -> None:
        slow = Slow()
        batching = Batching(slow, at_once=1, most_waiting=1, seconds=0.05)
        first = asyncio.create_task(batching.answer(request("first")))
        await turns()
        for task in (first, asyncio.create_task(batching.answer(request("second")))):
            with pytest.raises(RequestError) as refused:
                await task
            assert refused.value.status == 503
        slow.let_go.set()
        await turns()
        assert (await batching.answer(request("third"))).body == b"third"
        assert slow.batches == [["first"], ["third"]]  # nobody wants the second any more

    asyncio.run(work())


def test_a_batch_that_fails_fails_for_its_own_requests_only() -> None:
    async def work() -> None:
        slow = Slow()
        slow.let_go.set()
        batching = Batching(slow, at_once=1)
        with pytest.raises(RuntimeError, match="no answer"):
            await batching.answer(request("fails"))
        assert (await batching.answer(request("next"))).body == b"next"

    asyncio.run(work())
