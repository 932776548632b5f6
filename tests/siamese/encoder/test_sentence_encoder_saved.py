"""SentenceEncoder: saving and loading, damaged folders, and what a loaded one does."""

import io
import json
import pickle
import subprocess
import sys
import zipfile

import h5py
import numpy as np
import pytest
from texts_encoder import TEXTS, make_encoder

from siamese import SentenceEncoder, UserError
from siamese.encoder.keras_tf import keras, tf
from siamese.encoder.model_folder import CHECKED_FILES
from siamese.storage.atomic import sha256_of
from siamese.text.vocabulary import Vocabulary


@pytest.fixture(scope="module")
def encoder() -> SentenceEncoder:
    return make_encoder()


@pytest.fixture
def folder(encoder, tmp_path):
    encoder.save(tmp_path / "model")
    return tmp_path / "model"


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
