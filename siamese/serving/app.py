"""The web server's side: paths, tokens, bodies, errors and the page, as an ASGI application."""

import asyncio
import hmac
import logging
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from siamese.serving.answer import Answer, RequestError, to_json
from siamese.serving.batching import Batching
from siamese.serving.requests import (
    MOST_BODY,
    EmbeddingsRequest,
    ExplainRequest,
    Request,
    SearchRequest,
    SimilarityRequest,
    parse,
)

# Seconds for the body of a request to arrive.
BODY_SECONDS = 30.0
ASKED: dict[str, type[Request]] = {
    "/v1/embeddings": EmbeddingsRequest,
    "/similarity": SimilarityRequest,
    "/search": SearchRequest,
    "/explain": ExplainRequest,
}
_PAGE = Path(__file__).with_name("page")
_FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page/style.css": ("style.css", "text/css; charset=utf-8"),
    "/page/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/favicon.ico": ("icon.svg", "image/svg+xml"),
}
_HEADERS = {
    # The page needs no address but this server's, and no script but its own file.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_log = logging.getLogger("ray.serve")

Handler = Callable[[HttpRequest], Awaitable[Response]]


class Backend(Protocol):
    """What answers, wherever it runs."""

    async def answer(self, requests: Sequence[Request]) -> Sequence[Answer]:
        """Answer a batch; raises `RequestError` when nobody can."""
        ...

    async def status(self) -> dict[str, Any]:
        """Say what answers: `model`, `index`, `scale`, `problem`; raises as `answer` does."""
        ...

    async def metrics(self) -> str:
        """Return figures in the format of Prometheus."""
        ...


def build_app(backend: Backend, batching: Batching, token: str | None = None) -> Starlette:
    """Build the application.

    Args:
        backend: says how things are.
        batching: has requests answered.
        token: that every request but those for the page and for `/healthz` must bring; None: none.
    """
    routes = [Route(path, _file(*file), methods=["GET"]) for path, file in _FILES.items()]

    def add(path: str, method: str, handler: Handler) -> None:
        guarded = handler if token is None or path == "/healthz" else _guarded(handler, token)
        routes.append(Route(path, guarded, methods=[method]))

    for path, kind in ASKED.items():
        add(path, "POST", _answering(kind, batching))
    add("/healthz", "GET", _healthz(backend))
    add("/about", "GET", _about(backend))
    add("/v1/models", "GET", _models(backend))
    add("/metrics", "GET", _metrics(backend))
    # What is not `RequestError` is a status that Starlette has found: no such path, another method.
    handlers: Any = {
        RequestError: _refused,
        HTTPException: _not_there,
        ClientDisconnect: _gone,
        Exception: _broken,
    }
    app = Starlette(routes=routes, exception_handlers=handlers)
    app.router.redirect_slashes = False
    return app


def _answering(kind: type[Request], batching: Batching) -> Handler:
    async def answer(request: HttpRequest) -> Response:
        answer = await batching.answer(parse(kind, await _body(request)))
        return _json(answer)

    return answer


def _healthz(backend: Backend) -> Handler:
    async def healthz(_: HttpRequest) -> Response:
        status = await backend.status()
        status.pop("scale", None)
        return _json(Answer(200, to_json({"status": "ready", **status})))

    return healthz


def _about(backend: Backend) -> Handler:
    async def about(_: HttpRequest) -> Response:
        return _json(Answer(200, to_json(await backend.status())))

    return about


def _models(backend: Backend) -> Handler:
    async def models(_: HttpRequest) -> Response:
        name = (await backend.status())["model"]["name"]
        model = {"id": name, "object": "model", "created": 0, "owned_by": "siamese-ray"}
        return _json(Answer(200, to_json({"object": "list", "data": [model]})))

    return models


def _metrics(backend: Backend) -> Handler:
    async def metrics(_: HttpRequest) -> Response:
        return Response(await backend.metrics(), media_type="text/plain; version=0.0.4")

    return metrics


def _file(name: str, media_type: str) -> Handler:
    content = (_PAGE / name).read_bytes()

    async def send(_: HttpRequest) -> Response:
        return Response(content, headers={**_HEADERS, "Content-Type": media_type})

    return send


def _guarded(handler: Handler, token: str) -> Handler:
    expected = f"Bearer {token}".encode()

    async def guarded(request: HttpRequest) -> Response:
        given = request.headers.get("authorization", "").encode("latin-1")
        # In a time that does not tell how much of it is right.
        if not hmac.compare_digest(given, expected):
            raise RequestError(
                401,
                "unauthorized",
                "This server asks for its token: send the header `Authorization: Bearer TOKEN`.",
                {"WWW-Authenticate": "Bearer"},
            )
        return await handler(request)

    return guarded


async def _body(request: HttpRequest) -> bytes:
    """Read a body, but no more of it than one may have, nor for longer.

    Raises:
        RequestError: it is too long (413), or did not arrive in time (408).
    """
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced) > MOST_BODY:
        raise _too_long()
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                body += part
                if len(body) > MOST_BODY:
                    raise _too_long()
    except TimeoutError:
        raise RequestError(
            408, "timeout", f"The body did not arrive in {BODY_SECONDS:g} s."
        ) from None
    return bytes(body)


def _too_long() -> RequestError:
    # The rest of the body is not read, so the connection is of no use any more.
    return RequestError(
        413,
        "too_large",
        f"The body is longer than {MOST_BODY >> 20} MiB: send less at once.",
        {"Connection": "close"},
    )


def _json(answer: Answer, headers: dict[str, str] | None = None) -> Response:
    all_headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
    return Response(
        answer.body, answer.status, {**all_headers, **(headers or {})}, "application/json"
    )


async def _refused(_: HttpRequest, refusal: Exception) -> Response:
    assert isinstance(refusal, RequestError)
    return _json(refusal.answer(), refusal.headers)


async def _not_there(request: HttpRequest, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    path = request.url.path
    if error.status_code == 405:
        allow = (error.headers or {}).get("Allow", "another method")
        message = f"{path} takes {allow}, not {request.method}."
    else:
        paths = ", ".join([*ASKED, "/v1/models", "/healthz", "/metrics"])
        message = f"There is no {path} here: there are {paths} and the page at /."
    kind = "method_not_allowed" if error.status_code == 405 else "not_found"
    refusal = RequestError(error.status_code, kind, message, error.headers)
    return await _refused(request, refusal)


async def _gone(_: HttpRequest, error: Exception) -> Response:
    assert isinstance(error, ClientDisconnect)
    return Response(status_code=499)  # nobody reads it


async def _broken(request: HttpRequest, error: Exception) -> Response:
    _log.error("a request failed", exc_info=error)
    return await _refused(
        request,
        RequestError(500, "server_error", "This request failed; the server's log says why."),
    )
