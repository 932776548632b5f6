"""What must stay true of the code as a whole."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from paths import ROOT

WINGS = ("siamese", "distributed")
FILES = sorted(path for wing in WINGS for path in (ROOT / wing).rglob("*.py"))
RAY_PRIVATE = {"distributed.cluster.ray_private", "distributed.cluster.ray_train_private"}
MOST_LINES, MOST_FUNCTION_LINES, MOST_PARAMETERS = 300, 60, 8
# Typer makes an option of each parameter.
COMMANDS = ROOT / "distributed" / "cli"
# Too large still: to be emptied as the rooms are redrawn.
LARGE_FILES: set[str] = set()


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {name_of(path): path for path in FILES}


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imported(path: Path) -> frozenset[str]:
    """What a file imports, anywhere in it: modules, and names of modules as `module.name`."""
    names: set[str] = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module and not node.level, f"{path}: write imports in full"
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(names)


@cache
def imports_of_ours(name: str) -> frozenset[str]:
    """The files of both wings that a file imports; a package, only for what is in its own file."""
    found = imported(MODULES[name])
    files = {each for each in found if each in MODULES}
    packages = {each for each in files if MODULES[each].name == "__init__.py"}
    # `from package import module` needs the module and not what the package's file imports.
    inner = {each for each in packages if any(f.startswith(f"{each}.") for f in found - {each})}
    return frozenset(files - inner)


def tops(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imported(path)}


def rooms(wing: str) -> list[str]:
    """The rooms that the wing's docstring declares, from the top."""
    docstring = ast.get_docstring(tree_of(ROOT / wing / "__init__.py")) or ""
    _, _, listed = docstring.partition("from the top; each imports only")
    return re.findall(r"^    (\w+) ", listed, re.MULTILINE)


def room_of(name: str) -> tuple[str, str]:
    wing, _, rest = name.partition(".")
    return wing, rest.partition(".")[0]


class TestRooms:
    @pytest.mark.parametrize("wing", WINGS)
    def test_every_room_is_declared(self, wing) -> None:
        there = {room_of(name)[1] for name in MODULES if name.startswith(f"{wing}.")}
        assert there - {"__main__"} <= set(rooms(wing))
        assert len(rooms(wing)) == len(set(rooms(wing))) > 5

    @pytest.mark.parametrize("path", sorted((ROOT / "siamese").rglob("*.py")), ids=name_of)
    def test_the_models_wing_imports_neither_ray_nor_the_other_wing_nor_pickle(self, path) -> None:
        assert not tops(path) & {"ray", "distributed", "pickle", "cloudpickle", "joblib"}

    def test_rooms_import_downwards_only(self) -> None:
        order = {wing: rooms(wing) for wing in WINGS}
        upwards = []
        for name in MODULES:
            wing, room = room_of(name)
            if room in ("", "__main__"):
                continue  # what a user imports: it hands on names of all rooms
            for other in imports_of_ours(name):
                its_wing, its_room = room_of(other)
                if its_wing != wing or its_room == "":
                    continue
                if order[wing].index(its_room) < order[wing].index(room):
                    upwards.append(f"{name} -> {other}")
        assert upwards == []

    def test_no_files_import_each_other_not_even_for_types(self) -> None:
        assert list(circles()) == []


def circles() -> Iterator[str]:
    """Chains of imports that lead back to their beginning."""
    done: set[str] = set()

    def follow(name: str, chain: list[str]) -> Iterator[str]:
        if name in chain:
            yield " -> ".join([*chain[chain.index(name) :], name])
            return
        if name in done:
            return
        for other in sorted(imports_of_ours(name)):
            if room_of(other)[1]:
                yield from follow(other, [*chain, name])
        done.add(name)

    for name in MODULES:
        if room_of(name)[1]:
            yield from follow(name, [])


class TestRaysPrivateApi:
    @pytest.mark.parametrize("path", sorted((ROOT / "distributed").rglob("*.py")), ids=name_of)
    def test_it_is_in_two_files(self, path) -> None:
        found = list(private_names(path))
        assert bool(found) == (name_of(path) in RAY_PRIVATE), found

    @pytest.mark.parametrize("name", sorted(RAY_PRIVATE))
    def test_every_use_of_it_is_explained(self, name) -> None:
        for node in tree_of(MODULES[name]).body:
            if isinstance(node, ast.FunctionDef):
                docstring = " ".join((ast.get_docstring(node) or "").split())
                assert "ithout it: " in docstring, f"{node.name}: say what to do without it"


