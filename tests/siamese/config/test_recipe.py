"""Recipes: the embedded ones, those in files, and how they are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from recipe_settings import OTHER, changing, value_of

from siamese.config.loading import load_recipe
from siamese.config.recipe import Recipe
from siamese.config.yaml_files import embedded_names


def settings_of(model: type[BaseModel], prefix: str = "") -> list[str]:
    names = []
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            names += settings_of(kind, f"{name}.")
        else:
            names.append(prefix + name)
    return names


class TestEmbedded:
    def test_there_are_a_default_and_the_notebook(self):
        assert {"default", "seed"} <= set(embedded_names("recipe"))

    @pytest.mark.parametrize("name", embedded_names("recipe"))
    def test_each_one_loads(self, name):
        assert isinstance(load_recipe(name), Recipe)

    def test_seed_is_the_notebook(self):
        recipe = load_recipe("seed")
        notebook = {
            "text.max_length": 128,
            "text.padding": "max_length",
            "text.lowercase": False,
            "text.include_dev": True,
            "encoder.embedding_dim": 300,
            "encoder.train_embeddings": False,
            "encoder.lstm_units": (128, 32),
            "encoder.dropout": 0.5,
            "encoder.pooling": "last",
            "loss.scale": 30,
            "sampling.method": "notebook",
            "optimizer.learning_rate": 0.001,
            "evaluation.similarity": "notebook",
            "evaluation.metric": "accuracy",
            "evaluation.threshold": 0.8,
        }
        assert {key: value_of(recipe, key) for key in notebook} == notebook


class TestFile:
    def test_needs_only_what_differs(self, write):
        recipe = load_recipe(write("loss:\n  scale: 25\n"))
        assert recipe == Recipe(loss={"scale": 25})

    @pytest.mark.parametrize("name", ["mine.yaml", "mine.yml"])
    def test_may_end_in_yaml_or_yml(self, write, name):
        assert load_recipe(write("seed: 5", name)).seed == 5

    def test_comments_and_chinese_are_allowed(self, write):
        recipe = load_recipe(write("# 种子\nseed: 5\nencoder:\n  vectors: 向量.txt\n"))
        assert recipe.encoder.vectors == "向量.txt"

    def test_a_section_that_says_nothing_is_the_defaults(self, write):
        assert load_recipe(write("seed: 1\nloss:\n  # scale: 25\n")) == Recipe(seed=1)

    def test_override_of_a_section_that_says_nothing(self, write):
        assert load_recipe(write("loss:\n"), ["loss.scale=3"]).loss.scale == 3

    @pytest.mark.parametrize("key", OTHER)
    def test_what_to_yaml_writes_is_read_back(self, write, key):
        recipe = load_recipe("default", changing(key))
        again = load_recipe(write(recipe.to_yaml()))
        assert again == recipe

    @pytest.mark.parametrize(
        "value", ["none", "train", "null", "1e-3", "yes", "a: b", "# x", "'", "[a]", "向量", " x\n"]
    )
    def test_strings_that_look_like_something_else_are_read_back(self, write, value):
        recipe = Recipe(encoder={"vectors": value})
        assert load_recipe(write(recipe.to_yaml())) == recipe

    @given(
        st.builds(
            lambda vectors, rate, scale, threshold, units: Recipe(
                encoder={"vectors": vectors, "lstm_units": units},
                optimizer={"learning_rate": rate},
                loss={"scale": scale},
                evaluation={"threshold": threshold},
            ),
            # YAML takes its own line ends for one another; no path holds them.
            st.text(
                st.characters(codec="utf-8", exclude_characters="\x85\u2028\u2029"), min_size=1
            ),
            st.floats(0, 1, exclude_min=True),
            st.floats(0, exclude_min=True, allow_infinity=False),
            st.just("fit") | st.floats(allow_nan=False, allow_infinity=False),
            st.lists(st.integers(1, 8192), min_size=1, max_size=8),
        )
    )
    def test_any_value_is_read_back(self, tmp_path_factory, recipe):
        path = tmp_path_factory.getbasetemp() / "any.yaml"
        path.write_text(recipe.to_yaml(), encoding="utf-8")
        assert load_recipe(str(path)) == recipe


class TestToYaml:
    def test_every_setting_is_tried(self):
        assert set(OTHER) == set(settings_of(Recipe))

    @pytest.mark.parametrize("key", OTHER)
    def test_changes_with_any_setting(self, key):
        changed = load_recipe("default", changing(key))
        assert changed.to_yaml() != load_recipe("default").to_yaml()

    def test_does_not_change_with_how_a_value_is_written(self, write):
        whole, decimal = load_recipe(write("loss: {scale: 25}")), Recipe(loss={"scale": 25.0})
        assert whole.to_yaml() == decimal.to_yaml()
