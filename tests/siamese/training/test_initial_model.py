"""A run that goes on from a model: which characters and weights it begins with, and how it ends."""

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from folder_bytes import contents
from tiny_run import GROUPS, PAIRS, TINY, KilledError, weights

import siamese
from siamese import SentenceEncoder, UserError
from siamese.config.loading import load_recipe
from siamese.data.dataset import TrainingData
from siamese.data.group import Group
from siamese.training.batches import Batches
from siamese.training.execution import Execution
from siamese.training.initial_model import InitialModel, find_initial_model
from siamese.training.preparation import prepare
from siamese.training.run_folder import RunFolder

OLD = {group.id: list(group.texts) for group in GROUPS[:8]}
# Of a later year: other things, with characters that no text before had.
NEW = {group.id: list(group.texts) for group in GROUPS[4:]} | {"new": ["碳账户怎么开", "开碳账户"]}
DEV = [(pair.text1, pair.text2, pair.label) for pair in PAIRS]
SETTINGS = {"vectors": "none", "embedding_dim": 8, "lstm_units": [6], "batch_groups": 6}
SETTINGS |= {"hard_negatives": 0, "ranking": 0, "epochs": 1}


def train(groups, run, **options) -> SentenceEncoder:
    return siamese.train(groups, DEV, "fast", run, **{**SETTINGS, **options})


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """A model of the old groups."""
    run = tmp_path_factory.mktemp("old") / "run"
    train(OLD, run)
    return run / "best"


@pytest.fixture
def initial(model, tmp_path) -> InitialModel:
    found = find_initial_model(model, RunFolder(tmp_path / "none"), "refuse", tmp_path / "copy")
    assert found
    return found


def recipe_with(*settings: str):
    return load_recipe(
        "fast", [*TINY, "loss.hard_negatives=0", "training.patience=null", *settings]
    )


def prepared_with(initial, *settings: str, groups=NEW):
    data = TrainingData.of_groups([Group(key, tuple(texts)) for key, texts in groups.items()])
    return prepare(recipe_with(*settings), data, [], initial=initial)


def row_of(encoder_or_prepared, character: str) -> np.ndarray:
    at = encoder_or_prepared
    table = at.embeddings if hasattr(at, "embeddings") else at.weights.characters
    return table[2 + at.vocabulary.characters.index(character)]


def test_counts_are_added_up_and_known_characters_keep_their_rows(model, initial) -> None:
    before = SentenceEncoder.load(model)
    prepared = prepared_with(initial)
    old = Counter("".join(text for texts in OLD.values() for text in texts))
    new = Counter("".join(text for texts in NEW.values() for text in texts))
    assert prepared.vocabulary.counts == old + new
    assert set(old) - set(new), "no character to forget"
    for character in old:
        assert np.array_equal(row_of(prepared, character), row_of(before, character))
    np.testing.assert_array_equal(prepared.embeddings[:2], before.weights.characters[:2])


def test_new_characters_get_different_random_rows_by_the_seed(initial) -> None:
    prepared = prepared_with(initial, "encoder.embedding_range=0.01")
    rows = np.array([row_of(prepared, character) for character in "碳账户"])
    assert (np.abs(rows) <= 0.01).all()
    assert len({row.tobytes() for row in rows}) == 3
    again, other = (
        prepared_with(initial, f"seed={s}", "encoder.embedding_range=0.01") for s in (1, 2)
    )
    assert np.array_equal(row_of(again, "碳"), rows[0])
    assert not np.array_equal(row_of(other, "碳"), rows[0])


def test_only_new_characters_can_be_too_rare(initial) -> None:
    prepared = prepared_with(initial, "text.min_count=1000")
    assert set(prepared.vocabulary.characters) == set(initial.contents.vocabulary.characters)


def test_characters_whose_rows_are_not_trained_begin_at_zeros(initial) -> None:
    settings = ("encoder.vectors=train", "encoder.train_embeddings=false")
    assert not row_of(prepared_with(initial, *settings), "碳").any()


