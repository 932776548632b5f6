"""Requests: what is read, and what is refused with which status and sentence."""

import json

import pytest

from siamese.serving import requests as limits
from siamese.serving.answer import RequestError
from siamese.serving.requests import (
    EmbeddingsRequest,
    ExplainRequest,
    Request,
    SearchRequest,
    SimilarityRequest,
    parse,
)

INPUT = EmbeddingsRequest
PAIR = SimilarityRequest
SEARCH = SearchRequest


def refusal_of(kind: type[Request], body: bytes) -> RequestError:
    with pytest.raises(RequestError) as refused:
        parse(kind, body)
    return refused.value


def test_what_openais_clients_send_is_read() -> None:
    body = {
        "input": ["怎么退票", "如何退票"],
        "model": "text-embedding-3-small",
        "encoding_format": "base64",
        "dimensions": 12,
        "user": "somebody",
    }
    request = parse(EmbeddingsRequest, json.dumps(body).encode())
    assert request.model_dump() == body


def test_half_a_surrogate_pair_in_json_is_refused() -> None:
    assert refusal_of(INPUT, rb'{"input": "\ud800"}').status == 400


@pytest.mark.parametrize(
    ("kind", "body", "status", "says"),
    [
        (INPUT, b"", 400, ["not JSON"]),
        (INPUT, b'{"input": "a"', 400, ["not JSON"]),
        (INPUT, b"input=a", 400, ["not JSON"]),
        (INPUT, b'{"input": "\xff"}', 400, ["not JSON"]),
        (INPUT, b'{"input": NaN}', 422, ["input", "a text or a list"]),
        (INPUT, b"[" * 100_000, 400, ["not JSON"]),
        (INPUT, b"[]", 422, ["must be a JSON object", "input"]),
        (INPUT, b"null", 422, ["must be a JSON object"]),
        (INPUT, b"{}", 422, ["input is missing"]),
        (INPUT, b'{"input": null}', 422, ["input must be a text or a list of texts"]),
        (INPUT, b'{"input": 3}', 422, ["input must be a text"]),
        (INPUT, b'{"input": ""}', 422, ["input is empty"]),
        (INPUT, b'{"input": " \\n"}', 422, ["input is empty"]),
        (INPUT, b'{"input": []}', 422, ["empty list"]),
        (INPUT, b'{"input": [1, 2]}', 422, ["text 1 of the list must be a text"]),
        (INPUT, b'{"input": ["a", ""]}', 422, ["text 2 of the list is empty"]),
        (INPUT, b'{"input": "a", "encoding_format": "int8"}', 422, ["encoding_format", "base64"]),
        (INPUT, b'{"input": "a", "dimensions": 0}', 422, ["dimensions", "1"]),
        (INPUT, b'{"input": "a", "dimensions": "12"}', 422, ["dimensions", "integer"]),
        (INPUT, b'{"inputs": "a"}', 422, ["input is missing", "inputs is not known"]),
        (PAIR, b'{"text1": "a"}', 422, ["text2 is missing"]),
        (SEARCH, b"{}", 422, ["`query`", "`queries`"]),
        (SEARCH, b'{"query": "a", "queries": ["b"]}', 422, ["either `query`"]),
        (SEARCH, b'{"query": ["a"]}', 422, ["query must be a text"]),
        (SEARCH, b'{"query": " "}', 422, ["query is empty"]),
        (SEARCH, b'{"queries": "a"}', 422, ["queries must be a list"]),
        (SEARCH, b'{"query": "a", "k": 0}', 422, ["k must be greater", "1"]),
        (SEARCH, b'{"query": "a", "k": -3}', 422, ["k must be greater", "1"]),
        (SEARCH, b'{"query": "a", "k": 2.5}', 422, ["k must be", "integer"]),
        (SEARCH, b'{"query": "a", "k": true}', 422, ["k must be", "integer"]),
        (SEARCH, b'{"query": "a", "k": 1e99}', 422, ["k must be", "integer"]),
        (SEARCH, b'{"query": "a", "threshold": "0.5"}', 422, ["threshold must be", "number"]),
        (SEARCH, b'{"query": "a", "threshold": Infinity}', 422, ["threshold"]),
        (SEARCH, b'{"query": "a", "treshold": 0.5}', 422, ["treshold is not known", "threshold"]),
        (ExplainRequest, b'{"text1": ["a"], "text2": "b"}', 422, ["text1 must be a text"]),
    ],
)
def test_a_mistake_is_refused_with_a_sentence_that_names_the_field(
    kind, body, status, says
) -> None:
    refusal = refusal_of(kind, body)
    assert refusal.status == status
    assert all(part in refusal.message for part in says), refusal.message
    assert refusal.message.endswith(".")
    assert json.loads(refusal.answer().body) == {
        "error": {"message": refusal.message, "type": refusal.kind}
    }


@pytest.mark.parametrize(
    ("kind", "content", "limit"),
    [
        (INPUT, {"input": "a" * (limits.MOST_CHARACTERS + 1)}, limits.MOST_CHARACTERS),
        (INPUT, {"input": ["a"] * (limits.MOST_TEXTS + 1)}, limits.MOST_TEXTS),
        (PAIR, {"text1": ["a"] * 200, "text2": ["b"] * 101}, limits.MOST_RESULTS),
        (SEARCH, {"queries": ["a"] * 200, "k": 101}, limits.MOST_RESULTS),
        (SEARCH, {"query": "a", "k": limits.MOST_RESULTS + 1}, limits.MOST_RESULTS),
    ],
)
def test_too_much_at_once_is_refused_with_the_limit(kind, content, limit) -> None:
    refusal = refusal_of(kind, json.dumps(content).encode())
    assert refusal.status == 413
    assert f"at most {limit:,}" in refusal.message


def test_just_as_much_as_is_allowed_is_read() -> None:
    longest = "a" * limits.MOST_CHARACTERS
    assert parse(INPUT, json.dumps({"input": longest}).encode()).input == longest
    queries = {"queries": ["a"] * 200, "k": 100}
    assert len(parse(SEARCH, json.dumps(queries).encode()).texts) == 200
