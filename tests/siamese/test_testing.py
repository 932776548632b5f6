"""The conformance suite: ours pass, a user's loss passes, each law catches what breaks it."""

import json
import pickle
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from siamese.config import recipe
from siamese.config.parts import load_part, part_names
from siamese.data.format import WHOLE_FILE, FileRange, Format
from siamese.data.group import Group
from siamese.encoder.bilstm_keras import build_encoder
from siamese.encoder.bilstm_tf import build_packed
from siamese.encoder.keras_tf import keras, tf
from siamese.encoder.layers import AttentionPooling, MaskedPooling
from siamese.errors import UserError
from siamese.testing import (
    LawBroken,
    check_encoder,
    check_evaluator,
    check_exporter,
    check_format,
    check_loss,
    check_pooling,
    check_tracker,
    encoders,
    evaluators,
    exporters,
    formats,
    laws,
    losses,
    tiny,
    trackers,
)
from siamese.testing.exporters import make_encoder as make_sentence_encoder
from siamese.training.loss import Loss, LossInputs, build_loss, excluded_columns, read_options


def broken(*checks: Callable[[], None]) -> set[str]:
    """The laws that some checks find broken."""
    found = set()
    for check in checks:
        try:
            check()
        except LawBroken as error:
            assert error.law in str(error)
            found.add(error.law)
    return found


def broken_by_loss(build, settings=recipe.Loss(name="own")) -> set[str]:  # noqa: B008
    laws_of_losses = (
        losses.workers_equal_one,
        losses.micro_batches_equal_whole,
        losses.padding_and_order_change_nothing,
        losses.resumed_equals_unbroken,
        losses.saved_equals_loaded,
    )
    return broken(*(lambda law=law: law(build, settings) for law in laws_of_losses))


def broken_by_encoder(make) -> set[str]:
    laws_of_encoders = (
        encoders.workers_equal_one,
        encoders.micro_batches_equal_whole,
        encoders.padding_and_order_change_nothing,
        encoders.resumed_equals_unbroken,
        encoders.saved_equals_loaded,
    )
    return broken(*(lambda law=law: law(make) for law in laws_of_encoders))


# Ours.


@pytest.mark.parametrize(
    "settings",
    [
        {"scale": 15},
        {"name": "distillation"},
        {"scale": 15, "hard_negatives": 3, "ranking": 1, "distillation": 20},
        {"name": "cosent", "ranking_scale": 7, "hard_negatives": 1},
        {"ranking": 0.5, "hard_negatives": 1},
    ],
    ids=["contrastive", "distillation", "all three", "cosent", "both"],
)
def test_our_losses_keep_all_laws(settings) -> None:
    check_loss(build_loss, recipe.Loss(**settings))


@pytest.mark.parametrize("at_once", [2, 4])
def test_a_ranking_of_a_few_groups_at_a_time_keeps_all_but_that_of_order(at_once) -> None:
    settings = recipe.Loss(ranking=1, ranking_groups=at_once, hard_negatives=1)
    losses.workers_equal_one(build_loss, settings)
    losses.micro_batches_equal_whole(build_loss, settings)
    losses.resumed_equals_unbroken(build_loss, settings)
    losses.saved_equals_loaded(build_loss, settings)
    with pytest.raises(LawBroken, match="order"):  # which groups are ranked together
        losses.padding_and_order_change_nothing(build_loss, settings)


@pytest.mark.parametrize("groups_at_once", [1, 5])
def test_the_contrastive_loss_keeps_them_in_slices(groups_at_once, monkeypatch) -> None:
    at_once = groups_at_once * 2 * len(tiny.make_share().batch.column_keys)
    monkeypatch.setattr("siamese.training.losses.contrastive.COMPARED_AT_ONCE", at_once)
    losses.workers_equal_one(build_loss)
    losses.padding_and_order_change_nothing(build_loss)


