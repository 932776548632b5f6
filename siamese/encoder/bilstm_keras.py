"""The character BiLSTM as a Keras model: one text in, one vector out."""

import numpy as np

from siamese.config.recipe import Encoder
from siamese.encoder.keras_tf import keras
from siamese.encoder.layers import build_pooling
from siamese.encoder.row_dropout import RowDropout


def build_encoder(recipe: Encoder, embeddings: np.ndarray) -> tuple[keras.Model, keras.Model]:
    """Build the encoder: embedding, bidirectional LSTM layers with dropout, pooling.

    As in the notebook, padding is masked, dropout follows each LSTM layer, and with
    `pooling: last` the embedding is the two directions' final states.

    Args:
        recipe: the recipe's section.
        embeddings: initial character embeddings, float32 `[vocabulary, embedding_dim]`.

    Returns:
        Two models of the same layers. The encoder takes int32 ids `[batch, time]` to float32
        embeddings `[batch, 2 * lstm_units[-1]]`, not normalised; the time axis is free. The one to
        train takes the ids and the noise of each row, uint32 `[batch]`, and has dropout.
    """
    ids = keras.Input(shape=(None,), dtype="int32", name="ids")
    noise = keras.Input(shape=(), dtype="uint32", name="noise")
    size, dim = embeddings.shape
    characters = keras.layers.Embedding(
        size,
        dim,
        mask_zero=True,
        trainable=recipe.train_embeddings,
        embeddings_initializer=keras.initializers.Constant(0.0),
        name="characters",
    )
    pooling = build_pooling(recipe)
    hidden = dropped = characters(ids)
    last = len(recipe.lstm_units)
    for number, units in enumerate(recipe.lstm_units, start=1):
        sequences = number < last or pooling is not None
        lstm = keras.layers.LSTM(units, return_sequences=sequences, name=f"lstm{number}")
        bilstm = keras.layers.Bidirectional(lstm, name=f"bilstm{number}")
        hidden, dropped = bilstm(hidden), bilstm(dropped)
        if recipe.dropout:
            dropout = RowDropout(recipe.dropout, salt=number, name=f"dropout{number}")
            dropped = dropout(dropped, noise=noise)
    if pooling is not None:
        hidden, dropped = pooling(hidden), pooling(dropped)
    encoder = keras.Model(ids, hidden, name="encoder")
    encoder.get_layer("characters").set_weights([embeddings])
    return encoder, keras.Model([ids, noise], dropped, name="encoder_with_dropout")
