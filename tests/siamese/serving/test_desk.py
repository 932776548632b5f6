"""The desk: answers are what the encoder and the index say, alone and in a batch."""

import json
from base64 import b64decode
from typing import Any

import numpy as np
import pytest
from calibrated_encoder import calibrated_encoder

from siamese.search.entry import Entry
from siamese.search.index import Index
from siamese.serving.desk import Desk
from siamese.serving.requests import (
    EmbeddingsRequest,
    ExplainRequest,
    Request,
    SearchRequest,
    SimilarityRequest,
)

ENTRIES = [
    Entry("password", "怎么修改密码", {"answer": "在设置里修改", "topic": "登录"}),
    Entry("parcel", "快递到哪了", {"answer": "请查询", "clicks": 3}),
    Entry("member", "开通会员", {}),
]
TEXTS = ["如何修改密码", "快递在哪", "x" * 200]


@pytest.fixture(scope="module")
def desk(tmp_path_factory) -> Desk:
    encoder = calibrated_encoder()
    index = Index.build(ENTRIES, encoder, tmp_path_factory.mktemp("index") / "index")
    return Desk(encoder, index, "run/best")


def ask(desk: Desk, request: Request) -> Any:
    (answer,) = desk.answer([request])
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def error(desk: Desk, request: Request) -> tuple[int, str]:
    (answer,) = desk.answer([request])
    return answer.status, json.loads(answer.body)["error"]["message"]


def test_embeddings_are_those_of_encode_in_openais_shape(desk) -> None:
    answer = ask(desk, EmbeddingsRequest(input=TEXTS, model="whatever", dimensions=12))
    assert (answer["object"], answer["model"]) == ("list", "run/best")
    assert [each["index"] for each in answer["data"]] == [0, 1, 2]
    assert {each["object"] for each in answer["data"]} == {"embedding"}
    got = np.array([each["embedding"] for each in answer["data"]], np.float32)
    np.testing.assert_array_equal(got, desk.encoder.encode(TEXTS))
    assert answer["usage"] == {"prompt_tokens": 6 + 4 + 64, "total_tokens": 6 + 4 + 64}


def test_base64_holds_the_same_numbers(desk) -> None:
    answer = ask(desk, EmbeddingsRequest(input=TEXTS[0], encoding_format="base64"))
    (only,) = answer["data"]
    got = np.frombuffer(b64decode(only["embedding"]), "<f4")
    np.testing.assert_array_equal(got, desk.encoder.encode(TEXTS[0]))


def test_other_dimensions_are_refused(desk) -> None:
    status, message = error(desk, EmbeddingsRequest(input="a", dimensions=8))
    assert status == 422
    assert "12" in message


def test_two_texts_have_one_similarity_with_its_meaning(desk) -> None:
    answer = ask(desk, SimilarityRequest(text1=TEXTS[0], text2=TEXTS[1]))
    similarity = desk.encoder.similarity(TEXTS[0], TEXTS[1])
    assert answer == {
        "similarity": similarity,
        "threshold": 0.9,
        "answer": "similar" if similarity > 0.9 else "different",
        "probability": desk.encoder.probability(TEXTS[0], TEXTS[1]),
        "verdict": desk.encoder.verdict(TEXTS[0], TEXTS[1]),
    }


def test_lists_have_a_similarity_for_each_with_each(desk) -> None:
    answer = ask(desk, SimilarityRequest(text1=TEXTS, text2=TEXTS[1:]))
    expected = desk.encoder.similarity(TEXTS, TEXTS[1:])
    np.testing.assert_array_equal(answer["similarity"], expected)
    np.testing.assert_array_equal(np.array(answer["answer"]) == "similar", expected > 0.9)
    probabilities = desk.encoder.probability(TEXTS, TEXTS[1:])
    np.testing.assert_array_equal(answer["probability"], probabilities)
    assert np.shape(answer["verdict"]) == (3, 2)


def test_a_text_with_a_list_has_a_row() -> None:
    answer = ask(
        Desk(calibrated_encoder(calibrated=False), None, ""),
        SimilarityRequest(text1=TEXTS[0], text2=TEXTS),
    )
    assert np.shape(answer["similarity"]) == (1, 3)
    assert "probability" not in answer
    assert "verdict" not in answer