@pytest.mark.parametrize(
    "make",
    [lambda: MaskedPooling("mean"), lambda: MaskedPooling("max"), lambda: AttentionPooling(4)],
    ids=["mean", "max", "attention"],
)
def test_our_poolings_keep_all_laws(make) -> None:
    check_pooling(make)


def test_our_encoder_keeps_all_laws() -> None:
    """With final states; the other poolings have their own test, and are compared with Keras's."""

    def make() -> tiny.Encoder:
        keras.utils.set_random_seed(1)
        settings = recipe.Encoder(lstm_units=(4,), dropout=0.3, pooling="last")
        table = np.random.default_rng(1).normal(size=(tiny.CHARACTERS, 5)).astype(np.float32)
        _, model = build_encoder(settings, table)
        return tiny.Encoder(build_packed(model, settings), model.trainable_variables)

    check_encoder(make)


# A user's.


class Triplet:
    """Every text nearer to its partner than to any text of another group, by a margin."""

    def __init__(self, margin: float) -> None:
        self.margin = margin

    def __call__(self, inputs: LossInputs) -> tf.Tensor:
        columns = inputs.columns()
        near = tf.reduce_sum(inputs.first * inputs.second, axis=1)
        excluded = inputs.excluded(columns)

        def far(rows: tf.Tensor) -> tf.Tensor:
            cosines = tf.matmul(rows, columns.unit, transpose_b=True)
            return tf.reduce_max(tf.where(excluded, -1.0, cosines), axis=1)

        wrong = tf.stack([far(inputs.first), far(inputs.second)])
        return inputs.mean(tf.nn.relu(self.margin + wrong - near))


def build_triplet(settings: recipe.Loss) -> Triplet:
    return Triplet(**read_options(settings, {"margin": 0.1}))


def test_a_loss_of_twenty_lines_keeps_all_laws() -> None:
    check_loss(build_triplet, recipe.Loss(name="triplet", options={"margin": 0.3}))


# Broken ones: what each breaks, and nothing else.


class OwnMean(Triplet):
    """Divides by the local rows."""

    def __call__(self, inputs: LossInputs) -> tf.Tensor:
        return super().__call__(inputs) * inputs.replicas


class OwnColumns(Triplet):
    """Never sees the columns of other workers."""

    def __call__(self, inputs: LossInputs) -> tf.Tensor:
        own = inputs.columns().own
        keys = (inputs.own_groups, inputs.own_keys, inputs.column_keys)
        excluded = excluded_columns(*keys, inputs.groups)
        cosines = tf.matmul(inputs.first, own, transpose_b=True)
        far = tf.reduce_max(tf.where(excluded, -1.0, cosines), axis=1)
        near = tf.reduce_sum(inputs.first * inputs.second, axis=1)
        return inputs.mean(tf.nn.relu(self.margin + far - near))


class EarlyRowsFirst(Triplet):
    """Weighs rows by their position."""

    def __call__(self, inputs: LossInputs) -> tf.Tensor:
        apart = tf.reduce_sum((inputs.first - inputs.second) ** 2, axis=1)
        return inputs.mean(apart / tf.range(1.0, tf.cast(tf.size(apart) + 1, tf.float32)))


class Annealed(Triplet):
    """Counts its own calls."""

    calls = 0

    def __call__(self, inputs: LossInputs) -> tf.Tensor:
        self.calls += 1
        return super().__call__(inputs) / self.calls


def build_forgetful(settings: recipe.Loss) -> Loss:
    """Takes its setting out of the recipe."""
    return Triplet(settings.options.pop("margin", 1.0))


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (lambda settings: OwnMean(0.3), {laws.WORKERS}),
        (lambda settings: OwnColumns(0.3), {laws.WORKERS}),
        (lambda settings: EarlyRowsFirst(0.3), {laws.ORDER, laws.WORKERS}),
        (lambda settings: Annealed(0.3), {laws.RESUMED}),
    ],
    ids=["own mean", "own columns", "by position", "counts its calls"],
)
def test_a_broken_loss_is_caught_by_the_laws_that_it_breaks(build, expected) -> None:
    assert broken_by_loss(build) == expected
    with pytest.raises(LawBroken):
        check_loss(build)


