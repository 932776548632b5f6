"""Search spaces: what may be written, what is drawn, and what a mistake is told."""

import math
from itertools import product

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from siamese.config.loading import load_recipe, with_settings
from siamese.config.ranges import RandomDraw
from siamese.config.recipe import Recipe, setting_keys
from siamese.config.search_space import load_space
from siamese.config.yaml_files import embedded_names
from siamese.errors import UserError


@pytest.fixture
def load(tmp_path):
    """Load a space from its YAML."""

    def load(text: str, recipe: Recipe | None = None):
        file = tmp_path / "space.yaml"
        file.write_text(text, encoding="utf-8")
        return load_space(str(file), recipe or Recipe())

    return load


def refusal(load, text: str) -> str:
    with pytest.raises(UserError) as error:
        load(text)
    return str(error.value)


class TestEmbedded:
    @pytest.mark.parametrize("name", embedded_names("space"))
    def test_each_one_loads_and_every_draw_is_a_valid_recipe(self, name) -> None:
        recipe = load_recipe("default")
        space = load_space(name, recipe)
        for number in range(50):
            settings = space.draw(RandomDraw(1, number))
            changed = with_settings(recipe, settings)
            flat = changed.model_dump(mode="json")
            for key, value in settings.items():
                section, setting = key.split(".")
                assert flat[section][setting] == value

    def test_the_default_searches_scale_threshold_and_sizes(self) -> None:
        space = load_space("default", Recipe())
        assert set(space.ranges) == {"loss.scale", "evaluation.threshold", "encoder.lstm_units"}

    def test_wide_searches_more(self) -> None:
        wide = set(load_space("wide", Recipe()).ranges)
        assert wide > set(load_space("default", Recipe()).ranges)
        assert wide >= {
            "optimizer.learning_rate",
            "encoder.dropout",
            "encoder.pooling",
            "sampling.batch_groups",
        }


class TestDraws:
    @given(st.integers(0, 2**32 - 1), st.integers(0, 10**6))
    def test_a_draw_is_a_pure_function_of_seed_and_number_within_the_range(
        self, seed, number
    ) -> None:
        space = load_space("wide", Recipe())
        settings = space.draw(RandomDraw(seed, number))
        assert settings == space.draw(RandomDraw(seed, number))
        assert 5 <= settings["loss.scale"] <= 80
        assert 0.3 <= settings["evaluation.threshold"] <= 0.95
        assert 1 <= len(settings["encoder.lstm_units"]) <= 2
        assert set(settings["encoder.lstm_units"]) <= {32, 64, 128, 192}
        assert settings["encoder.pooling"] in ("last", "mean", "max", "attention")

    def test_log_uniform_is_uniform_in_the_logarithm(self, load) -> None:
        space = load("loss: {scale: {log_uniform: [1, 100]}}")
        drawn = [space.draw(RandomDraw(3, number))["loss.scale"] for number in range(2000)]
        below = sum(value < 10 for value in drawn) / len(drawn)
        assert abs(below - 0.5) < 0.05
        assert abs(sum(map(math.log10, drawn)) / len(drawn) - 1) < 0.05

    def test_numbers_have_four_digits_and_stay_within(self, load) -> None:
        space = load("optimizer: {learning_rate: {uniform: [0.00123456, 0.00123457]}}")
        for number in range(20):
            value = space.draw(RandomDraw(1, number))["optimizer.learning_rate"]
            assert 0.00123456 <= value <= 0.00123457

    def test_integer_draws_both_ends(self, load) -> None:
        space = load("training: {epochs: {integer: [2, 4]}}")
        drawn = {space.draw(RandomDraw(1, number))["training.epochs"] for number in range(60)}
        assert drawn == {2, 3, 4}

    def test_layers_draw_lists_of_each_length(self, load) -> None:
        space = load("encoder: {lstm_units: {layers: [1, 3], units: {integer: [8, 9]}}}")
        drawn = {
            len(space.draw(RandomDraw(1, number))["encoder.lstm_units"]) for number in range(60)
        }
        assert drawn == {1, 2, 3}


class TestGrid:
    def test_every_combination_comes_once_the_last_setting_changing_fastest(self, load) -> None:
        space = load(
            "loss: {scale: {choice: [10, 20]}}\n"
            "encoder: {lstm_units: {layers: [1, 2], units: {choice: [8, 16]}}}\n"
        )
        units = [[8], [16], [8, 8], [8, 16], [16, 8], [16, 16]]
        assert space.grid() == [
            {"loss.scale": scale, "encoder.lstm_units": each}
            for scale, each in product([10, 20], units)
        ]

    def test_a_range_without_end_is_refused(self, load) -> None:
        with pytest.raises(UserError, match=r"loss\.scale: a grid needs single values"):
            load("loss: {scale: {uniform: [1, 2]}}").grid()

    @pytest.mark.parametrize(
        "text",
        [
            "seed: {integer: [0, 4000000000]}",
            "encoder: {lstm_units: {layers: [1, 8], units: {integer: [1, 200]}}}",
            "seed: {integer: [1, 90000]}\ntraining: {epochs: {integer: [1, 90000]}}",
        ],
    )
    def test_more_values_than_anyone_tries_are_refused_at_once(self, load, text) -> None:
        with pytest.raises(UserError, match="grid"):
            load(text).grid()

    def test_a_small_exponent_is_a_number(self, load) -> None:
        space = load("optimizer: {learning_rate: {choice: [1e-3, 2E-3]}}")
        assert [each["optimizer.learning_rate"] for each in space.grid()] == [0.001, 0.002]


