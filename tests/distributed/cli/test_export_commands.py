"""`siamese export`, in this process."""

import json
import sys
import uuid
from unittest.mock import patch

import numpy as np
import pytest

from distributed.cli.main import main
from siamese.export.exporters import onnx
from siamese.testing.exporters import make_encoder

PAIRS = "怎么修改\t如何修改\t1\nabis\tsa\t0\nziß\tzis\t1\nkg\t登录\t0\n"


def run(*arguments: object) -> int:
    """Run a command line in this process, and return its exit code."""
    with patch.object(sys, "argv", ["siamese", *map(str, arguments)]):
        try:
            main()
        except SystemExit as end:
            return int(end.code or 0)
    return 0


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "best"
    make_encoder("attention").save(folder)
    return folder


@pytest.fixture
def pairs(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text(PAIRS, encoding="utf-8")
    return path


def test_a_model_is_exported_to_onnx(model, tmp_path, capsys) -> None:
    pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    output = tmp_path / "model"
    assert run("export", model, "--to", "onnx", output) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"onnx: {output}"
    assert lines[1].startswith("  checked with ONNX Runtime: at most ")
    texts = ["怎么", "ß", ""]
    found = onnx.build(onnx.ExportOptions()).load(output)(texts)
    np.testing.assert_allclose(found, make_encoder("attention").encode(texts), atol=1e-6)


def test_int8_says_what_it_loses_on_pairs(model, pairs, tmp_path, capsys) -> None:
    pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    output = tmp_path / "model"
    assert run("export", model, output, "--to", "onnx", "--int8", "--pairs", pairs) == 0
    assert "int8 loses: cosine 0.0" in capsys.readouterr().out
    assert "spearman" in json.loads((output / "export.json").read_text())["int8"]


def test_models_and_exports_may_be_at_uris(tmp_path, capsys) -> None:
    import fsspec

    place = f"memory://{uuid.uuid4().hex}"
    make_encoder("mean").save(tmp_path / "best")
    fsspec.filesystem("memory").put(str(tmp_path / "best"), f"{place}/best", recursive=True)
    output = f"{place}/export"
    assert run("export", f"{place}/best", "--to", "sentence-transformers", output) == 0
    assert "stock modules" in capsys.readouterr().out
    names = fsspec.filesystem("memory").ls(output, detail=False)
    assert {name.rsplit("/", 1)[1] for name in names} >= {"export.json", "modules.json", "1_LSTM"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--to", "onxx"], "no exporter 'onxx'; did you mean onnx?"),
        (["--to", "onnx", "--pairs", "pairs.tsv"], "--pairs has no effect without --int8"),
        (["--to", "sentence-transformers", "--int8"], "--int8 is for --to onnx"),
        (["--to", "onnx", "--int8", "--pairs", "none.tsv"], "none.tsv: no such file"),
    ],
)
def test_what_cannot_be_exported_is_said_in_a_sentence(
    model, pairs, tmp_path, monkeypatch, capsys, arguments, message
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("export", model, "new", *arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert not (tmp_path / "new").exists()


def test_a_missing_package_is_named_with_its_extra(model, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(onnx, "find_spec", lambda name: None)
    assert run("export", model, tmp_path / "new", "--to", "onnx") == 2
    assert "pip install 'siamese-ray[onnx]'" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
