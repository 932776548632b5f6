"""Adam, its learning rate over a run, and gradient clipping that workers agree on."""

from typing import Any

from siamese.config.recipe import Optimizer
from siamese.encoder.keras_tf import keras, tf


def build_optimizer(recipe: Optimizer, total_steps: int) -> keras.optimizers.Optimizer:
    """Build Adam with a linear warm-up and a constant or cosine-decaying learning rate.

    Args:
        recipe: the recipe's section, as it holds for the batch (`Optimizer.at_batch`).
        total_steps: steps of the whole run.
    """
    warm = recipe.warmup_steps or int(recipe.warmup_share * total_steps)
    rate = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warm else recipe.learning_rate,
        warmup_target=recipe.learning_rate if warm else None,
        warmup_steps=warm,
        decay_steps=max(total_steps - warm, 1),
        alpha=1.0 if recipe.decay == "constant" else 0.0,
    )
    return _ClippingAdam(recipe.clip_norm, rate, recipe.beta_2)


class _ClippingAdam(keras.optimizers.Adam):
    """Scales the gradient of the whole batch down before Adam's step, if it is too long.

    Keras would clip each worker's part of it before the parts are added up, and so train otherwise
    with another number of workers (Pascanu et al., 2013, for the clipping).

    Args:
        clip_norm: the length, or None.
        rate: the learning rate.
        beta_2: as in the recipe.
    """

    def __init__(self, clip_norm: float | None, rate: Any, beta_2: float) -> None:
        super().__init__(rate, beta_2=beta_2, name="adam")
        self._clip_norm = clip_norm

    def _all_reduce_sum_gradients(self, grads_and_vars: list[tuple]) -> list[tuple]:
        summed = super()._all_reduce_sum_gradients(grads_and_vars)
        if self._clip_norm is None:
            return summed
        gradients, variables = zip(*summed, strict=True)
        clipped, _ = tf.clip_by_global_norm(gradients, self._clip_norm)
        return list(zip(clipped, variables, strict=True))
