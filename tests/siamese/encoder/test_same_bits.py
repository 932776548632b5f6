"""An embedding has the same bits whatever is encoded beside it, and wherever the encoder is."""

import copy
import pickle

import joblib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siamese import SentenceEncoder
from siamese.config.loading import load_recipe
from siamese.encoder import bilstm_cpu, row_products
from siamese.encoder.weights import Layer, Weights
from siamese.text.vocabulary import Vocabulary, count_characters

CHARACTERS = "怎么修改密码如何更登录呢快递到哪了 a😀"
TEXTS = ["怎么修改密码", "", "快递到哪了", "？", "😀 a" * 30]


def make(units=(40, 12), pooling="mean", dim=40) -> SentenceEncoder:
    sizes = [f"encoder.embedding_dim={dim}", f"encoder.lstm_units={list(units)}"]
    recipe = load_recipe("fast", [*sizes, f"encoder.pooling={pooling}", "text.max_length=64"])
    vocabulary = Vocabulary(count_characters([CHARACTERS]))
    rng = np.random.default_rng(2)

    def normal(*shape: int) -> np.ndarray:
        return (rng.normal(size=shape) / shape[-2] ** 0.5).astype(np.float32)

    layers, inputs = [], dim
    for n in units:
        layers.append(Layer(normal(2, inputs, 4 * n), normal(2, n, 4 * n), normal(2, 4 * n)))
        inputs = 2 * n
    attention = normal(inputs, recipe.encoder.attention_heads) if pooling == "attention" else None
    weights = Weights(normal(len(vocabulary), dim) * 4, tuple(layers), attention)
    return SentenceEncoder(weights, vocabulary, recipe, threshold=0.25)


@pytest.fixture(scope="module")
def encoder() -> SentenceEncoder:
    return make()


@pytest.fixture(params=["as found", "numpy", "numpy, each row by itself"])
def as_found(request, monkeypatch) -> None:
    if request.param != "as found":
        monkeypatch.setattr(bilstm_cpu, "kernels", lambda: ())
    if "itself" in request.param:  # as where products of other shapes sum up in another order
        monkeypatch.setattr(row_products, "_rows_are_alike", lambda *_: False)


@pytest.mark.parametrize("pooling", ["mean", "attention", "last", "max"])
def test_in_any_company_order_batches_and_threads(as_found, pooling, monkeypatch) -> None:
    original = make(pooling=pooling)
    texts = [CHARACTERS[n % 11 :][: n % 17] * (1 + n % 3) for n in range(150)]
    random = np.random.default_rng(3)
    for normalize in (False, True):
        expected = original.encode(texts, normalize_embeddings=normalize)
        assert np.isfinite(expected).all() and expected.any()
        for threads in (1, 2, 5):
            monkeypatch.setenv("OMP_NUM_THREADS", str(threads))
            fresh = pickle.loads(pickle.dumps(original))  # has met no character yet
            order, size = random.permutation(len(texts)), int(random.integers(1, 60))
            found = fresh.encode([texts[i] for i in order], size, normalize_embeddings=normalize)
            assert found.tobytes() == expected[order].tobytes()
        for row in random.choice(len(texts), 8, replace=False):
            fresh = pickle.loads(pickle.dumps(original))
            for each in (original, fresh):
                alone = each.encode(texts[row], normalize_embeddings=normalize)
                assert alone.tobytes() == expected[row].tobytes()


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.text(alphabet=CHARACTERS + "？", max_size=90), min_size=1, max_size=30),
    st.integers(1, 8),
    st.randoms(use_true_random=False),
)
def test_of_random_texts_in_random_company(encoder, texts, batch_size, random) -> None:
    alone = np.array([encoder.encode(text) for text in texts])
    order = list(range(len(texts)))
    random.shuffle(order)
    together = encoder.encode([texts[i] for i in order], batch_size=batch_size)
    assert together.tobytes() == alone[order].tobytes()
    similar = encoder.similarity(texts, texts)
    assert similar[0, -1] == encoder.similarity(texts[0], texts[-1])
    assert similar[-1:].tobytes() == encoder.similarity(texts[-1:], texts).tobytes()


def test_a_pickled_encoder_is_small(encoder) -> None:
    encoder.encode(TEXTS)
    arrays = sum(array.nbytes for array in encoder.weights.flat())
    assert arrays < len(pickle.dumps(encoder)) < arrays + 5_000


def test_a_pickled_or_copied_encoder_is_one_of_its_own() -> None:
    encoder = make((6,), dim=8)
    expected = encoder.encode(TEXTS).tobytes()
    assert encoder.model is not None  # is not pickled
    for again in (pickle.loads(pickle.dumps(encoder)), copy.deepcopy(encoder)):
        assert again.encode(TEXTS).tobytes() == expected
        assert (again.threshold, again.recipe) == (0.25, encoder.recipe)
        again.model.set_weights([0 * array for array in again.model.get_weights()])
        again.refresh()
        assert not again.encode(TEXTS).any() and encoder.encode(TEXTS).tobytes() == expected


def test_on_read_only_arrays(encoder) -> None:
    """As from Ray's object store: by protocol 5, arrays travel beside the pickle."""
    buffers: list[pickle.PickleBuffer] = []
    pickled = pickle.dumps(encoder, protocol=5, buffer_callback=buffers.append)
    again = pickle.loads(pickled, buffers=[bytes(buffer) for buffer in buffers])
    assert not again.weights.characters.flags.writeable
    assert again.encode(TEXTS).tobytes() == encoder.encode(TEXTS).tobytes()


def test_on_memory_maps(encoder, tmp_path) -> None:
    joblib.dump(encoder, tmp_path / "encoder")
    again = joblib.load(tmp_path / "encoder", mmap_mode="r")
    assert isinstance(again.weights.characters, np.memmap)
    found = again.encode(TEXTS)
    assert type(found) is np.ndarray and found.tobytes() == encoder.encode(TEXTS).tobytes()
