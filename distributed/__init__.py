"""The encoder of `siamese`, carried on Ray: `distributed.train` is `siamese.train` with workers.

    import distributed
    encoder = distributed.train("groups.json", "dev.tsv", workers=2)

`distributed.keras.KerasTrainer` carries any other Keras model in the same way.

Its rooms, from the top; each imports only from those below it, and from `siamese`:

    cli        the commands: no work of their own
    jobs       submit a command to a cluster, and follow it
    serving    Ray Serve
    teaching   teachers on Ray Data
    encoding   bulk encoding on Ray Data
    audit      score the folds of an audit, a process each
    sweep      search settings with Ray Tune
    training   train the encoder with Ray Train
    keras      train any Keras model with Ray Train
    sharding   files -> shards with Ray Data
    cluster    connect, preflight, what nodes have, GPU memory; all that is not Ray's public API
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from distributed.training.train_encoder import train

__all__ = ["train"]


def __getattr__(name: str) -> Any:
    """Import what is heavy only when it is asked for."""
    if name == "train":
        from distributed.training.train_encoder import train

        return train
    raise AttributeError(f"module 'distributed' has no attribute {name!r}")
