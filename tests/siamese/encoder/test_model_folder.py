"""Model folders from strangers: refused in a sentence or harmless, and no other file is read.

What may be within `encoder.keras` is in `test_model_folder_weights.py`.
"""

import ast
import importlib.util
import json
import os
from pathlib import Path

import pytest
from model_folders import alter, put, sign

from siamese import SentenceEncoder, UserError
from siamese.config.loading import load_recipe
from siamese.encoder.model_folder import CHECKED_FILES, sentence_transformers_config


def test_the_untouched_folder_loads_and_a_manifest_cannot_name_other_files(folder) -> None:
    expected = SentenceEncoder.load(folder).encode("一丁")
    sign(folder)
    assert SentenceEncoder.load(folder).encode("一丁").tobytes() == expected.tobytes()
    assert expected.any()


@pytest.mark.parametrize("name", [*CHECKED_FILES, "manifest.json"])
def test_a_link_out_of_the_folder_is_refused(folder, tmp_path, name) -> None:
    (folder / name).rename(tmp_path / "outside")
    (folder / name).symlink_to(tmp_path / "outside")
    with pytest.raises(UserError, match=f"{name}: a link out of the folder"):
        SentenceEncoder.load(folder)


def test_links_to_the_folder_and_within_it_are_followed(folder, tmp_path) -> None:
    (folder / "recipe.yaml").rename(folder / "own.yaml")
    (folder / "recipe.yaml").symlink_to("own.yaml")
    (tmp_path / "link").symlink_to(folder)
    assert SentenceEncoder.load(tmp_path / "link").threshold == 0.5


@pytest.mark.parametrize("name", [*CHECKED_FILES, "manifest.json"])
@pytest.mark.parametrize("kind", ["folder", "pipe", "device"])
def test_what_is_no_file_is_missing(folder, name, kind) -> None:
    (folder / name).unlink()
    if kind == "folder":
        (folder / name).mkdir()
    elif kind == "pipe":
        os.mkfifo(folder / name)  # would be waited for
    else:
        (folder / name).symlink_to("/dev/zero")
    with pytest.raises(UserError, match=f"{name} is missing"):
        SentenceEncoder.load(folder)


def test_a_file_in_place_of_the_folder_is_refused(folder) -> None:
    with pytest.raises(UserError, match="not a model folder"):
        SentenceEncoder.load(folder / "recipe.yaml")


@pytest.mark.parametrize("name", ["manifest.json", "metrics.json", "vocabulary.json"])
def test_json_nested_too_deep_is_damaged(folder, name) -> None:
    deep = "[" * 200_000 + "]" * 200_000
    put(folder, "metrics.json" if name == "manifest.json" else name, deep)
    if name == "manifest.json":
        (folder / name).write_text(deep)
    with pytest.raises(UserError, match=f"{name}: damaged"):
        SentenceEncoder.load(folder)


@pytest.mark.parametrize(
    "name", ["manifest.json", "metrics.json", "recipe.yaml", "vocabulary.json"]
)
def test_an_enormous_file_is_not_read(folder, name) -> None:
    with (folder / name).open("wb") as file:
        file.truncate((1 << 26) + 1)  # a hole
    if name != "manifest.json":
        sign(folder)
    with pytest.raises(UserError, match=f"{name}: larger than"):
        SentenceEncoder.load(folder)


@pytest.mark.parametrize("threshold", [None, "0.5", True, float("nan"), float("inf"), [0.5]])
def test_a_threshold_is_a_number(folder, threshold) -> None:
    alter(folder, "metrics.json", threshold=threshold)
    with pytest.raises(UserError, match=r"metrics\.json: threshold is no number"):
        SentenceEncoder.load(folder)


@pytest.mark.parametrize("content", ["[]", "3", "{}", '{"threshold": 1, "accuracy": "<b>"}', "x"])
def test_metrics_are_figures_by_name(folder, content) -> None:
    put(folder, "metrics.json", content)
    with pytest.raises(UserError, match=r"metrics\.json"):
        SentenceEncoder.load(folder)


@pytest.mark.parametrize(
    "values",
    [
        {"characters": "ab", "counts": [2, 1]},  # fewer than the weights have
        {"characters": ["a", "b"], "counts": [2, 1]},
        {"characters": "ab", "counts": [2]},
        {"characters": "ab", "counts": [2.5, "1"]},
        {"characters": "ab", "counts": [1, 2]},  # not in order: ids would be others
        {"characters": "ab", "counts": [1, 0]},
        {"characters": "ab", "counts": [True, True]},
        {"characters": "aa", "counts": [1, 1]},
        {"characters": "ab", "counts": 3},
        {"characters": None},
        {"lowercase": "yes"},
        {"lowercase": True, "characters": "Aa", "counts": [1, 1]},
        {"version": 2},
    ],
)
def test_a_vocabulary_of_something_else_is_refused(folder, values) -> None:
    alter(folder, "vocabulary.json", **values)
    with pytest.raises(UserError, match="vocabulary"):
        SentenceEncoder.load(folder)


BOMB = "a0: &a0 [x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)

MERGES = "a0: &a0 {x: 1}\n" + "".join(
    f"a{n}: &a{n}\n  <<: [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)


@pytest.mark.parametrize(
    "recipe",
    [
        BOMB,
        MERGES,
        "a: &a [*a]",
        "[" * 5000,
        "seed: !!python/object/apply:os.system ['touch never']",
        "seed: !!python/name:os.system",
        "seed: !include /etc/passwd",
        "seed: " + "9" * 10_000,
        "- 1",
        "\0",
        "encoder: {lstm_units: [9]}",
        "encoder: {pooling: mean}",
        "text: {max_length: -1}",
    ],
    ids=lambda recipe: recipe[:30],
)
def test_a_recipe_that_is_none_or_of_another_model_is_refused(folder, tmp_path, recipe) -> None:
    put(folder, "recipe.yaml", recipe)
    with pytest.raises(UserError, match="recipe") as error:
        SentenceEncoder.load(folder)
    assert len(str(error.value)) < 3000


def test_sentence_transformers_is_told_a_class_that_is_there(saved) -> None:
    """By its name alone, which model folders hold for good: importing it takes torch."""
    (module,) = json.loads((saved / "modules.json").read_text())
    file, _, name = module["type"].rpartition(".")
    tree = ast.parse(Path(importlib.util.find_spec(file).origin).read_text())
    assert name in {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    assert module["path"] == ""
    config = json.loads((saved / "config_sentence_transformers.json").read_text())
    assert config == {"model_type": "SentenceTransformer", "similarity_fn_name": "cosine"}


def test_a_model_folder_loads_without_what_is_there_for_others(folder) -> None:
    expected = SentenceEncoder.load(folder).encode("一丁")
    for name in ("modules.json", "config_sentence_transformers.json", "README.md"):
        (folder / name).unlink()
    assert SentenceEncoder.load(folder).encode("一丁").tobytes() == expected.tobytes()


def test_the_notebooks_similarity_has_no_name_elsewhere() -> None:
    recipe = load_recipe("fast", ["evaluation.similarity=notebook"])
    assert sentence_transformers_config(recipe)["similarity_fn_name"] is None
