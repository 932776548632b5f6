"""SentenceEncoder: encoding, comparing, saving and loading."""

import io
import json
import pickle
import subprocess
import sys
import zipfile

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siamese import SentenceEncoder, UserError
from siamese.config.loading import load_recipe
from siamese.encoder.bilstm_keras import build_encoder
from siamese.encoder.keras_tf import keras, tf
from siamese.encoder.model_folder import CHECKED_FILES
from siamese.encoder.weights import weights_of
from siamese.storage.atomic import sha256_of
from siamese.text.vocabulary import Vocabulary, count_characters

TEXTS = [
    "怎么修改密码",
    "如何更改登录密码呢？",
    "快递到哪了",
    "",
    "😀 emoji",
    "x" * 200,
    "快递到哪了",
]


def make_encoder(*settings: str) -> SentenceEncoder:
    keras.utils.set_random_seed(7)
    recipe = load_recipe("fast", ["encoder.embedding_dim=8", "encoder.lstm_units=[6]", *settings])
    vocabulary = Vocabulary(count_characters(TEXTS), recipe.text.lowercase)
    table = np.random.default_rng(2).normal(size=(len(vocabulary), 8)).astype(np.float32)
    model, _ = build_encoder(recipe.encoder, table)
    return SentenceEncoder(weights_of(model), vocabulary, recipe, threshold=0.25)


@pytest.fixture(scope="module")
def encoder() -> SentenceEncoder:
    return make_encoder()


@pytest.fixture
def folder(encoder, tmp_path):
    encoder.save(tmp_path / "model")
    return tmp_path / "model"


def test_encode_returns_a_float32_row_per_sentence(encoder) -> None:
    embeddings = encoder.encode(TEXTS)
    assert embeddings.shape == (len(TEXTS), encoder.embedding_dim) == (7, 12)
    assert embeddings.dtype == np.float32
    assert encoder.encode([]).shape == (0, 12)
    np.testing.assert_allclose(encoder.encode(TEXTS[0]), embeddings[0], atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.text(alphabet="怎么修改密码如何a 😀", max_size=90), min_size=1, max_size=12),
    st.integers(1, 8),
    st.randoms(use_true_random=False),
)
def test_an_embedding_depends_on_neither_batch_size_nor_order_nor_padding(
    encoder, texts, batch_size, random
) -> None:
    alone = np.array([encoder.encode(text) for text in texts])
    order = list(range(len(texts)))
    random.shuffle(order)
    together = encoder.encode([texts[i] for i in order], batch_size=batch_size)
    np.testing.assert_allclose(together, alone[order], atol=2e-6)
    assert np.isfinite(together).all()


def test_long_sentences_are_encoded_fewer_at_once(monkeypatch) -> None:
    encoder = make_encoder("text.max_length=1000")
    shapes = []
    embed = encoder._inference
    monkeypatch.setattr(
        encoder, "_inference", lambda ids: (shapes.append(ids.shape), embed(ids))[1]
    )
    texts = ["密码" * 500] * 70 + ["快递"] * 70
    expected = np.array([encoder.encode(text) for text in (texts[0], texts[-1])])
    shapes.clear()
    found = encoder.encode(texts)
    np.testing.assert_allclose(found, expected.repeat(70, axis=0), atol=2e-6)
    assert max(rows * time for rows, time in shapes) <= 40_000 < 70 * 1000
    assert max(rows for rows, _ in shapes) >= 32


def test_the_empty_sentence_has_the_zero_embedding(encoder) -> None:
    for normalize in (False, True):
        assert not encoder.encode("", normalize_embeddings=normalize).any()
    assert encoder.similarity("", "快递") == 0
    assert encoder.similarity("", "") == 0


def test_normalized_embeddings_have_unit_length(encoder) -> None:
    lengths = np.linalg.norm(encoder.encode(TEXTS, normalize_embeddings=True), axis=1)
    np.testing.assert_allclose(lengths, [1, 1, 1, 0, 1, 1, 1], atol=1e-6)


