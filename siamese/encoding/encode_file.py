"""Encode texts into one Parquet file."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from siamese.data.reading import read_texts
from siamese.encoder.model_folder import check_model_folder, local_model
from siamese.encoder.sentence_encoder import SentenceEncoder
from siamese.storage.output import saving
from siamese.text.notes import notes_on


def encode_file(
    model: str | Path,
    inputs: list[str],
    output: str | Path,
    normalize: bool = False,
    encoding: str | None = None,
) -> str:
    """Encode every text of some files, in their order, into one file; all are held in memory.

    Args:
        model: the model folder, a path or URI.
        inputs: files, globs, folders or URIs; see `siamese.data.reading.Texts`.
        output: the path or URI of a Parquet file with the columns `text` and `embedding`, float32
            `[dim]`.
        normalize: scale embeddings to unit length.
        encoding: of the texts, as in `read_texts`.

    Returns:
        What was done, in a line, and a line each about texts that a user should know of.

    Raises:
        UserError: the model or the texts cannot be used.
    """
    with local_model(model) as folder:
        check_model_folder(folder)
        texts = list(read_texts(inputs, encoding=encoding))
        encoder = SentenceEncoder.load(folder)
    embeddings = encoder.encode(texts, show_progress_bar=True, normalize_embeddings=normalize)
    column = pa.FixedSizeListArray.from_arrays(embeddings.ravel(), encoder.embedding_dim)
    with saving(output) as beside:
        pq.write_table(pa.table({"text": texts, "embedding": column}), beside)
    lines = [f"{len(texts):,} texts, {encoder.embedding_dim} numbers each: {output}"]
    lines += notes_on(texts, encoder.vocabulary, encoder.recipe.text.max_length)
    return "\n".join(lines)
