"""Training's arithmetic on a CPU: what the encoder's Keras layers compute, without padding.

The rows of a batch are put in the order of falling length, so that those that still have a
character at some step of the LSTM are the first ones, and a step computes these only (as PyTorch's
packed sequences do). Everything that a sequence has is kept in *packed* order: step by step, at
each step first the rows of the forward direction and then those of the backward direction, which
reads every text from its own end. Three things save the rest of the time:

- a character's product with the first layer's input kernel is taken once a batch, and gathered;
- both directions take one step together, as a batch of two matrix products, or, compiled, at once;
- the gradient through time is written out, so that a step keeps what it needs and nothing else, and
  the recurrent kernel's gradient is one matrix product at the end.

The layers hold the weights, and a GPU runs them as they are (cuDNN). Without gradients, see
`bilstm_cpu.py`.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from siamese.config.encoder_sections import Pooling
from siamese.config.recipe import Encoder
from siamese.encoder.keras_tf import keras, tf
from siamese.encoder.lstm_gradient import recurrence
from siamese.encoder.weights import heads_of

Embed = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


class _Packing(NamedTuple):
    """Says where a batch's characters are in packed order; N characters in B rows, T steps.

    Attributes:
        counts: rows that have a character at each step, int32 `[T]`.
        starts: where each step begins in packed order, int32 `[T]`.
        direction: 0 forward, 1 backward, int32 `[2 N]`.
        row: int32 `[2 N]`.
        position: of the character in its text, from 0, int32 `[2 N]`.
        lengths: of the rows, int32 `[B]`.
    """

    counts: tf.Tensor
    starts: tf.Tensor
    direction: tf.Tensor
    row: tf.Tensor
    position: tf.Tensor
    lengths: tf.Tensor

    def joined(self, hidden: tf.Tensor) -> tf.Tensor:
        """Put both directions' outputs of each character together: to `[N, 2 units]`.

        Args:
            hidden: float32 `[2 N, units]`.
        """
        row, position = self.characters
        back = tf.gather(self.lengths, row) - 1 - position
        forward_at = tf.gather(self.starts, position) + row
        backward_at = tf.gather(self.starts, back) + tf.gather(self.counts, back) + row
        both = tf.gather(hidden, tf.stack([forward_at, backward_at], axis=1))
        return tf.reshape(both, [-1, 2 * hidden.shape[1]])

    def segments(self, reduce: Callable[..., tf.Tensor], hidden: tf.Tensor) -> tf.Tensor:
        """Reduce over time: `[2 N, units]` to `[B, 2 units]`.

        Args:
            reduce: such as `tf.math.unsorted_segment_sum`.
            hidden: float32 `[2 N, units]`.
        """
        rows = tf.size(self.lengths)
        reduced = reduce(hidden, 2 * self.row + self.direction, 2 * rows)
        return tf.reshape(reduced, [rows, 2 * hidden.shape[1]])

    @property
    def characters(self) -> tuple[tf.Tensor, tf.Tensor]:
        """The row and the position of each character, in the order of the forward direction."""
        forward = self.direction == 0
        return self.row[forward], self.position[forward]


def _pack(lengths: tf.Tensor) -> _Packing:
    """Pack rows of these lengths, falling, int32 `[B]`."""
    active = tf.range(tf.maximum(tf.reduce_max(lengths), 1))[:, None] < lengths
    counts = tf.reduce_sum(tf.cast(active, tf.int32), axis=1)
    both = tf.tile(active[:, None], [1, 2, 1])
    step, direction, row = tf.unstack(tf.where(both, name="packed"), axis=1)
    step, direction, row = (tf.cast(index, tf.int32) for index in (step, direction, row))
    position = tf.where(direction == 0, step, tf.gather(lengths, row) - 1 - step)
    return _Packing(
        counts, 2 * tf.cumsum(counts, exclusive=True), direction, row, position, lengths
    )


def build_embed(model: keras.Model, recipe: Encoder) -> Embed:
    """Build what computes a model's embeddings: on a GPU its layers, elsewhere `build_packed`.

    Arguments and the function are those of `build_packed`.
    """
    if not tf.config.list_physical_devices("GPU"):
        return build_packed(model, recipe)

    return lambda ids, noise: model([ids, noise], training=True)


def build_packed(model: keras.Model, recipe: Encoder) -> Embed:
    """Build a function that computes what the encoder with dropout does.

    Args:
        model: of `build_encoder`, the one with dropout; its weights are used as they are when the
            function is called.
        recipe: what the model was built from.

    Returns:
        A function of ids, int32 `[batch, time]`, padded at the end, and of the noise that dropout
        is drawn from, uint32 `[batch]`; to float32 `[batch, dim]`.
    """
    characters = model.get_layer("characters")
    pooling = _POOLINGS[recipe.pooling]
    layers = [model.get_layer(f"bilstm{n + 1}") for n in range(len(recipe.lstm_units))]

    def embed(ids: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        lengths = tf.reduce_sum(tf.cast(ids != 0, tf.int32), axis=1)
        order = tf.argsort(lengths, direction="DESCENDING", stable=True)
        ids, noise = tf.gather(ids, order), tf.gather(noise, order)
        at = _pack(tf.gather(lengths, order))
        packed_ids = tf.gather_nd(ids, tf.stack([at.row, at.position], axis=1))
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
            read += at.direction * tf.shape(inputs)[0]
            hidden = recurrence(table, read, recurrent, at.counts)
            is_last = number == len(layers)
            if is_last and pooling.before_dropout:
                hidden = pooling.pool(hidden, at, model)
            if recipe.dropout:
                dropout: Any = model.get_layer(f"dropout{number}")
                if is_last and pooling.before_dropout:
                    hidden = dropout(hidden, noise=noise)
                else:
                    hidden = dropout.packed(hidden, noise, at.row, at.position, at.direction)
            if not is_last:
                inputs = at.joined(hidden)
                read = tf.gather(at.starts, at.position) // 2 + at.row
        if not pooling.before_dropout:
            hidden = pooling.pool(hidden, at, model)
        return tf.gather(hidden, tf.argsort(order))

    return embed


def _last(hidden: tf.Tensor, at: _Packing, model: keras.Model) -> tf.Tensor:
    """Take the final states of both directions; zeros for a row without characters."""
    rows = tf.range(tf.size(at.lengths))
    end = tf.maximum(at.lengths - 1, 0)
    start = tf.gather(at.starts, end)
    ends = tf.stack([start + rows, start + tf.gather(at.counts, end) + rows], axis=1)
    # Behind all outputs stand the zeros.
    ends = tf.where(at.lengths[:, None] > 0, ends, tf.size(at.row))
    states = tf.gather(tf.pad(hidden, [[0, 1], [0, 0]]), ends)
    return tf.reshape(states, [-1, 2 * hidden.shape[1]])


def _mean(hidden: tf.Tensor, at: _Packing, model: keras.Model) -> tf.Tensor:
    """Average over time, as `MaskedPooling`."""
    sums = at.segments(tf.math.unsorted_segment_sum, hidden)
    return sums / tf.cast(tf.maximum(at.lengths, 1), tf.float32)[:, None]


def _max(hidden: tf.Tensor, at: _Packing, model: keras.Model) -> tf.Tensor:
    """Take the largest over time, as `MaskedPooling`."""
    largest = at.segments(tf.math.unsorted_segment_max, hidden)
    return tf.where(at.lengths[:, None] > 0, largest, 0.0)


def _attention(hidden: tf.Tensor, at: _Packing, model: keras.Model) -> tf.Tensor:
    """Average over time with learned weights, as `AttentionPooling`."""
    layer: Any = model.get_layer("attention_pooling")
    kernel = tf.convert_to_tensor(layer.kernel)
    rows = tf.size(at.lengths)
    row, _ = at.characters
    outputs = at.joined(hidden)
    scores = tf.matmul(outputs, kernel)
    highest = tf.stop_gradient(tf.math.unsorted_segment_max(scores, row, rows))
    parts = tf.exp(scores - tf.gather(highest, row))
    weights = parts / tf.gather(tf.math.unsorted_segment_sum(parts, row, rows), row)
    # A product with zeros and ones: many times faster than to gather columns.
    heads = tf.one_hot(heads_of(outputs.shape[1], kernel.shape[1]), kernel.shape[1], axis=0)
    of_units = tf.matmul(weights, heads)
    return tf.math.unsorted_segment_sum(outputs * of_units, row, rows)


class _Pooling(NamedTuple):
    """How outputs become an embedding.

    Attributes:
        pool: outputs `[2 N, units]`, where they are, and the model; to `[B, 2 units]`.
        before_dropout: Keras's last LSTM pools itself, so that its dropout comes after.
    """

    pool: Callable[[tf.Tensor, _Packing, keras.Model], tf.Tensor]
    before_dropout: bool = False


_POOLINGS: Mapping[Pooling, _Pooling] = {
    "last": _Pooling(_last, before_dropout=True),
    "mean": _Pooling(_mean),
    "max": _Pooling(_max),
    "attention": _Pooling(_attention),
}
