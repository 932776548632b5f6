"""Recipes: what is accepted, what overrides do, and what is said about every mistake."""

import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from siamese.config.loading import load_recipe
from siamese.config.recipe import Recipe
from siamese.config.yaml_files import embedded_names
from siamese.errors import UserError

# Another valid value for every setting, to see that each one counts.
OTHER = {
    "seed": 2,
    "text.max_length": 65,
    "text.normalize": "nfkc",
    "text.unknown_rate": 0.1,
    "text.padding": "max_length",
    "text.lowercase": False,
    "text.min_count": 2,
    "text.include_dev": True,
    "encoder.vectors": "v.txt",
    "encoder.embedding_dim": 301,
    "encoder.train_embeddings": False,
    "encoder.lstm_units": [128, 128],
    "encoder.dropout": 0.41,
    "encoder.pooling": "max",
    "encoder.attention_heads": 4,
    "encoder.embedding_range": 0.2,
    "loss.name": "cosent",
    "loss.scale": 20.5,
    "loss.hard_negatives": 2,
    "loss.ranking": 0.7,
    "loss.ranking_scale": 21,
    "loss.ranking_groups": 16,
    "loss.distillation": 3.0,
    "loss.options": {"margin": 0.3},
    "sampling.batch_groups": 129,
    "sampling.micro_batch_groups": 16,
    "sampling.method": "notebook",
    "sampling.unlabelled": 64,
    "optimizer.learning_rate": 0.0021,
    "optimizer.beta_2": 0.99,
    "optimizer.warmup_steps": 1,
    "optimizer.scale_with_batch": 32,
    "optimizer.decay": "constant",
    "optimizer.clip_norm": 2,
    "training.epochs": 99,
    "training.patience": None,
    "training.teacher_epochs": 2,
    "evaluation.similarity": "notebook",
    "evaluation.metric": "f1",
    "evaluation.threshold": 0.8,
}


def changing(key: str) -> list[str]:
    """Overrides that set another value, and what that value needs besides."""
    needed = {
        "loss.name": ["loss.ranking=0"],
        "sampling.method": ["loss.hard_negatives=0", "loss.ranking=0"],
        "encoder.train_embeddings": ["encoder.vectors=train"],
        "sampling.unlabelled": ["training.teacher_epochs=1"],
    }
    return [*needed.get(key, []), f"{key}={yaml.safe_dump(OTHER[key], width=99)}"]


def settings_of(model: type[BaseModel], prefix: str = "") -> list[str]:
    names = []
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            names += settings_of(kind, f"{name}.")
        else:
            names.append(prefix + name)
    return names


def value_of(recipe: Recipe, key: str) -> object:
    value: object = recipe
    for part in key.split("."):
        value = getattr(value, part)
    return value


def refusal(*arguments: object) -> str:
    with pytest.raises(UserError) as error:
        load_recipe(*arguments)
    return str(error.value)


@pytest.fixture
def write(tmp_path):
    def write(text: str, name: str = "mine.yaml") -> str:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


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