def test_a_search_finds_what_the_index_finds(desk) -> None:
    answer = ask(desk, SearchRequest(query=TEXTS[0], k=2, threshold=-1))
    hits = desk.index.search(TEXTS[0], 2, -1)
    assert [hit["id"] for hit in answer["hits"]] == [hit.id for hit in hits]
    first = answer["hits"][0]
    assert first == {
        **hits[0]._asdict(),
        "probability": desk.encoder.probability(TEXTS[0], hits[0].text),
    }
    assert (answer["threshold"], answer["abstained"]) == (-1, False)


def test_a_search_abstains_below_the_threshold(desk) -> None:
    answer = ask(desk, SearchRequest(query=TEXTS[0], threshold=1.0))
    assert answer == {"hits": [], "abstained": True, "threshold": 1.0}


def test_several_queries_have_a_result_each(desk) -> None:
    answer = ask(desk, SearchRequest(queries=[TEXTS[0], "开通会员"]))
    assert answer["threshold"] == desk.index.threshold
    alone = [ask(desk, SearchRequest(query=text)) for text in (TEXTS[0], "开通会员")]
    assert answer["results"] == [
        {"hits": each["hits"], "abstained": each["abstained"]} for each in alone
    ]
    assert answer["results"][1]["hits"][0]["id"] == "member"


def test_without_k_a_small_index_gives_what_it_has(desk) -> None:
    assert len(ask(desk, SearchRequest(query="a", threshold=-2))["hits"]) == 3


def test_an_index_of_which_all_was_removed_abstains(tmp_path) -> None:
    encoder = calibrated_encoder()
    index = Index.build(ENTRIES, encoder, tmp_path / "index")
    index.remove([entry.id for entry in ENTRIES])
    answer = ask(Desk(encoder, index, ""), SearchRequest(query="a"))
    assert (answer["hits"], answer["abstained"]) == ([], True)


def test_more_hits_than_entries_are_refused(desk) -> None:
    status, message = error(desk, SearchRequest(query="a", k=4))
    assert status == 422
    assert "k must be at most 3" in message


def test_without_an_index_a_search_says_how_to_have_one() -> None:
    status, message = error(Desk(calibrated_encoder(), None, ""), SearchRequest(query="a"))
    assert status == 404
    assert "--index" in message


def test_an_explanation_is_the_encoders(desk) -> None:
    answer = ask(desk, ExplainRequest(text1=TEXTS[0], text2=TEXTS[1]))
    expected = json.loads(json.dumps(desk.encoder.explain(TEXTS[0], TEXTS[1]).as_dict()))
    assert answer.items() >= expected.items()
    assert answer["verdict"] == desk.encoder.verdict(TEXTS[0], TEXTS[1])


def test_a_batch_has_the_answers_that_each_would_have_alone(desk) -> None:
    requests = [
        SearchRequest(query=TEXTS[0], k=2),
        EmbeddingsRequest(input=TEXTS),
        SearchRequest(query="a", k=99),
        SimilarityRequest(text1=TEXTS, text2=TEXTS[0]),
        SearchRequest(queries=TEXTS[:2], k=2),
        ExplainRequest(text1=TEXTS[0], text2=TEXTS[1]),
        EmbeddingsRequest(input="a", dimensions=3),
        SearchRequest(query=TEXTS[1], threshold=-5),
    ]
    assert desk.answer(requests) == [desk.answer([each])[0] for each in requests]


def test_a_request_that_fails_takes_no_other_with_it(desk, monkeypatch) -> None:
    encode = desk.encoder.encode

    def fails(texts: Any, **options: Any) -> np.ndarray:
        if "坏" in texts:
            raise RuntimeError("a bug")
        return encode(texts, **options)

    monkeypatch.setattr(desk.encoder, "encode", fails)
    good, bad = EmbeddingsRequest(input="好"), EmbeddingsRequest(input="坏")
    answers = desk.answer([good, bad, good])
    assert [each.status for each in answers] == [200, 500, 200]
    assert "bug" not in answers[1].body.decode()  # what it was stands in the log


@pytest.mark.parametrize("calibrated", [True, False])
def test_the_pages_scale_has_the_calibrators_probabilities(calibrated) -> None:
    encoder = calibrated_encoder(calibrated=calibrated)
    scale = Desk(encoder, None, "").scale()
    assert (scale["lowest"], scale["highest"]) == (0, 1)
    if not calibrated:
        assert scale["probabilities"] is None
        return
    similarities = np.linspace(0, 1, len(scale["probabilities"]))
    np.testing.assert_allclose(
        scale["probabilities"], encoder.calibrator.probability(similarities), atol=1e-6
    )
