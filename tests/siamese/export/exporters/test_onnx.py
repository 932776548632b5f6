"""ONNX: the graph and its table, run with ONNX Runtime."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest

from siamese import UserError
from siamese.export.exporter import ExportOptions, build_exporter
from siamese.export.exporters import onnx as exporter
from siamese.export.quantization_loss import quantization_loss
from siamese.testing.exporters import (
    make_encoder,
    padding_and_order_change_nothing,
    saved_equals_loaded,
)

pytest.importorskip("onnx", reason="the extra onnx is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")

POOLINGS = ["mean", "max", "last", "attention"]


def make():
    return build_exporter("onnx", ExportOptions())


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    encoder = make_encoder("attention")
    folder = tmp_path_factory.mktemp("onnx")
    make().write(encoder, folder)
    return encoder, folder


@pytest.mark.parametrize("pooling", POOLINGS)
def test_every_pooling_keeps_the_laws(pooling) -> None:
    encoder = make_encoder(pooling)
    saved_equals_loaded(make, encoder)
    padding_and_order_change_nothing(make, encoder)


@pytest.mark.parametrize("settings", [{"lowercase": False}, {"normalize": "nfkc"}])
def test_every_reading_of_characters_keeps_the_laws(settings) -> None:
    saved_equals_loaded(make, make_encoder("mean", **settings))


def test_the_graph_takes_any_width_and_any_padding(exported) -> None:
    encoder, folder = exported
    session = onnxruntime.InferenceSession(folder / "model.onnx")
    (ids,) = session.get_inputs()
    (embeddings,) = session.get_outputs()
    assert (ids.name, ids.type, ids.shape) == ("ids", "tensor(int64)", ["batch", "time"])
    assert embeddings.shape == ["batch", encoder.embedding_dim]
    expected = encoder.encode(["怎么", ""])
    for width in (2, 3, 70):
        rows = np.zeros((2, width), np.int64)
        rows[0, :2] = encoder.vocabulary.encode(["怎么"], 2)
        (found,) = session.run(None, {"ids": rows})
        np.testing.assert_allclose(found, expected, atol=1e-6)
        assert not found[1].any()


def test_no_text_at_all_is_no_row(exported) -> None:
    encoder, folder = exported
    assert make().load(folder)([]).shape == (0, encoder.embedding_dim)


def test_the_example_in_its_readme_runs_where_this_package_is_not(exported) -> None:
    _, folder = exported
    readme = (folder / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    code = f"import sys; sys.modules['siamese'] = None\n{code}"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True
    )
    assert done.stdout == "(2, 8)\n"


def test_int8_is_smaller_and_says_what_it_loses(tmp_path) -> None:
    encoder = make_encoder("attention")
    about = build_exporter("onnx", ExportOptions(int8=True)).write(encoder, tmp_path)
    found = make().load(tmp_path)
    assert about["int8"] == quantization_loss(encoder, found, [])
    assert 1e-7 < about["int8"]["cosine_loss"] < 0.01
    assert about["largest_difference"] < 1e-6  # before it was quantised
    assert "8 bits" in (tmp_path / "README.md").read_text(encoding="utf-8")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "README.md",
        "characters.json",
        "model.onnx",
    ]


def test_a_graph_that_computes_something_else_is_refused(tmp_path, monkeypatch) -> None:
    other = make_encoder("max")
    monkeypatch.setattr(exporter, "character_ids", lambda vocabulary: {"a": [5]})
    with pytest.raises(UserError, match="gives other embeddings"):
        make().write(other, tmp_path)


def test_the_table_is_json_of_code_points(exported) -> None:
    _, folder = exported
    table = json.loads((folder / "characters.json").read_text(encoding="utf-8"))
    assert {name: table[name] for name in ("max_length", "padding", "unknown")} == {
        "max_length": 24,
        "padding": 0,
        "unknown": 1,
    }
    assert all(len(character) == 1 for character in table["ids"])
    assert table["ids"]["ß"] == 2 * table["ids"]["S"]


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime"])
def test_a_missing_package_is_named_with_its_extra(monkeypatch, missing) -> None:
    monkeypatch.setattr(exporter, "find_spec", lambda name: None if name == missing else object())
    with pytest.raises(UserError, match=rf"package {missing}: pip install 'siamese-ray\[onnx\]'"):
        make()
