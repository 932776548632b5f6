"""What is said about every mistake in a recipe."""

import math

import pytest
from recipe_settings import refusal

from siamese.config.loading import load_recipe
from siamese.config.recipe import Recipe
from siamese.config.yaml_files import embedded_names


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