def test_encode_takes_what_other_harnesses_pass(encoder) -> None:
    plain = encoder.encode(TEXTS)
    called = encoder.encode(TEXTS, prompt_name="query", device="cpu", convert_to_numpy=True)
    np.testing.assert_array_equal(plain, called)


def test_encode_refuses_wrong_arguments_beside_a_single_sentence_too(encoder) -> None:
    for wrong in ({"normalize": True}, {"batch_size": "3"}, {"show_progress_bar": "yes"}):
        for sentences in (TEXTS[0], TEXTS):
            with pytest.raises(TypeError, match=next(iter(wrong))):
                encoder.encode(sentences, **wrong)


def test_similarity_refuses_what_it_cannot_compare(encoder) -> None:
    good = encoder.encode(TEXTS)
    for compare in (encoder.similarity, encoder.is_similar):
        assert compare([], TEXTS).shape == (0, 7)
        assert compare(good.astype(np.float16), np.array(TEXTS)).shape == (7, 7)
        for wrong in (good[:, :5], good + np.nan, np.array([])):
            with pytest.raises(ValueError, match="embeddings must be"):
                compare(wrong, good)
        for wrong in (good.astype(int), list(good), ["a", ["b"]], None, {"a": 1}, b"a"):
            with pytest.raises(TypeError):
                compare(TEXTS[0], wrong)


def test_encode_refuses_what_it_would_get_wrong(encoder) -> None:
    with pytest.raises(TypeError, match="did you mean 'normalize_embeddings'"):
        encoder.encode(TEXTS, normalise_embeddings=True)
    with pytest.raises(TypeError, match="convert_to_tensor"):
        encoder.encode(TEXTS, convert_to_tensor="yes")
    with pytest.raises(TypeError, match="sentence 1 is None"):
        encoder.encode(["快递", None])
    for size in (0, -1):
        with pytest.raises(ValueError, match="batch_size"):
            encoder.encode(TEXTS, batch_size=size)


def test_encode_cuts_and_quantises_when_asked(encoder) -> None:
    whole = encoder.encode(TEXTS)
    np.testing.assert_array_equal(encoder.encode(TEXTS, truncate_dim=5), whole[:, :5])
    np.testing.assert_array_equal(encoder.encode(TEXTS[0], truncate_dim=5), whole[0, :5])
    bits = encoder.encode(TEXTS[0], precision="ubinary")
    assert np.unpackbits(bits)[:12].tolist() == (whole[0] > 0).tolist()


def test_encode_takes_the_batches_of_mteb_2(encoder) -> None:
    batches = [{"text": TEXTS[:3]}, {"text": TEXTS[3:]}]
    others = {"task_metadata": None, "hf_split": "test", "hf_subset": "default"}
    found = encoder.encode(batches, prompt_type=None, **others)
    np.testing.assert_array_equal(found, encoder.encode(TEXTS))
    with pytest.raises(TypeError, match="sentence 0 is"):
        encoder.encode(batches)


@pytest.mark.parametrize("kind", ["cosine", "notebook"])
def test_pairwise_similarities_are_the_diagonal(kind) -> None:
    encoder = make_encoder(f"evaluation.similarity={kind}")
    embeddings = encoder.encode(TEXTS)
    expected = np.diag(encoder.similarity(TEXTS, TEXTS[::-1]))
    assert encoder.similarity_pairwise(TEXTS, TEXTS[::-1]).tolist() == expected.tolist()
    assert encoder.similarity_pairwise(embeddings, embeddings[::-1]).tolist() == expected.tolist()
    with pytest.raises(ValueError, match="takes pairs: 7 and 6"):
        encoder.similarity_pairwise(TEXTS, TEXTS[1:])


