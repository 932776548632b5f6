"""Ask an ASGI application in this process, without a server."""

import json as json_module
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any


@dataclass
class Response:
    """What came back."""

    status_code: int
    headers: dict[str, str]
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode()

    def json(self) -> Any:
        return json_module.loads(self.content)


class Client:
    """Sends requests to an application; what it raises after an answer is left to a server."""

    def __init__(self, app: Callable[..., Any]) -> None:
        self._app = app

    async def request(
        self,
        method: str,
        path: str,
        *,
        headers: dict[str, str] | None = None,
        content: bytes | AsyncIterator[bytes] = b"",
        json: Any = None,
    ) -> Response:
        """Send a request; a content that comes in pieces is of a length that is not announced."""
        if json is not None:
            content = json_module.dumps(json).encode()
        sent = {"host": "here", **(headers or {})}
        if isinstance(content, bytes):
            sent["content-length"] = str(len(content))
        received: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            if isinstance(content, bytes):
                return {"type": "http.request", "body": content, "more_body": False}
            async for piece in content:
                return {"type": "http.request", "body": piece, "more_body": True}
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            received.append(message)

        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "scheme": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": [(k.lower().encode(), v.encode("latin-1")) for k, v in sent.items()],
            "client": ("127.0.0.1", 1),
            "server": ("here", 80),
        }
        try:
            await self._app(scope, receive, send)
        except Exception:
            if not received:
                raise
        begin, *parts = received
        return Response(
            begin["status"],
            {key.decode(): value.decode("latin-1") for key, value in begin["headers"]},
            b"".join(part.get("body", b"") for part in parts),
        )

    async def post(self, path: str, **options: Any) -> Response:
        return await self.request("POST", path, **options)
