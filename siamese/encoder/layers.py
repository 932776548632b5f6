"""The Keras layers of the encoder: pooling (this family's only place for it) and dropout."""

from typing import Any

import numpy as np

from siamese.config.recipe import Encoder
from siamese.encoder.keras_tf import keras, tf
from siamese.encoder.weights import heads_of

# Spreads positions over all 32 bits before they are mixed in.
_TIME = 0x85EBCA6B


def build_pooling(recipe: Encoder) -> keras.layers.Layer | None:
    """Build the pooling layer that a recipe names, or None: the last LSTM returns its final states.

    Args:
        recipe: the recipe's section.
    """
    name = f"{recipe.pooling}_pooling"
    layers = {
        "last": lambda: None,
        "mean": lambda: MaskedPooling("mean", name=name),
        "max": lambda: MaskedPooling("max", name=name),
        "attention": lambda: AttentionPooling(recipe.attention_heads, name=name),
    }
    return layers[recipe.pooling]()


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
        """Return None: the result has no time axis, and so no mask."""

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Return `[batch, dim]`."""
        return (input_shape[0], input_shape[2])

    def get_config(self) -> dict:
        """Return what the layer is rebuilt from."""
        return {**super().get_config(), "method": self.method}


@keras.saving.register_keras_serializable(package="siamese")
class AttentionPooling(keras.layers.Layer):
    """Averages a sequence over time with learned weights, padding left out.

    Each head has one part of the outputs, and weights for it that are the softmax over time
    of a linear function of all outputs (Lin et al., 2017, with one layer and without the penalty).
    It begins as the plain mean. A row that is all padding pools to zeros.

    Args:
        heads: the number of parts, as equal as can be.

    Call arguments:
        inputs: float `[batch, time, dim]`.
        mask: bool `[batch, time]`, true where there is a character.

    Returns:
        float `[batch, dim]`.
    """

    def __init__(self, heads: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.heads = heads
        self.supports_masking = True

    def build(self, input_shape: tuple) -> None:
        """Make the kernel, `[dim, heads]`."""
        self.kernel = self.add_weight(
            name="kernel", shape=(input_shape[-1], self.heads), initializer="zeros"
        )

    def call(self, inputs: tf.Tensor, mask: Any = None) -> tf.Tensor:
        """Pool `inputs` over the positions where `mask` is true."""
        scores = keras.ops.where(mask[:, :, None], keras.ops.matmul(inputs, self.kernel), -1e9)
        weights = keras.ops.softmax(scores, axis=1) * keras.ops.cast(mask, scores.dtype)[:, :, None]
        of_units = keras.ops.take(weights, heads_of(inputs.shape[-1], self.heads), axis=2)
        return keras.ops.sum(inputs * of_units, axis=1)

    def compute_mask(self, inputs: tf.Tensor, mask: tf.Tensor | None = None) -> None:
        """Return None: the result has no time axis, and so no mask."""

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Return `[batch, dim]`."""
        return (input_shape[0], input_shape[2])

    def get_config(self) -> dict:
        """Return what the layer is rebuilt from."""
        return {**super().get_config(), "heads": self.heads}


class RowDropout(keras.layers.Layer):
    """Drops outputs by a mask that is a pure function of the row's noise, position and unit.

    So the mask of a row does not depend on which worker or micro-batch holds it, is the same when
    the row is run again, and needs no state in a checkpoint. (A hash of integers takes the place
    of a random generator: two rounds of multiply and xor-shift, after Wellons' lowbias32.)

    Args:
        rate: the share that is dropped; the rest is scaled by `1 / (1 - rate)`.
        salt: differs between the layers of an encoder.

    Call arguments:
        inputs: float `[batch, time, dim]` or `[batch, dim]`.
        noise: uint32 `[batch]`.
    """

    def __init__(self, rate: float, salt: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.rate = rate
        self.salt = salt
        self.supports_masking = True

    def call(self, inputs: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        """Drop some of the inputs."""
        drawn = self._drawn(noise)
        if len(inputs.shape) == 3:
            drawn = _at_position(drawn[:, None], tf.range(tf.shape(inputs)[1]))
        return self._dropped(inputs, drawn, *self._units(inputs.shape[-1]))

    def packed(
        self,
        inputs: tf.Tensor,
        noise: tf.Tensor,
        row: tf.Tensor,
        position: tf.Tensor,
        direction: tf.Tensor,
    ) -> tf.Tensor:
        """Drop from outputs in packed order (`bilstm_tf.py`) what `call` drops.

        Args:
            inputs: float `[outputs, units]`; of the two directions' `[batch, time, 2 units]`.
            noise: uint32 `[batch]`.
            row: of each output, int32 `[outputs]`.
            position: in time, int32 `[outputs]`.
            direction: 0 or 1, int32 `[outputs]`.
        """
        drawn = _at_position(tf.gather(self._drawn(noise), row), position)
        of_units = self._units(2 * inputs.shape[-1])
        odd, shift = (tf.gather(tf.reshape(each, [2, -1]), direction) for each in of_units)
        return self._dropped(inputs, drawn, odd, shift)

    def _drawn(self, noise: tf.Tensor) -> tf.Tensor:
        """Draw a number for each row, uint32 `[batch]`."""
        salt = tf.constant(self.salt * 0x9E3779B1 % 2**32, tf.uint32)
        return _mixed(tf.bitwise.bitwise_xor(noise, salt))

    def _units(self, count: int) -> list[tf.Tensor]:
        """Return an odd factor and a summand for each unit, uint32 `[count]` each."""
        units = np.random.default_rng(self.salt).integers(2**32, size=(2, count))
        units[0] |= 1
        return tf.unstack(tf.constant(units, tf.uint32))

    def _dropped(
        self, inputs: tf.Tensor, drawn: tf.Tensor, odd: tf.Tensor, shift: tf.Tensor
    ) -> tf.Tensor:
        """Drop from inputs with units by what was drawn for them without units."""
        drawn = _xor(drawn[..., None] * odd + shift, 15) * tf.constant(0x846CA68B, tf.uint32)
        kept = drawn >= tf.constant(int(self.rate * 2**32), tf.uint32)
        return tf.where(kept, inputs / (1 - self.rate), tf.zeros_like(inputs))


def _at_position(drawn: tf.Tensor, position: tf.Tensor) -> tf.Tensor:
    """Draw a number for each position from that of its row, uint32."""
    time = tf.cast(position, tf.uint32) * tf.constant(_TIME, tf.uint32)
    return _mixed(tf.bitwise.bitwise_xor(drawn, time))


def _mixed(values: tf.Tensor) -> tf.Tensor:
    """Hash each uint32."""
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        values = _xor(values, shift) * tf.constant(factor, tf.uint32)
    return _xor(values, 16)


def _xor(values: tf.Tensor, shift: int) -> tf.Tensor:
    """Mix the values' upper bits into the lower ones."""
    return tf.bitwise.bitwise_xor(
        values, tf.bitwise.right_shift(values, tf.constant(shift, tf.uint32))
    )
