"""Training's arithmetic on a CPU: what the encoder's Keras layers compute, without padding.

The rows of a batch are put in the order of falling length, so that those that still have a
character at some step of the LSTM are the first ones, and a step computes these only (as PyTorch's
packed sequences do). Everything that a sequence has is kept in *packed* order: step by step, at
each step first the rows of the forward direction and then those of the backward direction, which
reads every text from its own end. Three things save the rest of the time:

- a character's product with the first layer's input kernel is taken once a batch, and gathered;
- both directions take one step together, as a batch of two matrix products;
- the gradient through time is written out, so that a step keeps what it needs and nothing else, and
  the recurrent kernel's gradient is one matrix product at the end.

The layers hold the weights, and a GPU runs them as they are (cuDNN). Without gradients, see
`inference.py`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from siamese.config.recipe import Encoder
from siamese.encoder.keras_tf import keras, tf
from siamese.encoder.lstm_gradient import recurrence
from siamese.encoder.weights import heads_of

Embed = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


class _Packing(NamedTuple):
    """Where a batch's characters are in packed order; N characters in B rows, T steps.

    Attributes:
        counts: rows that have a character at each step, int32 `[T]`.
        starts: where each step begins in packed order, int32 `[T]`.
        direction: 0 forward, 1 backward, int32 `[2 N]`.
        row: int32 `[2 N]`.
        place: of the character in its text, from 0, int32 `[2 N]`.
        lengths: of the rows, int32 `[B]`.
    """

    counts: tf.Tensor
    starts: tf.Tensor
    direction: tf.Tensor
    row: tf.Tensor
    place: tf.Tensor
    lengths: tf.Tensor

    def joined(self, hidden: tf.Tensor) -> tf.Tensor:
        """Both directions' outputs for each character: `[2 N, units]` to `[N, 2 units]`."""
        row, place = self.characters
        back = tf.gather(self.lengths, row) - 1 - place
        forward_at = tf.gather(self.starts, place) + row
        backward_at = tf.gather(self.starts, back) + tf.gather(self.counts, back) + row
        both = tf.gather(hidden, tf.stack([forward_at, backward_at], axis=1))
        return tf.reshape(both, [-1, 2 * hidden.shape[1]])

    @property
    def characters(self) -> tuple[tf.Tensor, tf.Tensor]:
        """The row and the place of each character, in the order the forward direction reads."""
        forward = self.direction == 0
        return self.row[forward], self.place[forward]


def _pack(lengths: tf.Tensor) -> _Packing:
    """Lengths of the rows, falling, int32 `[B]`."""
    active = tf.range(tf.maximum(tf.reduce_max(lengths), 1))[:, None] < lengths
    counts = tf.reduce_sum(tf.cast(active, tf.int32), axis=1)
    both = tf.tile(active[:, None], [1, 2, 1])
    step, direction, row = tf.unstack(tf.where(both, name="packed"), axis=1)
    step, direction, row = (tf.cast(index, tf.int32) for index in (step, direction, row))
    place = tf.where(direction == 0, step, tf.gather(lengths, row) - 1 - step)
    return _Packing(counts, 2 * tf.cumsum(counts, exclusive=True), direction, row, place, lengths)


def build_embed(model: keras.Model, recipe: Encoder) -> Embed:
    """A function that computes what a model does: on a GPU its layers, elsewhere `build_packed`.

    Arguments and the function are those of `build_packed`.
    """
    if not tf.config.list_physical_devices("GPU"):
        return build_packed(model, recipe)

    return lambda ids, noise: model([ids, noise], training=True)


