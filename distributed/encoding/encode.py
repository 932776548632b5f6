"""`siamese encode`: embeddings of many texts, in this process or in actors of Ray Data."""

from typing import Any

from distributed.encoding.actors import check_gpus, on_ray
from siamese.encoder.sentence_encoder import SentenceEncoder
from siamese.encoding.embeddings_folder import encode_folder
from siamese.encoding.filling import Encode, Existing, encode_here
from siamese.training.execution import Execution


def encode(
    model: str,
    inputs: list[str],
    output: str,
    normalize: bool = False,
    existing: Existing = "refuse",
    execution: Execution | None = None,
    encoding: str | None = None,
) -> tuple[dict[str, Any], list[str]]:
    """Write a folder of embeddings: `encode_folder`, by as many workers as wanted.

    Args:
        model: the model folder, a path or URI; only this process reads it.
        inputs: as there, as are the others.
        output: the folder; only this process writes there.
        normalize: scale embeddings to unit length.
        existing: what to do with a folder that is there.
        execution: the workers, and what each of them has; None: this process.
        encoding: of all text files.

    Returns:
        The manifest, and a line each about texts that a user should know of.

    Raises:
        UserError: the model, an input or the output cannot be used, or the cluster cannot run it.
        RunError: the workers keep dying.
    """
    encoder, way = encoder_and_way(model, execution or Execution())
    return encode_folder(inputs, encoder, output, normalize, existing, way, encoding)


def encoder_and_way(model: str, execution: Execution) -> tuple[SentenceEncoder, Encode]:
    """Load a model, and say where it is to encode.

    Args:
        model: the model folder, a path or URI.
        execution: the workers, and what each of them has; none: this process.

    Raises:
        UserError: the model cannot be used, or there is a GPU for no worker.
    """
    check_gpus(execution, "this process")
    encoder = SentenceEncoder.load(model)
    return encoder, on_ray(execution, [], True) if execution.workers[1] else encode_here
