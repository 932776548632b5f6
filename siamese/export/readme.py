"""The README.md of what is exported, for people who have nothing else of this project."""

from typing import Any

from siamese.encoder.sentence_encoder import SentenceEncoder
from siamese.encoder.similarity import FORMULAS


def _begin(encoder: SentenceEncoder) -> str:
    recipe = encoder.recipe
    return f"""# A Siamese sentence encoder

One text in, {encoder.embedding_dim} numbers out, not scaled to unit length. Of a text, the first
{recipe.text.max_length} characters are read; the embedding of an empty text is all zeros. Two texts
are taken to mean the same when their similarity ({FORMULAS[recipe.evaluation.similarity]}) is above
{encoder.threshold:.4f}.
"""


def onnx_readme(encoder: SentenceEncoder, about: dict[str, Any]) -> str:
    """Write how `model.onnx` is used."""
    loss = ""
    if "int8" in about:
        lines = "".join(f"- {name}: {value:.6f}\n" for name, value in about["int8"].items())
        loss = f"""
Its weights have 8 bits instead of 32. What that loses:

{lines}"""
    return f"""{_begin(encoder)}{loss}
In Python, with onnxruntime and numpy alone:

```python
import json
import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession("model.onnx")
table = json.load(open("characters.json", encoding="utf-8"))

def encode(texts):
    rows = [[i for c in text for i in table["ids"].get(c, [table["unknown"]])] for text in texts]
    rows = [row[: table["max_length"]] for row in rows]
    width = max(1, *map(len, rows))
    ids = [row + [table["padding"]] * (width - len(row)) for row in rows]
    return session.run(None, {{"ids": np.array(ids, np.int64)}})[0]

print(encode(["怎么改密码", "如何修改密码"]).shape)
```

In any other language the same: look each character (Unicode code point) of a text up in `ids`,
which gives one or more ids, or else take `unknown`; put them one after the other; cut after
`max_length`; fill up with `padding` to the longest text of the batch, one column at least. Case
folding and other forms of characters are in the table already. `ids` is int64 `[texts, time]`,
`embeddings` float32 `[texts, {encoder.embedding_dim}]`; both sizes in `ids` are free.
"""


def sentence_transformers_readme(encoder: SentenceEncoder, stock_since: str | None) -> str:
    """Write how the folder is used.

    Args:
        encoder: that was exported.
        stock_since: the first release whose stock modules are such; None: it has its own.
    """
    flag = ""
    code = (
        f"It consists of stock modules of release {stock_since} or later: no code is run from here."
    )
    if stock_since is None:
        flag = ", trust_remote_code=True"
        code = "Its module is `siamese_encoder.py` in this folder, which the flag lets run."
    similarity = ""
    if encoder.recipe.evaluation.similarity != "cosine":
        similarity = (
            "\n`model.similarity` is the cosine, which this model was not trained for: the "
            "threshold above\nbelongs to the formula above.\n"
        )
    return f"""---
library_name: sentence-transformers
pipeline_tag: sentence-similarity
tags: [sentence-transformers, sentence-similarity, feature-extraction]
---

{_begin(encoder)}
```python
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("path/of/this/folder"{flag})
embeddings = model.encode(["怎么改密码", "如何修改密码"])
print(model.similarity(embeddings, embeddings))
```

{code}
{similarity}"""
