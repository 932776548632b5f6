"""Encode the texts of a file into a Parquet file."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from siamese.data.reading import read_texts
from siamese.encoder.model_folder import check_model_folder
from siamese.encoder.sentence_encoder import SentenceEncoder
from siamese.storage.atomic import replacing
from siamese.text.vocabulary import count_cut


def encode_file(
    model: Path,
    source: str,
    output: Path,
    normalize: bool = False,
    encoding: str | None = None,
) -> str:
    """Encode every text of a file, in its order.

    Args:
        model: the model folder.
        source: texts, in any accepted format.
        output: a Parquet file with the columns `text` and `embedding`, float32 `[dim]`.
        normalize: scale embeddings to unit length.
        encoding: of the texts, as in `read_texts`.

    Returns:
        What was done, in one or two lines.

    Raises:
        UserError: the model or the texts cannot be used.
    """
    check_model_folder(model)
    texts = list(read_texts([source], encoding=encoding))
    encoder = SentenceEncoder.load(model)
    embeddings = encoder.encode(texts, show_progress_bar=True, normalize_embeddings=normalize)
    column = pa.FixedSizeListArray.from_arrays(embeddings.ravel(), encoder.embedding_dim)
    with replacing(output) as beside:
        pq.write_table(pa.table({"text": texts, "embedding": column}), beside)
    lines = [f"{len(texts):,} texts, {encoder.embedding_dim} numbers each: {output}"]
    limit = encoder.recipe.text.max_length
    if cut := count_cut(texts, limit):
        lines.append(f"{cut:,} texts longer than {limit} characters were cut")
    return "\n".join(lines)
