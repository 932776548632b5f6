"""The encoder of an index: named by its fingerprint, so that no other one is used."""

from pathlib import Path

from siamese.encoder.sentence_encoder import SentenceEncoder
from siamese.errors import UserError
from siamese.search.index_folder import IndexFolder
from siamese.search.manifest import Manifest
from siamese.storage.filesystem import absolute


def encoder_of(
    encoder: SentenceEncoder | str | Path,
) -> tuple[SentenceEncoder, str | None]:
    """Return the encoder, and where its model is, if that is said."""
    if isinstance(encoder, SentenceEncoder):
        return encoder, None
    return SentenceEncoder.load(encoder), absolute(str(encoder))


def remembered_encoder(folder: IndexFolder) -> SentenceEncoder:
    """Load the model that an index remembers."""
    model = folder.read().model
    if model is None:
        raise UserError(
            f"{folder.location}: does not say where its model is. Give the model that it was built "
            "with (--model; in Python, encoder)."
        )
    try:
        return SentenceEncoder.load(model)
    except UserError as error:
        raise UserError(
            f"{folder.location}: its model cannot be used: {error} If it is elsewhere now, say "
            "where (--model; in Python, encoder)."
        ) from None


def check_encoder(location: str, manifest: Manifest, encoder: SentenceEncoder) -> None:
    """Refuse another model than the index was built with."""
    if manifest.fingerprint != encoder.fingerprint:
        was = f" ({manifest.model})" if manifest.model else ""
        raise UserError(
            f"{location}: was built with another model{was}: {manifest.fingerprint[:12]}, not "
            f"{encoder.fingerprint[:12]}. Give that model, or build the index again."
        )
