"""sentence-transformers: what is written, and, where it is installed, what it makes of that."""

import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from paths import ROOT
from safetensors_by_hand import read_safetensors

from siamese import UserError
from siamese.export.exporter import ExportOptions, build_exporter
from siamese.export.exporters import sentence_transformers as exporter
from siamese.testing.exporters import make_encoder


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Export as where the package is not installed."""
    monkeypatch.setattr(exporter, "find_spec", lambda name: None)

    def write(pooling, **settings):
        encoder = make_encoder(pooling, **settings)
        return encoder, build_exporter("sentence-transformers", ExportOptions()).write(
            encoder, tmp_path
        )

    return write


@pytest.mark.parametrize(("release", "is_old"), [("5.1.2", True), ("6.1.0", True), ("6.10", False)])
def test_stock_modules_are_not_checked_with_a_release_that_lacks_them(
    write, tmp_path, monkeypatch, release, is_old
) -> None:
    monkeypatch.setattr(exporter, "find_spec", lambda name: object())
    monkeypatch.setattr(exporter, "version", lambda name: release)
    encoder = make_encoder("mean")
    made = exporter.SentenceTransformers()
    monkeypatch.setattr(made, "load", lambda folder: encoder.encode)
    about = made.write(encoder, tmp_path)
    assert about["notes"][0].endswith("6.2 or later")
    assert (f"sentence-transformers {release} is installed" in about["notes"][1]) == is_old
    assert ("largest_difference" in about) != is_old


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def test_stock_modules_hold_a_model_of_mean_pooling(write, tmp_path) -> None:
    encoder, about = write("mean")
    assert about["stock_modules"]
    assert "not checked here" in about["notes"][1]
    modules = read(tmp_path / "modules.json")
    assert [(m["idx"], m["path"], m["type"].rsplit(".", 1)[1]) for m in modules] == [
        (0, "", "WordEmbeddings"),
        (1, "1_LSTM", "LSTM"),
        (2, "2_LSTM", "LSTM"),
        (3, "3_Pooling", "Pooling"),
    ]
    assert all(module["type"].startswith("sentence_transformers.") for module in modules)
    assert read(tmp_path / "wordembedding_config.json")["max_seq_length"] == 24
    second = read(tmp_path / "2_LSTM" / "lstm_config.json")
    assert (second["word_embedding_dimension"], second["hidden_dim"]) == (12, 4)
    assert not list(tmp_path.rglob("*.py"))
    readme = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "trust_remote_code" not in readme
    assert f"{encoder.threshold:.4f}" in readme


def tokens(tokenizer: dict, text: str) -> list[int]:
    """What a tokenizer of tokenizer.json does, by its documentation."""
    for each in tokenizer["normalizer"]["normalizers"]:
        assert each["type"] == "Replace"
        text = text.replace(each["pattern"]["String"], each["content"])
    vocabulary = tokenizer["model"]["vocab"]
    return [vocabulary.get(character, vocabulary["[UNK]"]) for character in text]


@pytest.mark.parametrize("settings", [{}, {"lowercase": False}])
def test_the_tokenizer_reads_every_character_as_the_vocabulary_does(
    write, tmp_path, settings
) -> None:
    encoder, _ = write("mean", **settings)
    tokenizer = read(tmp_path / "tokenizer.json")
    points = [
        *range(0x2000),
        *range(0x2100, 0x2200),
        *range(0xA720, 0xABFF),
        *range(0xFB00, 0xFB20),
    ]
    text = "".join(map(chr, points)) + "怎么ßẞİſςΣ\U0001f600"
    ids = encoder.vocabulary.encode([text], 1 << 16)[0]
    expected = encoder.weights.characters[ids[ids != 0]]
    found = read_safetensors(tmp_path / "model.safetensors")["emb_layer.weight"]
    np.testing.assert_array_equal(found[tokens(tokenizer, text)], expected)
    # Of two with the same number, a tokenizer that is saved again loses one.
    numbers = tokenizer["model"]["vocab"].values()
    assert sorted(numbers) == [*range(len(found))]


@pytest.mark.parametrize(
    ("pooling", "settings"),
    [("max", {}), ("last", {}), ("attention", {}), ("mean", {"normalize": "nfkc"})],
)
def test_a_module_of_its_own_holds_any_other(write, tmp_path, pooling, settings) -> None:
    encoder, about = write(pooling, **settings)
    assert not about["stock_modules"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "README.md",
        "config_sentence_transformers.json",
        "model.safetensors",
        "modules.json",
        "siamese_encoder.json",
        "siamese_encoder.py",
    ]
    (module,) = read(tmp_path / "modules.json")
    assert (module["path"], module["type"]) == ("", "siamese_encoder.SiameseEncoder")
    config = read(tmp_path / "siamese_encoder.json")
    assert config["pooling"] == pooling
    assert config["attention_heads"] == (3 if pooling == "attention" else 0)
    assert config["vocabulary_size"] == len(encoder.vocabulary)
    assert "trust_remote_code=True" in (tmp_path / "README.md").read_text(encoding="utf-8")


def test_an_lstm_has_the_names_and_shapes_of_torch() -> None:
    layer = make_encoder("mean").weights.layers[0]
    arrays = exporter._torch_lstm(layer, "x.")
    assert {name: array.shape for name, array in arrays.items()} == {
        f"x.{kind}_l0{ending}": shape
        for ending in ("", "_reverse")
        for kind, shape in {
            "weight_ih": (24, 5),
            "weight_hh": (24, 6),
            "bias_ih": (24,),
            "bias_hh": (24,),
        }.items()
    }
    np.testing.assert_array_equal(arrays["x.weight_ih_l0_reverse"], layer.kernel[1].T)
    assert not arrays["x.bias_hh_l0"].any()


def test_int8_is_refused() -> None:
    with pytest.raises(UserError, match="--int8 is for --to onnx"):
        build_exporter("sentence-transformers", ExportOptions(int8=True))


def installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def check(call: str) -> None:
    """Run a check of `with_sentence_transformers.py` in a process of its own."""
    paths = [str(ROOT), str(ROOT / "tests" / "helpers"), os.environ.get("PYTHONPATH", "")]
    code = f"import with_sentence_transformers as checks; checks.{call}"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.skipif(
    not installed("sentence_transformers"), reason="sentence-transformers is not installed"
)
class TestWithSentenceTransformers:
    def test_it_keeps_the_laws(self) -> None:
        check("laws()")

    def test_a_user_loads_and_saves_what_is_exported(self, tmp_path, monkeypatch) -> None:
        monkeypatch.setenv("HF_MODULES_CACHE", str(tmp_path / "cache"))
        check(f"exported_folders({str(tmp_path)!r})")

    def test_a_model_folder_loads_and_gives_every_form_of_embeddings(self, tmp_path) -> None:
        check(f"model_folder({str(tmp_path)!r})")

    @pytest.mark.skipif(not installed("mteb"), reason="mteb is not installed")
    def test_mteb_judges_an_encoder(self) -> None:
        check("mteb_task()")
