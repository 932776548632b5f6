"""YAML of settings: numbers as people write them, each key once, and no bombs."""

import time

import pytest

from siamese.config.yaml_text import MOST_VALUES, parse_yaml, to_yaml
from siamese.errors import UserError


def refusal(text: str) -> str:
    with pytest.raises(UserError) as error:
        parse_yaml(text, "mine.yaml")
    return str(error.value)


class TestNumbers:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("1e-3", 0.001),
            ("1E5", 100000.0),
            ("-2.5e+3", -2500.0),
            (".5", 0.5),
            ("3.", 3.0),
            ("0x1F", 31),
            ("0", 0),
            ("-7", -7),
            ("010", "010"),
            ("1:30", "1:30"),
            ("1_000", "1_000"),
            ("1e", "1e"),
            ("1.2.3", "1.2.3"),
        ],
    )
    def test_are_read_as_written(self, text, value):
        read = parse_yaml(text, "a value")
        assert read == value
        assert type(read) is type(value)

    @pytest.mark.parametrize(
        "value", ["1e3", "010", "1:30", "1_0", "0x1F", "null", "-1", "~", "1."]
    )
    def test_texts_that_look_like_numbers_stay_texts(self, value):
        assert parse_yaml(to_yaml({"key": value}), "a value") == {"key": value}

    @pytest.mark.parametrize("value", [1e-05, 1e22, 0.1, -0.0, 5e-324, 12, True, None, [1, [2.5]]])
    def test_values_are_written_as_they_are_read(self, value):
        assert parse_yaml(to_yaml({"key": value}), "a value") == {"key": value}


class TestRefused:
    def test_a_key_that_is_given_twice(self):
        message = refusal("loss:\n  scale: 20\n  name: cosent\n  scale: 25\n")
        assert "mine.yaml" in message
        assert "'scale' is there twice" in message
        assert "line 4" in message

    def test_a_section_that_is_given_twice(self):
        assert "'loss' is there twice" in refusal("loss: {scale: 20}\nseed: 1\nloss: {scale: 25}\n")

    @pytest.mark.parametrize("levels", [9, 90])
    def test_a_bomb_of_aliases_at_once(self, levels):
        lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
        for n in range(1, levels):
            lines.append(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]")
        begun = time.process_time()
        assert f"more than {MOST_VALUES:,} values" in refusal("\n".join(lines))
        assert time.process_time() - begun < 2

    def test_a_bomb_of_merged_keys(self):
        lines = ["a0: &a0 {x: 1, y: 2}"]
        for n in range(1, 12):
            lines.append(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}")
        assert f"more than {MOST_VALUES:,} values" in refusal("\n".join(lines))

    def test_a_value_that_holds_itself(self):
        assert "holds itself" in refusal("loss: &a {scale: *a}")

    @pytest.mark.parametrize("text", ["[" * 5000, "a: " + "{a: " * 3000, "- " * 5000])
    def test_what_is_nested_too_deeply(self, text):
        assert "nested too deeply" in refusal(text)

    @pytest.mark.parametrize(
        "tag",
        [
            "!!python/object/apply:os.getcwd []",
            "!!python/name:os.system",
            "!mine 1",
            "!!python/none",
        ],
    )
    def test_tags_that_make_objects(self, tag):
        assert "could not determine a constructor" in refusal(f"seed: {tag}")

    def test_a_number_of_too_many_digits(self):
        assert "digits" in refusal("seed: " + "1" * 5000)

    @pytest.mark.parametrize("text", ["seed: \0", "seed: \x07", "seed: 2024-13-45", "loss: [*a]"])
    def test_what_is_no_yaml(self, text):
        assert "mine.yaml: not valid YAML" in refusal(text)


def test_an_alias_is_read():
    assert parse_yaml("a: &a [1, 2]\nb: *a", "mine.yaml") == {"a": [1, 2], "b": [1, 2]}


def test_merged_keys_may_be_overridden():
    text = "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}"
    assert parse_yaml(text, "mine.yaml")["b"] == {"x": 1, "y": 3}
