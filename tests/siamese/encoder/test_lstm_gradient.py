"""The recurrence and its gradient against an LSTM written out; compiled and by TensorFlow."""

import numpy as np
import pytest

from siamese.encoder import lstm_gradient
from siamese.encoder.keras_tf import tf
from siamese.encoder.lstm_kernel import kernels

MANY = [70, 51, 50, 9, 4, 3, 1, 1]


def uses(monkeypatch, *found) -> None:
    monkeypatch.setattr(lstm_gradient, "kernels", lambda: found)


def arrays_for(units: int, counts: list[int], seed: int = 1) -> tuple[tf.Tensor, ...]:
    """Arguments of `recurrence`, and a gradient of its outputs."""
    rng = np.random.default_rng(seed)
    characters = 2 * sum(counts)
    table, recurrent, of_outputs = (
        tf.constant(rng.normal(size=shape), tf.float32)
        for shape in ((5, 4 * units), (2, units, 4 * units), (characters, units))
    )
    read = tf.constant(rng.integers(5, size=characters), tf.int32)
    return table, read, recurrent / units**0.5, tf.constant(counts, tf.int32), of_outputs


def computed(table, read, recurrent, counts, of_outputs) -> list[np.ndarray]:
    """The outputs, and the gradients of the table and the recurrent kernel."""

    @tf.function(autograph=False)
    def run() -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch([table, recurrent])
            outputs = lstm_gradient.recurrence(table, read, recurrent, counts)
        return [outputs, *tape.gradient(outputs, [table, recurrent], of_outputs)]

    return [found.numpy() for found in run()]


def by_hand(table, read, recurrent, counts, of_outputs) -> list[np.ndarray]:
    """What `computed` gives, by TensorFlow's own gradient in float64, text by text."""
    starts = 2 * np.cumsum([0, *counts.numpy()])
    table, recurrent = (tf.cast(values, tf.float64) for values in (table, recurrent))
    found: dict[int, tf.Tensor] = {}
    with tf.GradientTape() as tape:
        tape.watch([table, recurrent])
        for row in range(counts[0]):
            for direction in range(2):
                h = c = tf.zeros([1, recurrent.shape[1]], tf.float64)
                for step, count in enumerate(counts.numpy()):
                    if row < count:
                        at = int(starts[step] + direction * count + row)
                        gates = table[read[at]] + h @ recurrent[direction]
                        i, f, g, o = tf.split(gates, 4, axis=1)
                        c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
                        h = found[at] = tf.sigmoid(o) * tf.tanh(c)
        outputs = tf.concat([found[at] for at in range(len(read))], axis=0)
    gradients = tape.gradient(outputs, [table, recurrent], tf.cast(of_outputs, tf.float64))
    return [outputs.numpy(), *(tf.convert_to_tensor(each).numpy() for each in gradients)]


IMPLEMENTATIONS = [(), *((kernel,) for kernel in kernels())]


@pytest.fixture(params=IMPLEMENTATIONS, ids=lambda found: found[0].name if found else "tensorflow")
def implementation(request, monkeypatch) -> None:
    uses(monkeypatch, *request.param)


@pytest.mark.parametrize("counts", [[1], [3], [1, 1, 1], [9, 6, 6, 2, 1]], ids=str)
def test_outputs_and_gradients_are_those_of_an_lstm_written_out(implementation, counts) -> None:
    arguments = arrays_for(5, counts)
    for found, expected in zip(computed(*arguments), by_hand(*arguments), strict=True):
        np.testing.assert_allclose(found, expected, atol=2e-6)


def test_texts_without_characters_have_no_gradient(implementation) -> None:
    outputs, of_table, of_recurrent = computed(*arrays_for(5, [0]))
    assert outputs.shape == (0, 5) and not of_table.any() and not of_recurrent.any()


@pytest.fixture(params=kernels(), ids=lambda kernel: kernel.name)
def kernel(request, monkeypatch) -> None:
    uses(monkeypatch, request.param)


@pytest.mark.parametrize("counts", [[0], [3], MANY], ids=str)
@pytest.mark.parametrize("units", [1, 16, 70])
def test_compiled_and_tensorflow_agree(kernel, monkeypatch, units, counts) -> None:
    arguments = arrays_for(units, counts)
    compiled = computed(*arguments)
    uses(monkeypatch)
    for found, expected in zip(compiled, computed(*arguments), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=5e-6)


def test_any_number_of_threads_gives_the_same_bits(kernel, monkeypatch) -> None:
    arguments = arrays_for(21, MANY)
    found = []
    for threads in (1, 2, 3, 4, 7, 200):
        monkeypatch.setattr(
            tf.config.threading, "get_intra_op_parallelism_threads", lambda n=threads: n
        )
        found.append(computed(*arguments)[:2])  # the last is a product of TensorFlow's
    for others in found[1:]:
        for one, other in zip(found[0], others, strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_text_has_the_same_bits_whatever_is_beside_it(kernel) -> None:
    table, read, recurrent, counts, of_outputs = arrays_for(21, MANY)
    together = computed(table, read, recurrent, counts, of_outputs)[0]
    starts = 2 * np.cumsum([0, *MANY])
    for row in (0, 2, 3, 49, 69):
        at = [
            int(starts[step] + direction * count + row)
            for step, count in enumerate(MANY)
            if row < count
            for direction in range(2)
        ]
        one = tf.ones(len(at) // 2, tf.int32)
        alone = computed(table, tf.gather(read, at), recurrent, one, tf.gather(of_outputs, at))
        np.testing.assert_array_equal(alone[0], together[at])


def test_nan_is_not_hidden(kernel) -> None:
    table, *others = arrays_for(5, [2, 1])
    assert all(np.isnan(found).any() for found in computed(table + np.nan, *others))


@pytest.mark.skipif(not kernels(), reason="not compiled, or not for this processor")
def test_it_is_compiled_where_it_can_be() -> None:
    table, read, recurrent, counts, _ = arrays_for(5, [2, 1])
    graph = tf.Graph()
    with graph.as_default():
        lstm_gradient.recurrence(
            *(tf.constant(v.numpy()) for v in (table, read, recurrent, counts))
        )
    assert "PyFuncStateless" in {operation.type for operation in graph.get_operations()}


@pytest.mark.skipif(not kernels(), reason="not compiled, or not for this processor")
def test_it_runs_without_a_graph_too() -> None:
    table, read, recurrent, counts, of_outputs = arrays_for(5, [3, 2])
    with tf.GradientTape() as tape:
        tape.watch(table)
        outputs = lstm_gradient.recurrence(table, read, recurrent, counts)
    gradient = tape.gradient(outputs, table, of_outputs)
    expected = computed(table, read, recurrent, counts, of_outputs)
    np.testing.assert_array_equal(outputs, expected[0])
    np.testing.assert_array_equal(gradient, expected[1])
