"""Train a small network on scikit-learn's digits: python docs/examples/digits.py --workers 2."""

import argparse

import numpy as np
from sklearn.datasets import load_digits

from distributed.keras import KerasTrainer, RowDropout

SEED, BATCH, EVERY, TESTED = 1, 256, 50, 297


def train(context, steps):
    """Train in each worker; only they import TensorFlow, which takes seconds."""
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(SEED)
    tf.config.experimental.enable_op_determinism()
    images, labels = load_digits(return_X_y=True)  # 1,797 of 8 x 8 pixels, 0 to 16
    with context.strategy.scope():
        pixels, noise = keras.Input([64]), keras.Input([], dtype="uint32")
        hidden = keras.layers.Dense(64, "relu")(keras.layers.Rescaling(1 / 16)(pixels))
        to_digits = keras.layers.Dense(10)
        model = keras.Model(pixels, to_digits(hidden))
        noisy = keras.Model([pixels, noise], to_digits(RowDropout(0.2, salt=1)(hidden, noise)))
        optimizer = keras.optimizers.Adam(0.003)
        optimizer.build(model.trainable_variables)

    def step_of_worker(images, labels, noise):
        with tf.GradientTape() as tape:
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, noisy([images, noise]))
            loss = tf.reduce_sum(losses) / BATCH  # optimizer.apply adds up the workers' gradients
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        return loss

    @tf.function
    def train_step(*share):
        return context.strategy.reduce("SUM", context.strategy.run(step_of_worker, share), None)

    state = context.restore(model=model, optimizer=optimizer)
    for step in context.steps(state.step, steps):
        drawn = np.random.default_rng([SEED, step])  # the same in every worker, and when resumed
        rows = drawn.choice(len(images) - TESTED, BATCH, replace=False)
        noise = drawn.integers(2**32, size=BATCH, dtype=np.uint32)
        loss = train_step(*map(tf.constant, context.share(images[rows], labels[rows], noise)))
        if (step + 1) % EVERY == 0 or step + 1 == steps:
            right = np.argmax(model(images[-TESTED:]), 1) == labels[-TESTED:]
            context.report({"step": step + 1, "loss": loss, "accuracy": right.mean()})
            context.checkpoint(step + 1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", default="digits-run")
    parser.add_argument("--workers", default="1")
    parser.add_argument("--existing", default="refuse")
    parser.add_argument("--steps", type=int, default=300)
    given = vars(parser.parse_args())
    print(KerasTrainer(train, config={"steps": given.pop("steps")}, **given).fit().report)