def test_similarity_of_sentences_lists_and_embeddings(encoder) -> None:
    a, b = TEXTS[0], TEXTS[1]
    p, q = encoder.encode([a, b]).astype(np.float64)
    expected = p @ q / (np.linalg.norm(p) * np.linalg.norm(q))
    assert encoder.similarity(a, b) == pytest.approx(expected, abs=1e-6)
    assert encoder.similarity(a, b) == pytest.approx(encoder.similarity(b, a), abs=1e-6)
    matrix = encoder.similarity([a, b], TEXTS)
    assert matrix.shape == (2, 7)
    assert matrix[0, 1] == pytest.approx(expected, abs=1e-6)
    np.testing.assert_allclose(
        encoder.similarity(encoder.encode([a, b]), encoder.encode(TEXTS)), matrix, atol=1e-6
    )
    assert encoder.is_similar(a, a) is True
    assert encoder.is_similar(a, b) is (encoder.similarity(a, b) > 0.25)
    assert encoder.is_similar([a], TEXTS).tolist() == (matrix[:1] > 0.25).tolist()


def test_a_loaded_model_encodes_as_the_saved_one_did(encoder, folder) -> None:
    loaded = SentenceEncoder.load(folder)
    np.testing.assert_array_equal(loaded.encode(TEXTS), encoder.encode(TEXTS))
    assert loaded.threshold == encoder.threshold
    assert loaded.recipe == encoder.recipe
    assert loaded.vocabulary.characters == encoder.vocabulary.characters


def test_a_lowercasing_model_keeps_doing_so(encoder, folder) -> None:
    loaded = SentenceEncoder.load(folder)
    np.testing.assert_array_equal(loaded.encode("EMOJI"), loaded.encode("emoji"))


@pytest.mark.parametrize("name", [*CHECKED_FILES, "manifest.json"])
def test_a_missing_file_is_named(folder, name) -> None:
    (folder / name).unlink()
    with pytest.raises(UserError, match=f"{name} is missing"):
        SentenceEncoder.load(folder)


@pytest.mark.parametrize("name", CHECKED_FILES)
@pytest.mark.parametrize("damage", ["truncated", "altered"])
def test_a_damaged_file_is_named(folder, name, damage) -> None:
    content = (folder / name).read_bytes()
    middle = len(content) // 2
    altered = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    (folder / name).write_bytes(content[:middle] if damage == "truncated" else altered)
    with pytest.raises(UserError, match=f"{name}.*truncated or altered"):
        SentenceEncoder.load(folder)


def test_a_damaged_manifest_is_named(folder) -> None:
    for content in ("{", "[]", '{"version": 99}', '{"version": 1}', '{"version": 1, "sha256": 3}'):
        (folder / "manifest.json").write_text(content)
        with pytest.raises(UserError):
            SentenceEncoder.load(folder)


def test_a_run_folder_is_told_from_a_model_folder(encoder, tmp_path) -> None:
    encoder.save(tmp_path / "run" / "best")
    with pytest.raises(UserError, match=r"its model is .*best"):
        SentenceEncoder.load(tmp_path / "run")


def test_the_card_may_be_edited(encoder, folder) -> None:
    (folder / "README.md").write_text("mine")
    SentenceEncoder.load(folder)


def test_saving_replaces_an_older_model_and_leaves_nothing_beside(encoder, folder) -> None:
    encoder.save(folder)
    assert [path.name for path in folder.parent.iterdir()] == ["model"]
    SentenceEncoder.load(folder)