def test_the_layers_begin_where_the_model_ended(model, tmp_path) -> None:
    """With a rate too small to change them, on the model's own groups, nothing is another."""
    went_on = train(OLD, tmp_path / "run", init=model, learning_rate=1e-12, scale=5, dropout=0.1)
    before = SentenceEncoder.load(model)
    assert went_on.vocabulary.characters == before.vocabulary.characters
    for one, other in zip(went_on.weights.flat(), before.weights.flat(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-9)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"embedding_dim": 16}, "encoder.embedding_dim: the model has 8, the recipe 16"),
        ({"lstm_units": [6, 7]}, "--set encoder.lstm_units=[6]"),
        ({"pooling": "max"}, "encoder.pooling: the model has mean, the recipe max"),
        ({"lowercase": False}, "--set text.lowercase=true"),
    ],
)
def test_another_core_is_refused_before_anything_is_written(
    model, tmp_path, settings, named
) -> None:
    with pytest.raises(UserError) as error:
        train(NEW, tmp_path / "run", init=model, **settings)
    assert named in str(error.value)
    assert str(error.value).count("--set") == 1
    assert not (tmp_path / "run").exists()


def test_all_of_a_core_that_differs_is_named_at_once(initial) -> None:
    recipe = recipe_with("encoder.pooling=attention", "encoder.lstm_units=[3]")
    with pytest.raises(UserError) as error:
        initial.check_core(recipe)
    assert str(error.value).count("--set") == 2
    # Heads say nothing of a model that has none.
    initial.check_core(recipe_with("encoder.attention_heads=3", "text.max_length=9"))


@pytest.fixture(scope="module")
def went_on(model, tmp_path_factory) -> Path:
    """A run that went on from the model, never stopped."""
    run = tmp_path_factory.mktemp("new") / "run"
    train(NEW, run, init=model, epochs=2)
    return run


def test_a_run_and_its_model_tell_what_they_went_on_from(model, went_on) -> None:
    encoder = SentenceEncoder.load(went_on / "best")
    origin = RunFolder(went_on).origin()
    assert origin["init"] == encoder.metrics["init"] == str(model)
    assert origin["init_sha256"] == encoder.metrics["init_sha256"]
    card = (went_on / "best" / "README.md").read_text(encoding="utf-8")
    assert str(model) in card
    assert origin["init_sha256"] in card
    assert "went on" not in (model / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("steps", [0, 2])
def test_a_killed_run_is_resumed_without_the_model(
    model, went_on, tmp_path, monkeypatch, steps
) -> None:
    """Before its first checkpoint, and after it; the model is gone by then."""
    make, taken = Batches.make, []

    def dying(self, epoch, step):
        if len(taken) > steps:
            raise KilledError
        taken.append(step)
        return make(self, epoch, step)

    moved = shutil.copytree(model, tmp_path / "model")
    execution = Execution(checkpoint_steps=1)
    with monkeypatch.context() as patch, pytest.raises(KilledError):
        patch.setattr(Batches, "make", dying)
        train(NEW, tmp_path / "run", init=moved, epochs=2, execution=execution)
    shutil.rmtree(moved)
    train(NEW, tmp_path / "run", existing="resume", epochs=2)
    assert weights(RunFolder(tmp_path / "run")) == weights(RunFolder(went_on))


def test_a_resumed_run_takes_no_other_model(model, went_on, tmp_path) -> None:
    before = {name: contents(went_on / name) for name in ("checkpoints", "best", "init")}
    with pytest.raises(UserError, match=f"went on from {model}, not from .*best"):
        train(NEW, went_on, init=went_on / "best", existing="resume", epochs=2)
    plain = model.parent
    with pytest.raises(UserError, match="went on from no model"):
        train(OLD, plain, init=model, existing="resume")
    train(NEW, went_on, init=model, existing="resume", epochs=2)
    assert {name: contents(went_on / name) for name in before} == before


def test_a_run_without_its_copy_asks_for_the_model(model, went_on, tmp_path) -> None:
    run = shutil.copytree(went_on, tmp_path / "run")
    shutil.rmtree(run / "init")
    with pytest.raises(UserError, match=f"again: --init {model}"):
        train(NEW, run, existing="resume", epochs=2)
    train(NEW, run, init=model, existing="resume", epochs=2)
    assert contents(run / "init") == contents(went_on / "init")


def test_a_model_in_the_run_that_is_replaced_is_refused(went_on) -> None:
    before = contents(went_on)
    with pytest.raises(UserError, match="in the run that would be replaced"):
        train(NEW, went_on, init=went_on / "best", existing="fresh")
    assert contents(went_on) == before


def test_a_damaged_model_is_refused_before_anything_is_written(model, tmp_path) -> None:
    damaged = shutil.copytree(model, tmp_path / "model")
    (damaged / "encoder.keras").write_bytes(b"")
    for init, error in ((damaged, "truncated or altered"), (tmp_path / "no", "no such folder")):
        with pytest.raises(UserError, match=error):
            train(NEW, tmp_path / "run", init=init)
    assert not (tmp_path / "run").exists()
