"""The Keras layers of the encoder's pooling: this family's only place for it."""

from typing import Any

from siamese.config.recipe import Encoder
from siamese.encoder.keras_tf import keras, tf
from siamese.encoder.weights import heads_of


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