def build_packed(model: keras.Model, recipe: Encoder) -> Embed:
    """A function that computes what the encoder does.

    Args:
        model: of `build_encoder`, the one with dropout; its weights are used as they are when the
            function is called.
        recipe: what the model was built from.

    Returns:
        A function of ids, int32 `[batch, time]`, padded at the end, and of the noise that dropout
        is drawn from, uint32 `[batch]`; to float32 `[batch, dim]`.
    """
    characters = model.get_layer("characters")
    layers = [model.get_layer(f"bilstm{n + 1}") for n in range(len(recipe.lstm_units))]

    def embed(ids: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        lengths = tf.reduce_sum(tf.cast(ids != 0, tf.int32), axis=1)
        order = tf.argsort(lengths, direction="DESCENDING", stable=True)
        ids, noise = tf.gather(ids, order), tf.gather(noise, order)
        at = _pack(tf.gather(lengths, order))
        packed_ids = tf.gather_nd(ids, tf.stack([at.row, at.place], axis=1))
        # What the first layer reads: each character of the batch once, and where it stands.
        distinct, read = tf.unique(packed_ids)
        inputs = tf.gather(tf.convert_to_tensor(characters.embeddings), distinct)
        for number, layer in enumerate(layers, start=1):
            cells = (layer.forward_layer.cell, layer.backward_layer.cell)
            kernel, recurrent, bias = (
                tf.stack([tf.convert_to_tensor(getattr(cell, name)) for cell in cells])
                for name in ("kernel", "recurrent_kernel", "bias")
            )
            table = tf.matmul(inputs[None], kernel) + bias[:, None]
            table = tf.reshape(table, [-1, kernel.shape[2]])
            projected = tf.gather(table, read + at.direction * tf.shape(inputs)[0])
            hidden = recurrence(projected, recurrent, at.counts)
            is_state = number == len(layers) and recipe.pooling == "last"
            if is_state:
                hidden = _last(hidden, at)
            if recipe.dropout:
                dropout: Any = model.get_layer(f"dropout{number}")
                if is_state:
                    hidden = dropout(hidden, noise=noise)
                else:
                    hidden = dropout.packed(hidden, noise, at.row, at.place, at.direction)
            if number < len(layers):
                inputs = at.joined(hidden)
                read = tf.gather(at.starts, at.place) // 2 + at.row
        if recipe.pooling == "attention":
            pooling: Any = model.get_layer("attention_pooling")
            hidden = _attend(hidden, at, tf.convert_to_tensor(pooling.kernel))
        elif recipe.pooling != "last":
            hidden = _pool(hidden, at, recipe.pooling)
        return tf.gather(hidden, tf.argsort(order))

    return embed


def _last(hidden: tf.Tensor, at: _Packing) -> tf.Tensor:
    """The final states of both directions `[B, 2 units]`; zeros for a row without characters."""
    rows = tf.range(tf.size(at.lengths))
    end = tf.maximum(at.lengths - 1, 0)
    start = tf.gather(at.starts, end)
    places = tf.stack([start + rows, start + tf.gather(at.counts, end) + rows], axis=1)
    # Behind all outputs stand the zeros.
    places = tf.where(at.lengths[:, None] > 0, places, tf.size(at.row))
    states = tf.gather(tf.pad(hidden, [[0, 1], [0, 0]]), places)
    return tf.reshape(states, [-1, 2 * hidden.shape[1]])


def _pool(hidden: tf.Tensor, at: _Packing, method: str) -> tf.Tensor:
    """As `MaskedPooling`: `[2 N, units]` to `[B, 2 units]`."""
    rows = tf.size(at.lengths)
    segments = 2 * at.row + at.direction
    width = 2 * hidden.shape[1]
    if method == "max":
        pooled = tf.reshape(tf.math.unsorted_segment_max(hidden, segments, 2 * rows), [rows, width])
        return tf.where(at.lengths[:, None] > 0, pooled, 0.0)
    sums = tf.reshape(tf.math.unsorted_segment_sum(hidden, segments, 2 * rows), [rows, width])
    return sums / tf.cast(tf.maximum(at.lengths, 1), tf.float32)[:, None]


def _attend(hidden: tf.Tensor, at: _Packing, kernel: tf.Tensor) -> tf.Tensor:
    """As `AttentionPooling`: `[2 N, units]` to `[B, 2 units]`."""
    rows = tf.size(at.lengths)
    row, _ = at.characters
    outputs = at.joined(hidden)
    scores = tf.matmul(outputs, kernel)
    highest = tf.stop_gradient(tf.math.unsorted_segment_max(scores, row, rows))
    parts = tf.exp(scores - tf.gather(highest, row))
    weights = parts / tf.gather(tf.math.unsorted_segment_sum(parts, row, rows), row)
    of_units = tf.gather(weights, heads_of(outputs.shape[1], kernel.shape[1]), axis=1)
    return tf.math.unsorted_segment_sum(outputs * of_units, row, rows)
