"""What overrides do to a recipe, and what is said about those that cannot be used."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recipe_settings import OTHER, refusal, value_of

from siamese.config.loading import load_recipe
from siamese.errors import UserError


class TestOverride:
    @pytest.mark.parametrize(
        ("override", "value"),
        [
            ("seed=7", 7),
            ("optimizer.learning_rate=1e-3", 0.001),
            ("optimizer.learning_rate=.5", 0.5),
            ("optimizer.learning_rate=5E-4", 0.0005),
            ("loss.scale=25", 25.0),
            ("encoder.lstm_units=[128, 64]", (128, 64)),
            ("encoder.lstm_units=[16]", (16,)),
            ("training.patience=null", None),
            ("training.patience=10", 10),
            ("text.lowercase=false", False),
            ("encoder.vectors=none", "none"),
            ("encoder.vectors=/data/v=1.txt", "/data/v=1.txt"),
            ("encoder.vectors='123'", "123"),
            ("evaluation.threshold=fit", "fit"),
            ("evaluation.threshold=0.8", 0.8),
            ("evaluation.threshold=1e-1", 0.1),
            ("evaluation.threshold=1", 1.0),
        ],
    )
    def test_is_read_as_yaml(self, override, value):
        found = value_of(load_recipe("default", [override]), override.partition("=")[0])
        assert found == value
        assert type(found) is type(value)

    def test_of_one_setting_leaves_the_others_of_the_recipe(self):
        expected = load_recipe("seed").model_dump()
        expected["loss"]["scale"] = 12.0
        assert load_recipe("seed", ["loss.scale=12"]).model_dump() == expected

    def test_the_last_one_wins(self):
        assert load_recipe("default", ["seed=3", "seed=4"]).seed == 4

    def test_does_not_change_the_embedded_recipe(self):
        before = load_recipe("default")
        load_recipe("default", ["seed=99"])
        assert load_recipe("default") == before

    @pytest.mark.parametrize(
        ("override", "fragments"),
        [
            ("loss.scale", ["loss.scale", "section.key=value"]),
            ("=3", ["=3", "section.key=value"]),
            ("", ["section.key=value"]),
            ("loss.scale=[1", ["loss.scale=[1", "YAML"]),
            ("seed.x=1", ["seed"]),
            ("loss.scal=3", ["loss.scal", "unknown key", "did you mean scale?"]),
            ("los.scale=3", ["los", "unknown key", "did you mean loss?"]),
            ("scale=3", ["scale", "unknown key"]),
            ("loss.scale.deep=3", ["loss.scale"]),
            ("loss..scale=3", ["loss.", "unknown key"]),
            ("encoder.vectors=2024-13-45", ["encoder.vectors"]),
            ("seed=0x_", ["seed"]),
            ("encoder.vectors=", ["encoder.vectors", "string"]),
            (f"loss.scale={'[' * 1000}", ["loss.scale"]),
        ],
        ids=lambda value: value[:30] if isinstance(value, str) else "",
    )
    def test_that_cannot_be_used_is_named(self, override, fragments):
        message = refusal("default", [override])
        assert [fragment for fragment in fragments if fragment not in message] == []

    @given(
        st.sampled_from([*OTHER, "loss", "encoder.lstm_units.0", ""]),
        st.text() | st.text("0123456789xobe_-:.[]{}&*!?'\"# ny", max_size=12),
    )
    def test_any_value_is_taken_or_refused_in_words(self, key, value):
        try:
            load_recipe("default", [f"{key}={value}"])
        except UserError as error:
            assert str(error)
