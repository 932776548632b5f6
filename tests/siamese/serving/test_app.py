"""The application over HTTP, in this process: paths, tokens, bodies, errors, headers."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any

import pytest
from asgi_client import Client, Response
from calibrated_encoder import calibrated_encoder
from served_here import Here

from siamese.serving import app as application
from siamese.serving.answer import Answer
from siamese.serving.app import build_app
from siamese.serving.batching import Batching
from siamese.serving.desk import Desk
from siamese.serving.requests import MOST_BODY, Request

PAIR = {"text1": "怎么修改密码", "text2": "快递到哪了"}
POSTED = ["/v1/embeddings", "/similarity", "/search", "/explain"]

Use = Callable[[Client], Coroutine[Any, Any, Any]]


@pytest.fixture(scope="module")
def here() -> Here:
    return Here(Desk(calibrated_encoder(), None, "run/best"))


def using(here: Here, use: Use, token: str | None = None, **options: Any) -> Any:
    """Let a client use the application."""

    async def work() -> Any:
        app = build_app(here, Batching(here.answer, 2, **options), token)
        return await use(Client(app))

    return asyncio.run(work())


def one(here: Here, method: str, path: str, token: str | None = None, **options: Any) -> Any:
    return using(here, lambda client: client.request(method, path, **options), token)


def message(answer: Response) -> str:
    assert answer.headers["content-type"] == "application/json"
    error = answer.json()["error"]
    assert set(error) == {"message", "type"}
    return error["message"]


def test_a_pair_is_compared(here) -> None:
    answer = one(here, "POST", "/similarity", json=PAIR)
    assert answer.status_code == 200
    similarity = here.desk.encoder.similarity(PAIR["text1"], PAIR["text2"])
    assert answer.json()["similarity"] == similarity


def test_requests_of_the_same_moment_are_answered_together() -> None:
    here = Here(Desk(calibrated_encoder(), None, ""))

    async def use(client: Client) -> list[Response]:
        asked = [client.post("/similarity", json={**PAIR, "text1": f"{i}"}) for i in range(40)]
        return await asyncio.gather(*asked)

    answers = using(here, use)
    alone = [here.desk.encoder.similarity(f"{i}", PAIR["text2"]) for i in range(40)]
    assert [answer.json()["similarity"] for answer in answers] == alone
    assert sum(here.batches) == 40
    assert len(here.batches) < 20


@pytest.mark.parametrize("path", POSTED)
@pytest.mark.parametrize(
    ("content", "status"), [(b"", 400), (b"{", 400), (b"\xff", 400), (b"[]", 422), (b"{}", 422)]
)
def test_every_path_says_what_is_wrong_with_a_body(here, path, content, status) -> None:
    answer = one(here, "POST", path, content=content)
    assert answer.status_code == status
    assert message(answer).endswith(".")


@pytest.mark.parametrize("path", POSTED)
def test_another_method_is_refused_with_the_right_one(here, path) -> None:
    answer = one(here, "GET", path)
    assert answer.status_code == 405
    assert "POST" in answer.headers["allow"]
    assert message(answer) == f"{path} takes POST, not GET."


@pytest.mark.parametrize("path", ["/nothing", "/search/", "/page/../app.py", "/page/app.py"])
def test_an_unknown_path_is_answered_with_those_that_there_are(here, path) -> None:
    answer = one(here, "GET", path)
    assert answer.status_code == 404
    assert "/v1/embeddings" in message(answer)


def test_a_body_may_not_be_longer_than_announced_or_not(here) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(MOST_BODY // 65536 + 1):
            yield b" " * 65536

    for content in (b" " * (MOST_BODY + 1), pieces()):
        answer = one(here, "POST", "/similarity", content=content)
        assert answer.status_code == 413
        assert "4 MiB" in message(answer)


def test_a_body_as_long_as_allowed_is_read(here) -> None:
    content = json.dumps(PAIR).encode().ljust(MOST_BODY)
    assert one(here, "POST", "/similarity", content=content).status_code == 200


def test_a_body_that_does_not_arrive_is_not_waited_for(here, monkeypatch) -> None:
    monkeypatch.setattr(application, "BODY_SECONDS", 0.05)

    async def pieces() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(5)

    answer = one(here, "POST", "/similarity", content=pieces())
    assert answer.status_code == 408
    assert "did not arrive" in message(answer)


def test_the_full_queue_answers_503_with_a_time_to_come_back() -> None:
    here = Here(Desk(calibrated_encoder(), None, ""))

    async def use(client: Client) -> list[Response]:
        return await asyncio.gather(*[client.post("/similarity", json=PAIR) for _ in range(9)])

    answers = using(here, use, most_waiting=3)
    refused = [answer for answer in answers if answer.status_code == 503]
    assert refused
    assert all(answer.status_code == 200 for answer in answers if answer not in refused)
    for answer in refused:
        assert int(answer.headers["retry-after"]) >= 1
        assert "busy" in message(answer)


class TestToken:
    @pytest.mark.parametrize(
        "given",
        [None, "", "secret", "Bearer", "Bearer ", "Bearer secreT", "Bearer secret2", "Basic é"],
    )
    @pytest.mark.parametrize("path", [*POSTED, "/about", "/metrics", "/v1/models"])
    def test_without_it_nothing_is_answered(self, here, path, given) -> None:
        headers = {} if given is None else {"Authorization": given}
        method = "POST" if path in POSTED else "GET"
        answer = one(here, method, path, "secret", headers=headers, content=b"{}")
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert "Authorization: Bearer" in message(answer)

    def test_with_it_requests_are_answered(self, here) -> None:
        headers = {"Authorization": "Bearer secret"}
        answer = one(here, "POST", "/similarity", "secret", headers=headers, json=PAIR)
        assert answer.status_code == 200

    @pytest.mark.parametrize("path", ["/", "/page/page.js", "/healthz"])
    def test_the_page_and_the_health_need_none(self, here, path) -> None:
        assert one(here, "GET", path, "secret").status_code == 200


def test_health_names_the_model_and_the_index(here) -> None:
    assert one(here, "GET", "/healthz").json() == {
        "status": "ready",
        "model": {
            "name": "run/best",
            "fingerprint": here.desk.encoder.fingerprint,
            "embedding_dim": 12,
            "threshold": 0.9,
            "calibrated": True,
        },
        "index": None,
        "problem": "",
    }


def test_models_are_listed_as_openai_does(here) -> None:
    (model,) = one(here, "GET", "/v1/models").json()["data"]
    assert (model["id"], model["object"]) == ("run/best", "model")


def test_metrics_are_text(here) -> None:
    answer = one(here, "GET", "/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.text == "ray_serve_something 1\n"


@pytest.mark.parametrize("path", ["/", "/page/style.css", "/page/page.js", "/favicon.ico"])
def test_the_page_asks_no_other_server(here, path) -> None:
    answer = one(here, "GET", path)
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    own = answer.text.replace("http://www.w3.org/2000/svg", "")  # the name of a language
    assert "://" not in own
    assert "//cdn" not in own
    assert "innerHTML" not in own


def test_a_bug_is_no_traceback_for_whoever_asks(here, monkeypatch) -> None:
    async def broken(_: Sequence[Request]) -> list[Answer]:
        raise RuntimeError("secret path")

    monkeypatch.setattr(here, "answer", broken)
    answer = one(here, "POST", "/similarity", json=PAIR)
    assert answer.status_code == 500
    assert "secret path" not in message(answer)
