"""Dropout that neither workers nor micro-batches nor a stop in between change."""

import numpy as np

from siamese.encoder.keras_tf import keras, tf

# Spreads positions over all 32 bits before they are mixed in.
_TIME = 0x85EBCA6B


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