class TestMistakes:
    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("loss: {scal: {uniform: [1, 2]}}", ["loss.scal: unknown key", "loss.scale"]),
            ("los: {scale: {uniform: [1, 2]}}", ["los.scale: unknown key", "loss.scale"]),
            ("loss: {scale: {unifrom: [1, 2]}}", ["loss.scale", "'unifrom'", "uniform"]),
            ("loss: {scale: 20}", ["loss.scale: 20 is no range", "--set loss.scale=20"]),
            ("loss: {scale: {uniform: [2, 1]}}", ["loss.scale: `uniform` takes [low, high]"]),
            ("loss: {scale: {uniform: [1]}}", ["loss.scale: `uniform` takes two numbers"]),
            ("loss: {scale: {log_uniform: [0, 1]}}", ["loss.scale", "above 0"]),
            ("loss: {scale: {uniform: [-1, 2]}}", ["loss.scale=-1", "greater than 0"]),
            ("training: {epochs: {integer: [1.5, 2]}}", ["training.epochs", "whole numbers"]),
            ("encoder: {pooling: {choice: [mean, meen]}}", ["encoder.pooling='meen'"]),
            ("encoder: {pooling: {choice: []}}", ["encoder.pooling", "a list of values"]),
            ("encoder: {pooling: {choice: [mean, mean]}}", ["encoder.pooling", "twice"]),
            (
                "loss: {scale: {uniform: [1, 2], choice: [1]}}",
                ["loss.scale: give one kind of range"],
            ),
            (
                "encoder: {lstm_units: {layers: [1, 2]}}",
                ["encoder.lstm_units: `layers` goes together with `units`"],
            ),
            (
                "encoder: {lstm_units: {layers: [1, 9], units: {choice: [8]}}}",
                ["encoder.lstm_units", "at most 8"],
            ),
            ("sampling: {batch_groups: {choice: [1, 64]}}", ["sampling.batch_groups=1"]),
            (
                "encoder: {lstm_units: {layers: [1, 1000000000], units: {choice: [8]}}}",
                ["encoder.lstm_units", "64 at most"],
            ),
            ("loss: {scale: {uniform: [1, .inf]}}", ["loss.scale: `uniform` takes [low, high]"]),
            ("loss: {scale: {uniform: [1, .nan]}}", ["loss.scale: `uniform` takes [low, high]"]),
            (f"seed: {{integer: [1, 1{'0' * 400}]}}", ["seed: `integer` takes [low, high]", "…"]),
            (f"seed: {{integer: [1, 0x{'f' * 5000}]}}", ["seed", "thousands of digits"]),
            ("seed: {integer: [1, 2]}\nseed: {integer: [1, 3]}", ["'seed' is there twice"]),
            ("a: &a {b: *a}", ["holds itself"]),
            ("loss: {scale: {choice: !!python/name:os.system }}", ["not valid YAML"]),
            ("{}", ["it is empty"]),
            ("- 1", ["expected settings such as"]),
        ],
    )
    def test_each_names_the_key_and_what_is_right(self, load, text, words) -> None:
        message = refusal(load, text)
        assert [word for word in words if word not in message] == [], message

    def test_all_are_told_at_once(self, load) -> None:
        message = refusal(
            load, "loss: {scal: {uniform: [1, 2]}}\nencoder: {dropout: {uniform: [0, 2]}}\n"
        )
        assert "2 ranges are wrong" in message
        assert "loss.scal:" in message and "encoder.dropout=2" in message

    def test_an_unknown_space_is_told_with_the_nearest(self) -> None:
        with pytest.raises(UserError, match="did you mean default"):
            load_space("defalt", Recipe())

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=6,
        ),
        st.sampled_from(setting_keys()),
    )
    def test_whatever_a_file_says_is_a_space_or_a_sentence(
        self, tmp_path_factory, value, key
    ) -> None:
        file = tmp_path_factory.getbasetemp() / "any.yaml"
        section, _, name = key.partition(".")
        settings = {section: {name: value}} if name else {section: value}
        file.write_text(yaml.safe_dump(settings), encoding="utf-8")
        try:
            space = load_space(str(file), Recipe())
        except UserError:
            return
        with_settings(Recipe(), space.draw(RandomDraw(1, 0)))
