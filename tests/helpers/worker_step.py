"""One worker of several: takes one step and writes its loss and its gradients (test_workers.py)."""

import json
import os
import sys

import numpy as np
from tiny_batch import DATA, LOSS, SAMPLING, VOCABULARY, build

import siamese.training.step
from siamese.config.recipe import Optimizer, Text
from siamese.data.batching import make_batch
from siamese.data.rows import Position
from siamese.data.sampling import sample_rows
from siamese.encoder.keras_tf import tf
from siamese.training.optimizer import build_optimizer
from siamese.training.step import build_cached_step, build_plain_step

MICRO_BATCH_GROUPS = 5  # divides no worker's share


siamese.training.step.COMPARED_AT_ONCE = 2000  # some ten groups


def take_step(strategy, rank: int, world_size: int, kind: str) -> tuple[float, list]:
    """This worker's part of the loss, and the gradients that all workers applied.

    With the kind `clipped`, a hundred times Adam's first mean of them. With `unlabelled`, no
    labelled negative is drawn.
    """
    hard_negatives = 0 if kind == "unlabelled" else LOSS.hard_negatives
    micro = MICRO_BATCH_GROUPS if kind == "cached" else None
    with strategy.scope():
        adam = build_optimizer(Optimizer(clip_norm=0.5), 1) if kind == "clipped" else None
        arguments = build(strategy, adam)
    variables = arguments[2]
    before = [variable.numpy() for variable in variables]
    rows = sample_rows(DATA, SAMPLING, hard_negatives, Position(3, 0, 0, rank, world_size))
    batch = make_batch(rows, VOCABULARY, Text(), hard_negatives, micro)
    step = (build_cached_step if kind == "cached" else build_plain_step)(*arguments)
    loss = float(step(batch))
    if adam:
        return loss, [100 * v.numpy() for v in adam.variables if "momentum" in v.path]
    after = [variable.numpy() for variable in variables]
    return loss, [b - a for b, a in zip(before, after, strict=True)]


def main(output: str) -> None:
    """Take a step of each kind; `TF_CONFIG` tells of the other workers."""
    config = json.loads(os.environ["TF_CONFIG"])
    world_size, rank = len(config["cluster"]["worker"]), config["task"]["index"]
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    if world_size == 1:
        strategy = tf.distribute.get_strategy()
    else:
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    arrays = {}
    for kind in ("plain", "cached", "clipped", "unlabelled"):
        loss, gradients = take_step(strategy, rank, world_size, kind)
        arrays[f"{kind} loss"] = np.array(loss)
        arrays |= {f"{kind} {i}": gradient for i, gradient in enumerate(gradients)}
    np.savez(output, **arrays)


if __name__ == "__main__":
    main(sys.argv[1])
