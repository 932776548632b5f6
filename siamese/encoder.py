"""The character BiLSTM: one text in, one vector out."""

from typing import Any

import numpy as np

from siamese.backend import keras, tf
from siamese.recipe import Encoder


@keras.saving.register_keras_serializable(package="siamese")
class MaskedPooling(keras.layers.Layer):
    """Pools a sequence over time, padding left out.

    A row that is all padding pools to zeros.

    Args:
        method: `mean` or `max`.

    Call arguments:
        inputs: float `[batch, time, dim]`.
        mask: bool `[batch, time]`, true where there is a character.

    Returns:
        float `[batch, dim]`.
    """

    def __init__(self, method: str, **kwargs: object) -> None:
        super().__init__(**kwargs)
        if method not in ("mean", "max"):
            raise ValueError(f"method must be mean or max, found {method!r}")
        self.method = method
        self.supports_masking = True

    def call(self, inputs: tf.Tensor, mask: Any = None) -> tf.Tensor:
        """Pool `inputs` over the positions where `mask` is true."""
        weights = keras.ops.cast(mask, inputs.dtype)[:, :, None]
        count = keras.ops.sum(weights, axis=1)
        if self.method == "mean":
            return keras.ops.sum(inputs * weights, axis=1) / keras.ops.maximum(count, 1)
        lowest = keras.ops.max(keras.ops.where(mask[:, :, None], inputs, -1e9), axis=1)
        return keras.ops.where(count > 0, lowest, 0)

    def compute_mask(self, inputs: tf.Tensor, mask: tf.Tensor | None = None) -> None:
        """The result has no time axis, and so no mask."""

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """`[batch, dim]`."""
        return (input_shape[0], input_shape[2])

    def get_config(self) -> dict:
        """What the layer is rebuilt from."""
        return {**super().get_config(), "method": self.method}


def build_encoder(recipe: Encoder, embeddings: np.ndarray) -> keras.Model:
    """Build the encoder: embedding, bidirectional LSTM layers with dropout, pooling.

    As in the notebook, padding is masked, dropout follows each LSTM layer, and with
    `pooling: last` the embedding is the two directions' final states.

    Args:
        recipe: the recipe's section.
        embeddings: initial character embeddings, float32 `[vocabulary, embedding_dim]`.

    Returns:
        A model from int32 ids `[batch, time]` to float32 embeddings
        `[batch, 2 * lstm_units[-1]]`, not normalised. The time axis is free.
    """
    ids = keras.Input(shape=(None,), dtype="int32", name="ids")
    size, dim = embeddings.shape
    hidden = keras.layers.Embedding(
        size,
        dim,
        mask_zero=True,
        trainable=recipe.train_embeddings,
        embeddings_initializer=keras.initializers.Constant(0.0),
        name="characters",
    )(ids)
    last = len(recipe.lstm_units) - 1
    for number, units in enumerate(recipe.lstm_units):
        sequences = number < last or recipe.pooling != "last"
        lstm = keras.layers.LSTM(units, return_sequences=sequences, name=f"lstm{number + 1}")
        hidden = keras.layers.Bidirectional(lstm, name=f"bilstm{number + 1}")(hidden)
        hidden = keras.layers.Dropout(recipe.dropout, name=f"dropout{number + 1}")(hidden)
    if recipe.pooling != "last":
        hidden = MaskedPooling(recipe.pooling, name=f"{recipe.pooling}_pooling")(hidden)
    model = keras.Model(ids, hidden, name="encoder")
    model.get_layer("characters").set_weights([embeddings])
    return model
