"""Siamese sentence encoders: a character BiLSTM trained on groups of paraphrases.

This package imports no Ray. Two names are what most users need:

    from siamese import SentenceEncoder, train
    encoder = train("groups.json", "dev.tsv")
    encoder = SentenceEncoder.load("run/best")

Its rooms, from the top; each imports only from those below it:

    testing        what parts of a user's own must satisfy
    audit          labels that are doubtful, by encoders that never saw them
    train_encoder  train(...) in one call from Python
    report         a run's figures as a page and pictures
    export         the model in other people's formats
    serving        answers over HTTP: requests checked, batched, answered; the page
    search         an index of texts; duplicates, near pairs, groups
    mining         hard negatives, found with a model
    training       the loop, the step, losses, optimizer, checkpoints, trackers, where a run happens
    teaching       teachers, and folders of what they say of texts
    encoding       vectors of many texts: folders, a part at a time
    evaluation     labelled pairs and retrieval; thresholds
    encoder        ids -> vectors: layers, kernels, weights, SentenceEncoder, model folder
    data           files -> groups -> shards -> batches
    text           characters -> ids, character vectors
    config         recipes and search spaces: every setting, validated
    storage        folders that are local or at a URI, runs, checkpoints; whole or not at all
    progress       a bar on a terminal and in a notebook, lines in a log
    standard_error  what libraries write there themselves, held back
    errors         the errors that are shown without a traceback
"""

from typing import TYPE_CHECKING, Any

from siamese.errors import RunError, UserError

if TYPE_CHECKING:
    from siamese.encoder.sentence_encoder import SentenceEncoder
    from siamese.search.entry import Entry
    from siamese.search.index import Index
    from siamese.train_encoder import train

__all__ = ["Entry", "Index", "RunError", "SentenceEncoder", "UserError", "train"]


def __getattr__(name: str) -> Any:
    """Import what is heavy only when it is asked for."""
    if name == "SentenceEncoder":
        from siamese.encoder.sentence_encoder import SentenceEncoder

        return SentenceEncoder
    if name == "Index":
        from siamese.search.index import Index

        return Index
    if name == "Entry":
        from siamese.search.entry import Entry

        return Entry
    if name == "train":
        from siamese.train_encoder import train

        return train
    raise AttributeError(f"module 'siamese' has no attribute {name!r}")