def private_names(path: Path) -> Iterator[str]:
    """Names of Ray's that no documentation promises."""
    for name in imported(path):
        parts = name.split(".")
        private = any(part.startswith("_") for part in parts)
        if parts[0] == "ray" and (private or name.startswith(("ray.train.v2", "ray.core"))):
            yield name
    for node in ast.walk(tree_of(path)):
        if not isinstance(node, ast.Attribute) or node.attr.startswith("__"):
            continue
        owner = ast.unparse(node.value)
        if node.attr.startswith("_") and owner.partition(".")[0] in ("ray", "super()"):
            yield ast.unparse(node)


class TestSizes:
    @pytest.mark.parametrize("path", FILES, ids=name_of)
    def test_a_file_holds_one_idea(self, path) -> None:
        lines = len(path.read_text(encoding="utf-8").splitlines())
        is_known = str(path.relative_to(ROOT)) in LARGE_FILES
        assert lines <= MOST_LINES or is_known, f"{lines} lines: split it"

    @pytest.mark.parametrize("path", FILES, ids=name_of)
    def test_functions_are_short_and_take_few_parameters(self, path) -> None:
        for name, node in functions(tree_of(path).body, name_of(path)):
            is_command = path.is_relative_to(COMMANDS)
            lines = lines_of(node)
            parameters = len(parameters_of(node))
            if is_command:
                continue
            assert lines <= MOST_FUNCTION_LINES, f"{name}: {lines} lines"
            assert parameters <= MOST_PARAMETERS, f"{name}: {parameters} parameters"


def functions(body: list[ast.stmt], prefix: str) -> Iterator[tuple[str, ast.FunctionDef]]:
    """All functions, with their full names; one within another counts with the outer one too."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{prefix}.{node.name}", node
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.If | ast.With | ast.Try):
            name = getattr(node, "name", None)
            yield from functions(node.body, f"{prefix}.{name}" if name else prefix)


def lines_of(node: ast.FunctionDef) -> int:
    """The lines of a function, but for its docstring."""
    lines = node.end_lineno - node.lineno + 1
    if ast.get_docstring(node) is not None:
        lines -= node.body[0].end_lineno - node.body[0].lineno + 1
    return lines


def parameters_of(node: ast.FunctionDef) -> list[str]:
    """The parameters that a caller gives; `*` and `**` count as none."""
    given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    return [each.arg for each in given if each.arg not in ("self", "cls")]


def run(code: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )


class TestImports:
    def test_importing_siamese_loads_nothing_heavy(self) -> None:
        heavy = "tensorflow keras gensim pandas sklearn scipy matplotlib pyarrow numpy"
        done = run(f"import sys, siamese; print(set('{heavy}'.split()) & set(sys.modules))")
        assert done.stdout.strip() == "set()"

    def test_help_loads_nothing_heavy(self) -> None:
        heavy = "ray tensorflow keras gensim pandas sklearn scipy matplotlib pyarrow numpy yaml"
        code = (
            "import sys\nfrom distributed.cli.main import main\nsys.argv = ['siamese', '--help']\n"
            f"try:\n    main()\nexcept SystemExit:\n    print(set('{heavy}'.split()) & "
            "set(sys.modules))"
        )
        assert run(code).stdout.splitlines()[-1] == "set()"

    def test_tensorflow_starts_without_a_word_on_stderr(self) -> None:
        done = run("from siamese.encoder.keras_tf import tf; tf.constant(1) + 1")
        assert done.stderr == ""

    def test_what_is_no_chatter_gets_through(self) -> None:
        code = (
            "from siamese.encoder.keras_tf import _CHATTER\nimport os\n"
            "from siamese.standard_error import holding_back\n"
            "with holding_back(_CHATTER):\n"
            "    os.write(2, b'Could not find cuda drivers\\nsomething real\\n')\n"
        )
        assert run(code).stderr == "something real\n"