def test_a_loss_that_takes_a_setting_out_of_the_recipe_is_caught() -> None:
    settings = recipe.Loss(name="forgetful", options={"margin": 0.3})
    assert broken(lambda: losses.saved_equals_loaded(build_forgetful, settings)) == {laws.SAVED}


def test_what_is_wrong_is_told_in_numbers() -> None:
    with pytest.raises(LawBroken, match=r"`N workers = 1` is broken: .* of 2 workers") as error:
        losses.workers_equal_one(lambda settings: OwnMean(0.3))
    found, expected = re.search(r" is (\S+), not (\S+)$", str(error.value)).groups()
    assert float(found) == pytest.approx(2 * float(expected), rel=1e-5)


def test_numbers_that_round_are_the_same_and_others_are_not() -> None:
    laws.require_same(laws.SAVED, {"a": [2.0, np.inf]}, {"a": [2.0, np.inf]})
    laws.require_same(laws.ORDER, {"a": [1000.0, 1.01]}, {"a": [1000.0, 1.0]}, 2e-5)
    for wrong in ([2.0, 1.1], [2.0, np.nan], [2.0], [[2.0, 1.0]]):
        with pytest.raises(LawBroken, match="`saved = loaded` is broken: a"):
            laws.require_same(laws.SAVED, {"a": wrong}, {"a": [2.0, 1.0]}, 0.01)
    with pytest.raises(LawBroken, match=re.escape("['b'] where there should be ['a']")):
        laws.require_same(laws.SAVED, {"b": [1]}, {"a": [1]})


def test_replicas_that_gather_unequally_often_are_caught() -> None:
    class FirstOnly(Triplet):
        def __call__(self, inputs: LossInputs) -> tf.Tensor:
            values = inputs.first if inputs.replica else inputs.gather(inputs.first)
            return inputs.mean(values)

    with pytest.raises(LawBroken, match="1 of 2 workers gather 1 times"):
        losses.workers_equal_one(lambda settings: FirstOnly(0.3))


def test_a_loss_that_nothing_depends_on_cannot_be_checked() -> None:
    with pytest.raises(ValueError, match="nothing to check"):
        check_loss(lambda settings: lambda inputs: tf.constant(1.0))


