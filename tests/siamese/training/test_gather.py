"""What replicas gather is in the order of their numbers, also when these have two digits."""

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from gathering import REPLICAS
from paths import ROOT, TESTS

from siamese.config.loading import load_recipe
from siamese.encoder.keras_tf import tf
from siamese.testing.tiny import make_share
from siamese.testing.training import inputs_of
from siamese.training.gather import gather_together
from siamese.training.loss import build_loss


@pytest.fixture(scope="module")
def gathered(tmp_path_factory) -> dict[str, np.ndarray]:
    """In a process of its own: how many devices TensorFlow has is set before it begins."""
    file = tmp_path_factory.mktemp("gathered") / "found.npz"
    path = f"{ROOT}:{TESTS / 'helpers'}"
    command = [sys.executable, str(TESTS / "helpers" / "gathering.py"), str(file)]
    subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, check=True, timeout=120)
    return dict(np.load(file, allow_pickle=False))


NUMBERS = np.arange(REPLICAS)
EXPECTED = {
    "shares": np.stack([np.repeat(NUMBERS, 2), np.tile([0, 1], REPLICAS)], axis=1),
    "any": np.repeat(NUMBERS, NUMBERS + 1),
    "bools": NUMBERS % 2 == 1,
}


@pytest.mark.parametrize("name", EXPECTED)
def test_every_replica_has_the_values_of_all_in_order(gathered, name: str) -> None:
    for number in range(REPLICAS):
        np.testing.assert_array_equal(gathered[f"{name} {number}"], EXPECTED[name])


def test_a_replica_gets_the_gradient_of_all_for_its_values(gathered) -> None:
    for number in range(REPLICAS):
        own = np.array([[number, 0], [number, 1]])
        np.testing.assert_array_equal(gathered[f"gradient {number}"], REPLICAS * 2 * own)


def test_tensorflows_all_gather_is_not_used() -> None:
    """Of more than ten workers it has another order; it would take a dozen processes to show."""
    for wing in ("siamese", "distributed"):
        for path in (ROOT / wing).rglob("*.py"):
            assert ".all_gather(" not in path.read_text(encoding="utf-8"), path


def test_arrays_that_are_gathered_together_come_back_in_their_shapes() -> None:
    numbers, names = np.arange(6).reshape(2, 3), np.array([7, 8])
    both = gather_together(lambda mine: tf.concat([mine, 10 * mine], axis=0), numbers, names)
    np.testing.assert_array_equal(both[0], np.concatenate([numbers, 10 * numbers]))
    np.testing.assert_array_equal(both[1], [7, 8, 70, 80])


def test_contrastive_loss_and_cosent_share_their_messages() -> None:
    """One of what is known before the encoder has run, one of what comes from it."""
    messages = []

    def gather(mine: tf.Tensor) -> tf.Tensor:
        messages.append(mine.dtype)
        return tf.concat([mine, mine], axis=0)

    share = make_share([0, 1, 2])
    embeddings = tf.random.stateless_normal([len(share.batch.positions), 4], [1, 2])
    inputs = replace(inputs_of(embeddings, share), replicas=2, gather=gather)
    build_loss(load_recipe("default").loss)(inputs)
    assert messages == [tf.int64, tf.float32]
