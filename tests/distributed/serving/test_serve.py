"""`siamese serve` with real replicas: what it answers, and what it outlives."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from calibrated_encoder import calibrated_encoder
from service import Service, asking, put

from siamese.search.index import Index

pytestmark = pytest.mark.cluster

TEXTS = ["怎么修改密码", "快递到哪了", "开通会员"]
PAIR = {"text1": TEXTS[0], "text2": TEXTS[1]}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """Two models, `1` and `2`, with an index of each."""
    folder = tmp_path_factory.mktemp("made")
    for seed in (1, 2):
        calibrated_encoder(seed).save(folder / f"model-{seed}")
        Index.build(TEXTS, str(folder / f"model-{seed}"), folder / f"index-{seed}")
    return folder


@pytest.fixture(scope="module")
def place(made, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("place")
    put(made / "model-1", folder / "best")
    put(made / "index-1", folder / "index")
    return folder


@pytest.fixture(scope="module")
def served(place) -> Iterator[Service]:
    options = ("--index", str(place / "index"), "--port", "0", "--replicas", "2")
    with Service(str(place / "best"), *options, "--cpus-per-replica", "0.5") as served:
        yield served


@pytest.fixture(autouse=True)
def _as_at_first(made, place, request) -> Iterator[None]:
    """Put the first model back where a test has put another."""
    yield
    if "served" in request.fixturenames:
        put(made / "model-1", place / "best")
        put(made / "index-1", place / "index")


def wait_for_model(served: Service, seed: int) -> None:
    """Wait until all replicas have the model: each is asked, again and again."""
    until, seen = time.monotonic() + 30, 0
    while seen < 20:
        status, answer = served.ask("/healthz")
        is_new = (
            status == 200 and answer["model"]["fingerprint"] == calibrated_encoder(seed).fingerprint
        )
        seen = seen + 1 if is_new else 0
        assert time.monotonic() < until, answer
        time.sleep(0.02)


def test_it_answers_what_the_encoder_and_the_index_say(served, place) -> None:
    encoder = calibrated_encoder(1)
    status, answer = served.ask("/v1/embeddings", {"input": TEXTS, "model": "any"})
    assert status == 200
    got = np.array([each["embedding"] for each in answer["data"]], np.float32)
    np.testing.assert_array_equal(got, encoder.encode(TEXTS))
    assert served.ask("/similarity", PAIR)[1]["similarity"] == encoder.similarity(*TEXTS[:2])
    hits = served.ask("/search", {"query": TEXTS[2], "k": 1})[1]["hits"]
    assert [hit["text"] for hit in hits] == [TEXTS[2]]
    status, health = served.ask("/healthz")
    assert (status, health["status"], health["index"]["entries"]) == (200, "ready", 3)
    assert health["index"]["version"] == Index.open(place / "index").version


def test_a_mistake_is_refused_in_json(served) -> None:
    status, answer = served.ask("/search", {"query": "a", "k": 0})
    assert status == 422
    assert "k must be" in answer["error"]["message"]


def test_no_request_fails_when_a_replica_is_killed(served) -> None:
    expected = served.ask("/similarity", PAIR)[1]
    with asking(served.url, "/similarity", PAIR, clients=8) as load:
        for _ in range(2):
            time.sleep(1)
            os.kill(served.replicas()[0], signal.SIGKILL)
        time.sleep(1)
    assert load.failures == []
    assert len(load.seconds) > 100
    assert load.answers == {json.dumps(expected)}
    until = time.monotonic() + 30
    while len(served.replicas()) < 2:  # it is replaced
        assert time.monotonic() < until
        time.sleep(0.1)


def test_no_request_fails_when_model_and_index_are_replaced(served, made, place) -> None:
    wait_for_model(served, 1)
    old = served.ask("/similarity", PAIR)[1]
    with asking(served.url, "/similarity", PAIR, clients=8) as load:
        time.sleep(0.5)
        put(made / "model-2", place / "best")
        put(made / "index-2", place / "index")
        wait_for_model(served, 2)
        time.sleep(0.5)
    assert load.failures == []
    new = served.ask("/similarity", PAIR)[1]
    assert new["similarity"] == calibrated_encoder(2).similarity(*TEXTS[:2])
    assert load.answers == {json.dumps(old), json.dumps(new)}
    assert served.wait_for(calibrated_encoder(2).fingerprint[:12])  # it says so


def test_the_old_model_stays_while_the_new_one_is_damaged(served, made, place) -> None:
    wait_for_model(served, 1)
    weights = place / "best" / "encoder.keras"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:100])
    manifest = place / "best" / "manifest.json"
    manifest.write_text(manifest.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert "encoder.keras" in served.wait_for("warning: .*the old model").string
    assert served.ask("/similarity", PAIR)[0] == 200
    assert "encoder.keras" in served.ask("/healthz")[1]["problem"]


def test_ray_serves_own_metrics_are_there(served) -> None:
    until = time.monotonic() + 30
    while "ray_serve_deployment_request_counter" not in (text := served.ask("/metrics")[1]):
        assert time.monotonic() < until, text  # they are sent every ten seconds
        time.sleep(0.5)


def test_ctrl_c_ends_all_of_it_without_noise(served) -> None:
    started = served.started()
    assert len(started) > 3
    assert served.end(signal.SIGINT) == 130
    until = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in started):
        assert time.monotonic() < until
        time.sleep(0.1)
    said = ("serving ", "2 replicas ready at http", "warning: the old model", "stopped")
    stray = [line for line in served.output if not line.startswith(said)]
    assert stray == []  # no noise of Ray's
    assert served.output[-1] == "stopped"