def encoder_with(make_layer: Callable[[], keras.layers.Layer]) -> Callable[[], tiny.Encoder]:
    """Makes encoders whose embeddings go through another layer."""

    def make() -> tiny.Encoder:
        plain, layer = tiny.make_encoder(), make_layer()

        def embed(ids: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
            return layer(plain.embed(ids, noise), training=True)

        return tiny.Encoder(embed, plain.variables)

    return make


class Centred(keras.layers.Layer):
    """Takes the mean of all rows away."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return inputs - tf.reduce_mean(inputs, axis=0)


@pytest.mark.parametrize(
    ("make_layer", "expected"),
    [
        # Its masks depend on how often it was called, and on where a row stands.
        (
            lambda: keras.layers.Dropout(0.4, seed=3),
            {laws.WORKERS, laws.MICRO_BATCHES, laws.ORDER, laws.RESUMED},
        ),
        (Centred, {laws.WORKERS, laws.MICRO_BATCHES}),
    ],
    ids=["ordinary dropout", "depends on the other rows"],
)
def test_a_broken_encoder_is_caught_in_micro_batches(make_layer, expected) -> None:
    assert broken_by_encoder(encoder_with(make_layer)) == expected


class MeanOfAll(MaskedPooling):
    """Counts padding."""

    def __init__(self) -> None:
        super().__init__("mean")

    def call(self, inputs: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean(inputs * tf.cast(mask, tf.float32)[..., None], axis=1)


def test_a_pooling_that_counts_padding_is_caught() -> None:
    """In micro-batches too, which are padded to their own longest texts."""
    found = broken_by_encoder(lambda: tiny.make_encoder(MeanOfAll))
    assert found == {laws.ORDER, laws.MICRO_BATCHES}


class Powered(MaskedPooling):
    """Forgets its power when it is saved."""

    def __init__(self, power: float = 1.0, **config: object) -> None:
        super().__init__(**{"method": "mean", **config})
        self.power = power

    def call(self, inputs: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        return super().call(tf.abs(inputs) ** self.power, mask)


def test_a_pooling_that_forgets_a_setting_when_it_is_saved_is_caught() -> None:
    encoders.layer_saved_equals_loaded(lambda: Powered(1.0))
    assert broken(lambda: encoders.layer_saved_equals_loaded(lambda: Powered(2.0))) == {laws.SAVED}
    assert broken_by_encoder(lambda: tiny.make_encoder(lambda: Powered(2.0))) == set()
    with pytest.raises(LawBroken, match="saved = loaded"):
        check_pooling(lambda: Powered(2.0))


# Evaluators.


@pytest.mark.parametrize("name", part_names("evaluator"))
@pytest.mark.parametrize("settings", [{}, {"similarity": "notebook", "threshold": 0.5}])
def test_our_evaluators_keep_their_laws(name, settings) -> None:
    check_evaluator(load_part("evaluator", name), recipe.Evaluation(**settings))


class MeanSimilarity:
    """A user's: how much nearer positive pairs are than negative ones."""

    def __init__(self, squared: bool = False) -> None:
        self.squared = squared

    def __call__(self, encode, pairs) -> dict[str, float]:
        pairs = sorted(pairs, key=lambda pair: (pair.text1, pair.text2))
        one = encode([pair.text1 for pair in pairs]).astype(np.float64)
        two = encode([pair.text2 for pair in pairs])
        scores = (one * two).sum(axis=1) ** (2 if self.squared else 1)
        labels = np.array([pair.label for pair in pairs])
        return {"lead": scores[labels == 1].mean() - scores[labels == 0].mean()}


class FirstPair(MeanSimilarity):
    def __call__(self, encode, pairs) -> dict[str, float]:
        return {"lead": float(encode([pairs[0].text1]).sum())}


class Smoothed(MeanSimilarity):
    before = None

    def __call__(self, encode, pairs) -> dict[str, float]:
        now = super().__call__(encode, pairs)["lead"]
        self.before = now if self.before is None else 0.9 * self.before
        return {"lead": self.before}


class Ranked(MeanSimilarity):
    """Every worker looks at its own texts only: it knows how many embeddings it got last."""

    made = 0

    def __init__(self) -> None:
        super().__init__()
        Ranked.made += 1

    def __call__(self, encode, pairs) -> dict[str, float]:
        return {"lead": float(encode([pair.text1 for pair in pairs][Ranked.made % 2 :]).sum())}


def broken_by_evaluator(build) -> set[str]:
    laws_of_evaluators = (
        evaluators.workers_equal_one,
        evaluators.order_changes_nothing,
        evaluators.resumed_equals_unbroken,
        evaluators.saved_equals_loaded,
    )
    return broken(*(lambda law=law: law(build) for law in laws_of_evaluators))


def test_an_evaluator_of_a_users_own_keeps_all_laws_and_broken_ones_are_caught() -> None:
    check_evaluator(lambda evaluation: MeanSimilarity())
    assert broken_by_evaluator(lambda evaluation: FirstPair()) == {laws.ORDER}
    assert broken_by_evaluator(lambda evaluation: Smoothed()) == {laws.RESUMED}
    assert laws.WORKERS in broken(lambda: evaluators.workers_equal_one(lambda evaluation: Ranked()))


# Trackers.


def read_tensorboard(run) -> dict:
    found = {}
    for path in sorted(run.tensorboard.glob("*")):
        for record in tf.data.TFRecordDataset(str(path)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            for value in event.summary.value:
                assert (value.tag, event.step) not in found
                found[value.tag, event.step] = float(tf.make_ndarray(value.tensor))
    return found


def read_mlflow(run) -> dict:
    from mlflow import MlflowClient

    client = MlflowClient()
    key = json.loads(run.mlflow_file.read_text())["key"]
    [tracked] = client.search_runs(
        [client.get_experiment_by_name("siamese-ray").experiment_id],
        f"tags.`siamese_ray.key` = '{key}'",
    )
    points = [
        (name, point)
        for name in tracked.data.metrics
        for point in client.get_metric_history(tracked.info.run_id, name)
    ]
    found = {(name, point.step): point.value for name, point in points}
    assert len(found) == len(points)
    return found


READ = {"tensorboard": read_tensorboard, "mlflow": read_mlflow}


@pytest.mark.parametrize("name", part_names("tracker"))
def test_our_trackers_keep_their_laws(name, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    check_tracker(load_part("tracker", name), READ[name])


class Lines:
    """A user's tracker: a file of lines."""

    def start(self, run, recipe, step) -> None:
        self.path = run.path / "lines.json"
        self.lines = json.loads(self.path.read_text()) if self.path.exists() else []
        self.lines = [line for line in self.lines if line[1] <= step]

    def log(self, event, values, step) -> None:
        self.lines += [(f"{event}/{name}", step, value) for name, value in values.items()]
        self.path.write_text(json.dumps(self.lines))

    def close(self, finished) -> None:
        pass


class Forgetful(Lines):
    """Begins anew."""

    def start(self, run, recipe, step) -> None:
        super().start(run, recipe, step)
        self.lines = []


def read_lines(run) -> dict:
    lines = json.loads((run.path / "lines.json").read_text())
    return {(name, step): value for name, step, value in lines}


def test_a_tracker_of_a_users_own_keeps_the_laws_and_a_broken_one_is_caught() -> None:
    check_tracker(Lines, read_lines)
    assert broken(lambda: trackers.resumed_equals_unbroken(Forgetful, read_lines)) == {laws.RESUMED}
    trackers.saved_equals_loaded(Forgetful, read_lines)


# Formats.

SAMPLES = {
    "json_object": (".json", '{"a": ["甲", "乙"], "b": ["丙", "丁", "戊"], "c": ["己", "庚"]}'),
    "json_lines": (
        ".jsonl",
        '{"id": "a", "texts": ["甲", "乙"], "negatives": ["反"]}\n\n'
        '{"id": "b", "texts": ["丙", "丁"]}\r\n{"id": "c", "texts": ["戊"], "negatives": ["己"]}',
    ),
    "delimited": (".csv", 'text1,text2,label\n甲,"乙, 丙",1\n甲,丁,0\n戊,己,1\n'),
    "plain_text": (".txt", "甲\t乙\t1\n甲\t丙\t0\n丁\t戊\t1\n"),
}


@pytest.mark.parametrize(
    "name", [name for name in part_names("format") if name not in ("arrow", "parquet")]
)
def test_our_formats_keep_their_laws(name, tmp_path) -> None:
    suffix, content = SAMPLES[name]
    path = tmp_path / f"sample{suffix}"
    path.write_text(content, encoding="utf-8")
    check_format(load_part("format", name)(), path)


COLUMNS = {"id": ["a", "b", "c"], "texts": [["甲", "乙"], ["丙", "丁"], ["戊", "己"]]}


def test_arrow_keeps_the_laws(tmp_path) -> None:
    table = pa.table(COLUMNS)
    with pa.ipc.new_stream(tmp_path / "sample.arrow", table.schema) as writer:
        writer.write_table(table, max_chunksize=1)
    check_format(load_part("format", "arrow")(), tmp_path / "sample.arrow")


def test_parquet_keeps_the_laws(tmp_path) -> None:
    pq.write_table(pa.table(COLUMNS), tmp_path / "sample.parquet", row_group_size=1)
    check_format(load_part("format", "parquet")(), tmp_path / "sample.parquet")


class Words(Format):
    """A user's: a group a line, its texts separated by `|`."""

    suffixes = (".words",)
    read = 0

    def ranges(self, file, size):
        for start in range(0, file.size(), size):
            yield FileRange(start, min(start + size, file.size()), size)

    def groups(self, file, range_=WHOLE_FILE):
        for _, line in file.lines(range_.start, range_.end):
            yield Group(line, tuple(line.split("|")))


class Careless(Words):
    """Takes the line that a range begins within as one that begins there."""

    def groups(self, file, range_=WHOLE_FILE):
        end = range_.end if range_.end is not None else file.size()
        with file.open() as stream:
            stream.seek(range_.start)
            for line in stream.read(end - range_.start).decode("utf-8", "replace").splitlines():
                yield Group(line, tuple(line.split("|")))


class Counting(Words):
    """Numbers the groups, whoever reads them."""

    def groups(self, file, range_=WHOLE_FILE):
        for group in super().groups(file, range_):
            self.read += 1
            yield Group(f"{self.read}", group.texts)


def test_a_format_of_a_users_own_keeps_the_laws_and_broken_ones_are_caught(tmp_path) -> None:
    path = tmp_path / "sample.words"
    path.write_text("a1|a2\nb1|b2|b3\nc1|c2\n")
    check_format(Words(), path)
    assert broken(lambda: formats.ranges_equal_whole(Careless(), path)) == {laws.MICRO_BATCHES}
    formats.resumed_equals_unbroken(Careless(), path)
    formats.saved_equals_loaded(Careless(), path)
    assert broken(lambda: formats.resumed_equals_unbroken(Counting(), path)) == {laws.RESUMED}
    path.write_text("")
    with pytest.raises(UserError):
        check_format(Words(), path)


# Exporters. Ours are checked in `tests/siamese/export/exporters/`.


class Pickled:
    """A user's: the whole encoder in a file."""

    def write(self, encoder, folder):
        (folder / "encoder").write_bytes(pickle.dumps(encoder))
        return {"notes": []}

    def load(self, folder):
        return pickle.loads((folder / "encoder").read_bytes()).encode


class Lower(Pickled):
    """Folds case as a tokenizer's `Lowercase` does."""

    def load(self, folder):
        encode = super().load(folder)
        return lambda texts: encode([text.lower().replace("ß", "?") for text in texts])


class Elsewhere(Pickled):
    """Remembers where it wrote."""

    def write(self, encoder, folder):
        (folder / "where").write_text(str(folder))
        return super().write(encoder, folder)

    def load(self, folder):
        return super().load(Path((folder / "where").read_text()))


class Padded(Pickled):
    """Lets the longest text of a batch change the others."""

    def load(self, folder):
        encode = super().load(folder)
        return lambda texts: encode(texts) + np.float32(1e-4 * (max(map(len, texts)) < 9))


def test_an_exporter_of_a_users_own_keeps_the_laws_and_broken_ones_are_caught() -> None:
    check_exporter(Pickled, ["mean"])
    encoder = make_sentence_encoder("mean")
    assert broken(lambda: exporters.saved_equals_loaded(Lower, encoder)) == {laws.SAVED}
    exporters.padding_and_order_change_nothing(Lower, encoder)
    with pytest.raises(FileNotFoundError):
        exporters.saved_equals_loaded(Elsewhere, encoder)
    assert broken(lambda: exporters.padding_and_order_change_nothing(Padded, encoder)) == {
        laws.ORDER
    }
    exporters.saved_equals_loaded(Padded, encoder)
