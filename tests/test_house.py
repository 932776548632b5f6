"""What must stay true of the code as a whole."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from paths import ROOT

MODULES = sorted((ROOT / "siamese").rglob("*.py"))


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_the_models_wing_imports_neither_ray_nor_the_other_wing_nor_pickle(path) -> None:
    assert not imported(path) & {"ray", "distributed", "pickle", "cloudpickle", "joblib"}


def run(code: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )


def test_importing_siamese_loads_nothing_heavy() -> None:
    heavy = "tensorflow keras gensim pandas sklearn scipy matplotlib pyarrow numpy"
    done = run(f"import sys, siamese; print(set('{heavy}'.split()) & set(sys.modules))")
    assert done.stdout.strip() == "set()"


def test_tensorflow_starts_without_a_word_on_stderr() -> None:
    done = run("from siamese.encoder.keras_tf import tf; tf.constant(1) + 1")
    assert done.stderr == ""


def test_what_is_no_chatter_gets_through() -> None:
    code = (
        "from siamese.encoder.keras_tf import _without_chatter\nimport os\n"
        "with _without_chatter():\n"
        "    os.write(2, b'Could not find cuda drivers\\nsomething real\\n')\n"
    )
    assert run(code).stderr == "something real\n"
