"""The peer of `serving.py`: the same encoder and index behind FastAPI, as one writes it in a file.

MODEL=run/best INDEX=faq-index python tests/benchmarks/plain_fastapi.py PORT
"""

import os
import sys
from typing import Annotated, Any

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel, Field

from siamese import SentenceEncoder
from siamese.search.index import Index

app = FastAPI()
encoder = SentenceEncoder.load(os.environ["MODEL"])
index = Index.open(os.environ["INDEX"], encoder) if os.environ.get("INDEX") else None

# The limits of `siamese serve`.
Text = Annotated[str, Field(min_length=1, max_length=10_000)]
Texts = Annotated[list[Text], Field(min_length=1, max_length=2048)]


class EmbeddingsRequest(BaseModel):
    input: Text | Texts
    model: str | None = None


class SearchRequest(BaseModel):
    query: Text
    k: int = Field(5, ge=1)


# Plain functions: FastAPI calls them in threads.
@app.post("/v1/embeddings")
def embeddings(request: EmbeddingsRequest) -> dict[str, Any]:
    texts = [request.input] if isinstance(request.input, str) else request.input
    data = [
        {"object": "embedding", "index": number, "embedding": embedding}
        for number, embedding in enumerate(encoder.encode(texts).tolist())
    ]
    return {"object": "list", "data": data, "model": "plain"}


@app.post("/search")
def search(request: SearchRequest) -> dict[str, Any]:
    assert index is not None
    hits = index.search(request.query, request.k)
    return {"hits": [hit._asdict() for hit in hits], "abstained": not hits}


@app.get("/healthz")
def healthz() -> dict[str, str]:
    return {"status": "ready"}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=False)