def test_a_failed_save_leaves_the_older_model_alone(encoder, folder, monkeypatch) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    monkeypatch.setattr(Vocabulary, "save", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        encoder.save(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def test_no_file_of_a_model_is_a_pickle_and_code_in_one_is_not_run(
    encoder, folder, tmp_path
) -> None:
    for path in folder.iterdir():
        with pytest.raises(Exception):  # noqa: B017 - any failure will do
            pickle.loads(path.read_bytes())
    # A lambda smuggled into the architecture is neither run nor looked at.
    marker = tmp_path / "marker"
    touch = f"open({str(marker)!r}, 'w')"
    layer = keras.layers.Lambda(lambda x: (exec(touch), x)[1], output_shape=(None,))
    inputs = keras.Input((None,))
    evil = keras.Model(inputs, layer(inputs))
    evil.save(tmp_path / "evil.keras")
    marker.unlink(missing_ok=True)  # the model was called to be built
    replace_encoder(folder, {"config.json": read_member(tmp_path / "evil.keras", "config.json")})
    loaded = SentenceEncoder.load(folder)
    np.testing.assert_array_equal(loaded.encode(TEXTS), encoder.encode(TEXTS))
    assert not marker.exists()


def test_a_file_without_an_encoders_weights_is_refused_by_name(folder, tmp_path) -> None:
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save(tmp_path / "other.keras")
    for content in (read_member(tmp_path / "other.keras", "model.weights.h5"), b"not HDF5"):
        replace_encoder(folder, {"model.weights.h5": content})
        with pytest.raises(UserError, match=r"encoder\.keras: not the weights of an encoder"):
            SentenceEncoder.load(folder)


def test_weights_that_point_to_another_file_are_refused(folder, tmp_path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(4 * 10 * 8))
    content = io.BytesIO(read_member(folder / "encoder.keras", "model.weights.h5"))
    with h5py.File(content, "a") as file:
        name = "layers/embedding/vars/0"
        shape = file[name].shape
        del file[name]
        file.create_dataset(name, shape, "f4", external=[(str(secret), 0, h5py.h5f.UNLIMITED)])
    replace_encoder(folder, {"model.weights.h5": content.getvalue()})
    with pytest.raises(UserError, match="not the weights of an encoder"):
        SentenceEncoder.load(folder)


def read_member(path, name) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return archive.read(name)


def replace_encoder(folder, members: dict[str, bytes]) -> None:
    """Put other members into encoder.keras, with a manifest that agrees."""
    path = folder / "encoder.keras"
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, value in {**content, **members}.items():
            archive.writestr(name, value)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["sha256"]["encoder.keras"] = sha256_of(path)
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_a_loaded_encoder_works_without_tensorflow(encoder, folder) -> None:
    code = (
        "import sys; from siamese import SentenceEncoder;"
        f"encoder = SentenceEncoder.load({str(folder)!r});"
        f"print(*encoder.encode({TEXTS[0]!r}));"
        "assert not {'tensorflow', 'keras', 'ray'} & set(sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    np.testing.assert_allclose(
        np.array(out.stdout.split(), float), encoder.encode(TEXTS[0]), atol=1e-6
    )


def test_a_loaded_encoder_has_the_keras_model_too(encoder, folder) -> None:
    loaded = SentenceEncoder.load(folder)
    ids = loaded.vocabulary.encode(TEXTS[:3], 64)
    np.testing.assert_allclose(loaded.model(ids), encoder.encode(TEXTS[:3]), atol=1e-6)
    by_keras = keras.saving.load_model(folder / "encoder.keras", compile=False)
    np.testing.assert_allclose(by_keras(ids), encoder.encode(TEXTS[:3]), atol=1e-6)


def test_after_training_on_an_encoder_takes_up_the_models_weights(folder) -> None:
    encoder = SentenceEncoder.load(folder)
    before = encoder.encode(TEXTS[0])
    encoder.model.set_weights([2 * array for array in encoder.model.get_weights()])
    np.testing.assert_array_equal(encoder.encode(TEXTS[0]), before)
    encoder.refresh()
    after = encoder.encode(TEXTS[0])
    assert np.abs(after - before).max() > 1e-3
    ids = encoder.vocabulary.encode(TEXTS[:1], 64)
    np.testing.assert_allclose(encoder.model(ids)[0], after, atol=1e-6)


def test_with_a_gpu_the_keras_model_runs_and_finds_the_same(encoder, folder, monkeypatch) -> None:
    calls = []
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: calls.append(kind) or [1])
    on_gpu = SentenceEncoder.load(folder)
    monkeypatch.setattr("siamese.encoder.sentence_encoder.Inference.__call__", None)
    found = on_gpu.encode(TEXTS * 100, batch_size=64)
    monkeypatch.undo()
    np.testing.assert_allclose(found, encoder.encode(TEXTS * 100), atol=1e-6)
    assert calls == ["GPU"]
