"""A service in this process: the same application, and a desk in the place of the replicas."""

import asyncio
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import uvicorn

from siamese.serving.answer import Answer
from siamese.serving.app import build_app
from siamese.serving.batching import Batching
from siamese.serving.desk import Desk
from siamese.serving.requests import Request


class Here:
    """A backend of `build_app` without Ray; remembers the batches that it was given."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.batches: list[int] = []

    async def answer(self, requests: Sequence[Request]) -> Sequence[Answer]:
        self.batches.append(len(requests))
        return await asyncio.to_thread(self.desk.answer, requests)

    async def status(self) -> dict[str, Any]:
        return {**self.desk.status(), "problem": "", "scale": self.desk.scale()}

    async def metrics(self) -> str:
        return "ray_serve_something 1\n"


@contextmanager
def listening(desk: Desk, token: str | None = None) -> Iterator[str]:
    """Serve on a free port of the loopback interface; the server's address."""
    here = Here(desk)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        app = build_app(here, Batching(here.answer, 2), token)
        server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="error"))
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)
