"""Train any Keras 3 model, with a step of your own, on Ray.

    from distributed.keras import KerasTrainer

    def train(context):  # runs in every worker
        with context.strategy.scope():
            model, optimizer = build()
        state = context.restore(model=model, optimizer=optimizer)
        for step in context.steps(state.step, 1000):
            loss = train_step(*context.share(*batch(step)))
            if (step + 1) % 100 == 0:
                context.report({"loss": loss})
                context.checkpoint(step + 1)

    result = KerasTrainer(train, "run", workers=2).fit()

What a worker that is lost takes with it is taken again from the newest checkpoint, exactly.
docs/keras.md says what each part does. To import this loads neither Ray nor TensorFlow.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from distributed.keras.context import Context, State
    from distributed.keras.result import Result
    from distributed.keras.trainer import KerasTrainer
    from siamese.encoder.row_dropout import RowDropout

__all__ = ["Context", "KerasTrainer", "Result", "RowDropout", "State"]

_PLACES = {
    "Context": "distributed.keras.context",
    "KerasTrainer": "distributed.keras.trainer",
    "Result": "distributed.keras.result",
    "RowDropout": "siamese.encoder.row_dropout",
    "State": "distributed.keras.context",
}


def __getattr__(name: str) -> Any:
    """Import what is heavy only when it is asked for."""
    if name in _PLACES:
        from importlib import import_module

        return getattr(import_module(_PLACES[name]), name)
    raise AttributeError(f"module 'distributed.keras' has no attribute {name!r}")
