"""Requests -> answers, with one model and its index: all texts of a batch are encoded at once."""

import logging
from base64 import b64encode
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from siamese.encoder.calibration import UNSURE, verdict_of
from siamese.encoder.sentence_encoder import SentenceEncoder
from siamese.errors import UserError
from siamese.serving.answer import Answer, RequestError, to_json
from siamese.serving.requests import (
    EmbeddingsRequest,
    ExplainRequest,
    Request,
    SearchRequest,
    SimilarityRequest,
)

if TYPE_CHECKING:
    from siamese.search.index import Hit, Index

_log = logging.getLogger("ray.serve")  # of a replica; without Ray, a logger like any other

NO_INDEX = RequestError(
    404,
    "no_index",
    "This server has no index to search: start it with `siamese serve MODEL --index DIR`.",
)


class Desk:
    """Answers requests with a model, and with an index of it.

    Args:
        encoder: the model.
        index: of the same model; None: nothing can be searched.
        name: what the model is called in answers.
    """

    def __init__(self, encoder: SentenceEncoder, index: "Index | None", name: str) -> None:
        self.encoder = encoder
        self.index = index
        self.name = name
        self.fingerprint = encoder.fingerprint

    def answer(self, requests: Sequence[Request]) -> list[Answer]:
        """Answer requests that came at about the same time.

        Each answer is what the request alone would have got.
        """
        try:
            return self._answer(requests)
        except Exception as error:
            # One of them cannot be answered: by themselves the others can.
            if len(requests) > 1:
                return [self.answer([each])[0] for each in requests]
            return [_failed(error)]

    def _answer(self, requests: Sequence[Request]) -> list[Answer]:
        embedded = self._embed(requests)
        found = self._search([each for each in requests if isinstance(each, SearchRequest)])
        answers = []
        for request in requests:
            try:
                if isinstance(request, EmbeddingsRequest):
                    content = self._embeddings(request, embedded)
                elif isinstance(request, SimilarityRequest):
                    content = self._similarity(request, embedded)
                elif isinstance(request, SearchRequest):
                    content = self._found(request, found)
                else:
                    assert isinstance(request, ExplainRequest)
                    content = self._explain(request)
                answers.append(Answer(200, to_json(content)))
            except RequestError as refusal:
                answers.append(refusal.answer())
        return answers

    def status(self) -> dict[str, Any]:
        """Say which model and which index answer."""
        index = None
        if self.index is not None:
            index = {
                "entries": len(self.index),
                "version": self.index.version,
                "threshold": self.index.threshold,
            }
        model = {
            "name": self.name,
            "fingerprint": self.fingerprint,
            "embedding_dim": self.encoder.embedding_dim,
            "threshold": self.encoder.threshold,
            "calibrated": self.encoder.calibrator is not None,
        }
        return {"model": model, "index": index}

    def scale(self) -> dict[str, Any]:
        """Return what the page draws its slider with: the ends, and probabilities in between."""
        threshold, calibrator = self.encoder.threshold, self.encoder.calibrator
        lowest, highest = (0.0 if threshold >= 0 else -1.0), 1.0
        if self.encoder.recipe.evaluation.similarity != "cosine":  # it is unbounded
            highest = max(2 * abs(threshold), 1.0)
            lowest = 0.0 if threshold >= 0 else -highest
        probabilities = None
        if calibrator is not None:
            similarities = np.linspace(lowest, highest, 201)
            probabilities = calibrator.probability(similarities).round(6).tolist()
        return {
            "lowest": lowest,
            "highest": highest,
            "probabilities": probabilities,
            "unsure": UNSURE,
        }

    def _embed(self, requests: Iterable[Request]) -> dict[str, np.ndarray]:
        """Encode every different text of the requests for embeddings and similarities."""
        texts: dict[str, None] = {}
        for request in requests:
            if isinstance(request, EmbeddingsRequest):
                texts |= dict.fromkeys(_listed(request.input))
            elif isinstance(request, SimilarityRequest):
                texts |= dict.fromkeys([*_listed(request.text1), *_listed(request.text2)])
        return dict(zip(texts, self.encoder.encode(list(texts)), strict=True)) if texts else {}

    def _embeddings(
        self, request: EmbeddingsRequest, embedded: dict[str, np.ndarray]
    ) -> dict[str, Any]:
        dim = self.encoder.embedding_dim
        if request.dimensions not in (None, dim):
            raise RequestError(
                422,
                "invalid_request",
                f"dimensions must be {dim} or be left out: this model's embeddings are not cut.",
            )
        write = _in_base64 if request.encoding_format == "base64" else _in_numbers
        texts = _listed(request.input)
        # What such clients count their costs in; the tokens of this model are characters.
        tokens = sum(min(len(text), self.encoder.recipe.text.max_length) for text in texts)
        return {
            "object": "list",
            "data": [
                {"object": "embedding", "index": number, "embedding": write(embedded[text])}
                for number, text in enumerate(texts)
            ],
            "model": self.name,
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }

    def _similarity(
        self, request: SimilarityRequest, embedded: dict[str, np.ndarray]
    ) -> dict[str, Any]:
        ones, others = (
            np.stack([embedded[text] for text in _listed(texts)])
            for texts in (request.text1, request.text2)
        )
        similarities = self.encoder.similarity(ones, others)
        if isinstance(request.text1, str) and isinstance(request.text2, str):
            return self._compared(float(similarities[0, 0]))
        return self._compared(similarities)

    def _compared(self, similarities: np.ndarray | float) -> dict[str, Any]:
        """Say what similarities mean; of an array, everything in its shape."""
        threshold, calibrator = self.encoder.threshold, self.encoder.calibrator
        above = np.where(np.asarray(similarities) > threshold, "similar", "different")
        said: dict[str, Any] = {
            "similarity": np.asarray(similarities).tolist(),
            "threshold": threshold,
            "answer": above.tolist(),
        }
        if calibrator is not None:
            probabilities = calibrator.probability(similarities)
            said["probability"] = probabilities.tolist()
            verdicts = [verdict_of(each) for each in probabilities.ravel()]
            said["verdict"] = np.array(verdicts).reshape(probabilities.shape).tolist()
        return said

    def _explain(self, request: ExplainRequest) -> dict[str, Any]:
        explanation = self.encoder.explain(request.text1, request.text2)
        return {**explanation.as_dict(), **self._compared(explanation.similarity)}

    def _search(
        self, requests: Iterable[SearchRequest]
    ) -> dict[int, "list[list[Hit]] | RequestError"]:
        """Search for all queries that want the same, at once; hits by the request's `id`."""
        alike: dict[tuple[int | None, float | None], list[SearchRequest]] = defaultdict(list)
        found: dict[int, list[list[Hit]] | RequestError] = {}
        for request in requests:
            if self.index is None:
                found[id(request)] = NO_INDEX
            elif request.k is not None and request.k > len(self.index):
                found[id(request)] = RequestError(
                    422,
                    "invalid_request",
                    f"k must be at most {len(self.index):,}: the index has so many entries.",
                )
            else:
                alike[request.k, request.threshold].append(request)
        for (k, threshold), group in alike.items():
            assert self.index is not None
            queries = [text for request in group for text in request.texts]
            hits = iter(self.index.search_many(queries, k, threshold))
            for request in group:
                found[id(request)] = [next(hits) for _ in request.texts]
        return found

    def _found(
        self, request: SearchRequest, found: "dict[int, list[list[Hit]] | RequestError]"
    ) -> dict[str, Any]:
        hits = found[id(request)]
        if isinstance(hits, RequestError):
            raise hits
        assert self.index is not None
        threshold = self.index.threshold if request.threshold is None else request.threshold
        results = [{"hits": self._hits(each), "abstained": not each} for each in hits]
        if request.query is not None:
            return {**results[0], "threshold": threshold}
        return {"results": results, "threshold": threshold}

    def _hits(self, hits: "list[Hit]") -> list[dict[str, Any]]:
        rows = [hit._asdict() for hit in hits]
        if rows and self.encoder.calibrator is not None:
            scores = np.array([hit.score for hit in hits])
            for row, probability in zip(
                rows, self.encoder.calibrator.probability(scores).tolist(), strict=True
            ):
                row["probability"] = probability
        return rows


def _in_base64(embedding: np.ndarray) -> Any:
    return b64encode(embedding.astype("<f4").tobytes()).decode()


def _in_numbers(embedding: np.ndarray) -> Any:
    return embedding.tolist()


def _listed(texts: str | list[str]) -> list[str]:
    return [texts] if isinstance(texts, str) else texts


def _failed(error: Exception) -> Answer:
    if isinstance(error, UserError):
        return RequestError(422, "invalid_request", str(error)).answer()
    _log.exception("a request failed")
    return RequestError(
        500, "server_error", "This request failed; the server's log says why."
    ).answer()