class TestMistakes:
    @pytest.mark.parametrize(
        ("override", "fragments"),
        [
            ("seed=-1", ["greater than or equal to 0"]),
            ("seed=4294967296", ["less than 4294967296"]),
            ("text.max_length=0", ["greater than or equal to 1"]),
            ("text.padding=short", ["'longest' or 'max_length'"]),
            ("encoder.lstm_units=[]", ["at least 1"]),
            ("encoder.lstm_units=[0]", ["lstm_units", "found 0"]),
            ("encoder.lstm_units=[8, many]", ["many"]),
            ("encoder.lstm_units=128", ["128"]),
            ("encoder.dropout=1", ["less than 1"]),
            ("loss.scale=0", ["greater than 0"]),
            ("loss.scale=.nan", ["finite"]),
            ("loss.scale=.inf", ["finite"]),
            ("loss.scale=much", ["'much'", "number"]),
            ("sampling.batch_groups=1", ["greater than or equal to 2"]),
            ("sampling.batch_groups=2.5", ["2.5", "integer"]),
            ("optimizer.learning_rate=2", ["less than or equal to 1"]),
            ("training.patience=0", ["greater than or equal to 1"]),
            ("evaluation.metric=auc", ["'roc_auc'"]),
            ("evaluation.threshold=best", ["'best'", "number", "'fit'"]),
            ("evaluation.threshold=.nan", ["finite"]),
            ("text=short", ["short"]),
        ],
    )
    def test_a_wrong_value_is_named_with_what_is_right(self, override, fragments):
        key, _, _ = override.partition("=")
        message = refusal("default", [override])
        assert "recipe default" in message
        assert [fragment for fragment in [key, *fragments] if fragment not in message] == []
        assert "pydantic" not in message

    def test_all_are_told_at_once(self, write):
        path = write(
            "sed: 3\nloss: {scal: 1, scale: -1}\nencoder:\n  droput: 0.1\n  lstm_units: [0]\n"
            "text: {max_length: none}\n"
        )
        message = refusal(path, ["training.epochs=0", "loss", "seed.x=1"])
        expected = [
            path,
            "sed: unknown key; did you mean seed?",
            "loss.scal: unknown key; did you mean scale?",
            "loss.scale=-1",
            "encoder.droput: unknown key; did you mean dropout?",
            "text.max_length='none'",
            "training.epochs=0",
            "--set loss:",
            "seed=",
        ]
        assert [fragment for fragment in expected if fragment not in message] == []

    def test_a_broken_override_does_not_hide_the_others(self):
        message = refusal("default", ["loss.scale=[1", "seed=-1", "los.scale=2"])
        expected = ["loss.scale=[1", "seed=-1", "los: unknown key"]
        assert [fragment for fragment in expected if fragment not in message] == []

    def test_an_unknown_key_that_is_near_to_none_names_all(self):
        message = refusal("default", ["loss.qqqqq=1"])
        keys = (
            "name, scale, hard_negatives, ranking, ranking_scale, ranking_groups, distillation, "
            "options"
        )
        assert f"loss.qqqqq: unknown key; one of {keys}?" in message

    @pytest.mark.parametrize(
        ("overrides", "fragments"),
        [
            (
                ["sampling.method=notebook", "loss.hard_negatives=2"],
                ["loss.hard_negatives must be 0", "sampling.method=notebook"],
            ),
            (
                ["encoder.vectors=none", "encoder.train_embeddings=false"],
                ["encoder.train_embeddings=false", "encoder.vectors"],
            ),
            (
                ["loss.hard_negatives=1", "loss.ranking=1", "loss.name=cosent"],
                ["loss.ranking adds CoSENT", "set it to 0"],
            ),
            (
                ["training.epochs=3", "training.teacher_epochs=3"],
                ["training.teacher_epochs must be fewer", "loss.name=distillation"],
            ),
        ],
    )
    def test_settings_that_do_not_fit_together(self, overrides, fragments):
        message = refusal("fast", overrides)
        assert [fragment for fragment in fragments if fragment not in message] == []
        for override in overrides:
            needed = {"loss.ranking=1": 1, "loss.name=cosent": 1}.get(override, 0)
            ready = [f"loss.hard_negatives={needed}", "loss.ranking=0", "encoder.vectors=train"]
            load_recipe("fast", [*ready, override])

    def test_unlabelled_texts_need_a_teacher(self):
        message = refusal("fast", ["sampling.unlabelled=16"])
        assert "sampling.unlabelled draws texts to follow a teacher on: set" in message
        for follows in ("training.teacher_epochs=2", "loss.distillation=1"):
            assert load_recipe("fast", ["sampling.unlabelled=16", follows]).uses_teacher
        assert "multiple of 8" in refusal("distilled", ["sampling.unlabelled=12"])

    def test_an_epoch_follows_the_teacher_at_first_or_always(self):
        first = load_recipe("distilled", ["training.teacher_epochs=2"])
        assert [first.follows_teacher(epoch) for epoch in range(4)] == [True, True, False, False]
        always = load_recipe("fast", ["loss.distillation=1"])
        assert always.follows_teacher(99) and not load_recipe("default").uses_teacher

    def test_cosent_needs_labelled_negatives(self):
        for override in ("loss.ranking=1", "loss.name=cosent"):
            message = refusal("fast", ["loss.hard_negatives=0", override])
            assert f"{override.partition('=1')[0]} compares with labelled negatives" in message

    def test_an_unknown_loss_is_refused_unless_the_recipe_is_a_stored_one(self, tmp_path):
        message = refusal("fast", ["loss.name=contrastiv"])
        assert "loss.name='contrastiv': no such loss; did you mean contrastive?" in message
        own = Recipe(loss={"name": "MyTriplet", "options": {"margin": 0.2}})
        (tmp_path / "r.yaml").write_text(own.to_yaml(), encoding="utf-8")
        assert load_recipe(str(tmp_path / "r.yaml"), stored=True) == own
        assert "no such loss" in refusal(str(tmp_path / "r.yaml"))

    def test_two_misfits_are_told_at_once(self):
        message = refusal(
            "default",
            [
                "sampling.method=notebook",
                "loss.hard_negatives=2",
                "encoder.vectors=none",
                "encoder.train_embeddings=false",
            ],
        )
        assert "loss.hard_negatives must be 0" in message
        assert "encoder.train_embeddings=false" in message

    def test_an_unknown_recipe_suggests_the_nearest_and_names_all(self):
        message = refusal("defualt")
        assert "'defualt'; did you mean default?" in message
        assert [name for name in embedded_names("recipe") if name not in message] == []
        assert ".yaml" in message

    def test_a_missing_file(self, tmp_path):
        message = refusal(str(tmp_path / "none.yaml"))
        assert f"{tmp_path / 'none.yaml'}: cannot read the recipe" in message

    def test_a_folder(self, tmp_path):
        assert "cannot read the recipe" in refusal(f"{tmp_path}/")

    @pytest.mark.parametrize(
        ("content", "fragments"),
        [
            (b"loss: {scale: 1", ["not valid YAML", "line 1"]),
            (b"seed: 1\n\tloss: 2\n", ["not valid YAML", "line 2"]),
            (b"seed: !!python/object:os.system {}\n", ["not valid YAML"]),
            (b"seed: 2024-13-45\n", []),
            (b"- seed\n", ["expected settings"]),
            (b"just text\n", ["expected settings"]),
            (b"1: 2\n", ["1"]),
            ("# 中文\nseed: 1\n".encode("gbk"), ["utf-8"]),
            (b"seed: " + b"[" * 1000, []),
        ],
        ids=lambda value: repr(value[:20]) if isinstance(value, bytes) else "",
    )
    def test_a_file_that_is_no_recipe(self, tmp_path, content, fragments):
        path = tmp_path / "mine.yaml"
        path.write_bytes(content)
        message = refusal(str(path))
        assert [fragment for fragment in [str(path), *fragments] if fragment not in message] == []

    def test_a_value_of_any_length_is_told_in_a_line(self, write):
        for value in ("x" * 10_000, "[" + "1, " * 3000 + "1]", "1" * 4000, "0x" + "f" * 5000):
            message = refusal(write(f"loss: {{scale: {value}}}"))
            assert "loss.scale=" in message
            assert max(map(len, message.splitlines())) < 300

    @pytest.mark.parametrize(
        "key", ["training.epochs", "optimizer.warmup_steps", "sampling.batch_groups"]
    )
    def test_a_whole_number_that_nothing_could_compute_with(self, key):
        assert f"{key}={2**31}" in refusal("default", [f"{key}={2**31}"])

    def test_a_file_too_large_to_be_a_recipe_is_not_read(self, tmp_path):
        path = tmp_path / "mine.yaml"
        with path.open("wb") as stream:
            stream.truncate(1 << 40)  # a hole: takes no room
        assert "more than 1 MiB: not a recipe" in refusal(str(path))

    @pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be"])
    def test_a_file_with_a_mark_of_its_encoding_is_read(self, tmp_path, encoding):
        path = tmp_path / "mine.yaml"
        mark = "\ufeff" if encoding == "utf-16-be" else ""
        path.write_bytes(f"{mark}# 备注\nseed: 7\n".encode(encoding))
        assert load_recipe(str(path)).seed == 7

    def test_a_recipe_cannot_be_changed(self):
        with pytest.raises(ValueError, match="frozen"):
            load_recipe("default").loss.scale = math.pi
