"""The loop: determinism, resuming, what a run leaves behind."""

import json
import math

import numpy as np
import pytest
from tiny_run import DATA, GROUPS, PAIRS, TINY, KilledError, run_in, weights

from siamese import SentenceEncoder, UserError
from siamese.config.loading import load_recipe, with_settings
from siamese.config.metrics import Metric
from siamese.config.recipe import Recipe
from siamese.data.dataset import TrainingData
from siamese.data.group import Group
from siamese.data.sampling import sample_rows
from siamese.encoder.keras_tf import tf
from siamese.evaluation.pair_metrics import evaluate_scores, labels_of, pair_scores
from siamese.storage.checkpoints import checkpoint_folders
from siamese.training.context import LocalContext
from siamese.training.execution import Execution
from siamese.training.loop import fit
from siamese.training.parts import Parts
from siamese.training.preparation import prepare
from siamese.training.run_folder import RunFolder


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> RunFolder:
    return run_in(tmp_path_factory.mktemp("run") / "a")


def test_the_same_settings_give_the_same_run(finished, tmp_path) -> None:
    again = run_in(tmp_path / "b")
    assert weights(again) == weights(finished)
    clock = ("groups_per_second", "train_seconds", "input_seconds", "evaluation_seconds")
    strip = [
        [{k: v for k, v in line.items() if k not in clock} for line in run.read_log()]
        for run in (finished, again)
    ]
    assert strip[0] == strip[1]


def test_another_seed_gives_another_run(finished, tmp_path) -> None:
    assert weights(run_in(tmp_path / "b", "seed=2")) != weights(finished)


@pytest.mark.parametrize("steps", [1, 4, 6])
def test_a_run_killed_at_any_step_and_resumed_ends_with_the_same_weights(
    finished, tmp_path, monkeypatch, steps
) -> None:
    """3 steps an epoch: killed in the first epoch, in the second, and at an epoch's last step."""
    taken = 0

    def dying(*args, **kwargs):
        nonlocal taken
        taken += 1
        if taken > steps:
            raise KilledError
        return sample_rows(*args, **kwargs)

    monkeypatch.setattr("siamese.training.batches.sample_rows", dying)
    with pytest.raises(KilledError):
        run_in(tmp_path / "b")
    monkeypatch.undo()
    resumed = run_in(tmp_path / "b", fresh=False)
    assert weights(resumed) == weights(finished)
    logged = [
        [(line["event"], line["step"]) for line in run.read_log() if line["event"] != "start"]
        for run in (resumed, finished)
    ]
    assert logged[0] == logged[1]


def test_resuming_a_finished_run_changes_nothing(finished, tmp_path) -> None:
    run = run_in(tmp_path / "b")
    before, log = weights(run), run.read_log()
    run_in(tmp_path / "b", fresh=False)
    assert weights(run) == before
    assert run.read_log()[:-1] == log and run.read_log()[-1]["event"] == "start"


def test_best_is_the_epoch_of_the_highest_metric_with_its_threshold(finished) -> None:
    evaluations = [line for line in finished.read_log() if line["event"] == "evaluation"]
    assert len(evaluations) == 3
    best = max(evaluations, key=lambda line: line["roc_auc"])
    encoder = SentenceEncoder.load(finished.best)
    assert encoder.metrics["epoch"] == best["epoch"]
    assert encoder.threshold == best["threshold"]
    scores = pair_scores(PAIRS, encoder.encode, "cosine")
    again = evaluate_scores(scores, labels_of(PAIRS), encoder.threshold)
    assert again.roc_auc == pytest.approx(best["roc_auc"])
    assert again.accuracy == best["accuracy"]


def test_a_run_leaves_the_files_of_the_design(finished) -> None:
    names = {path.name for path in finished.path.iterdir()}
    assert names == {
        "recipe.yaml",
        "data.json",
        "metrics.jsonl",
        "tensorboard",
        "checkpoints",
        "best",
        "best_scores.parquet",
    }
    assert len(checkpoint_folders(finished.checkpoints)) == 2
    assert isinstance(load_recipe(str(finished.recipe_file)), Recipe)
    for line in finished.metrics_file.read_text(encoding="utf-8").splitlines():
        json.loads(line)


def test_patience_ends_a_run_that_no_longer_improves(tmp_path) -> None:
    # A rate too small to change a figure: the first epoch stays the best.
    run = run_in(
        tmp_path / "b", "optimizer.learning_rate=1e-12", "training.epochs=9", "training.patience=2"
    )
    epochs = [line["epoch"] for line in run.read_log() if line["event"] == "evaluation"]
    assert epochs == [1, 2, 3]


def test_training_makes_the_loss_fall(tmp_path) -> None:
    run = run_in(tmp_path / "b", "training.epochs=20", "encoder.dropout=0")
    losses = [line["loss"] for line in run.read_log() if line["event"] == "evaluation"]
    assert losses[-1] < 0.5 * losses[0]


def test_a_diverged_loss_ends_the_run_with_advice(tmp_path, monkeypatch) -> None:
    diverged = "siamese.training.losses.contrastive.Contrastive.__call__"
    monkeypatch.setattr(diverged, lambda _, inputs: tf.reduce_sum(inputs.embeddings) * math.nan)
    with pytest.raises(UserError, match="learning_rate"):
        run_in(tmp_path / "b")


def test_a_resume_with_another_recipe_or_other_data_names_what_differs(finished) -> None:
    recipe = load_recipe("fast", [*TINY, "loss.scale=7", "seed=3"])
    with pytest.raises(UserError) as error:
        finished.check_same(recipe, {"hash": "tests"})
    assert "loss.scale: was 20.0, is 7.0" in str(error.value)
    assert "seed: was 1, is 3" in str(error.value)
    with pytest.raises(UserError, match="other data"):
        finished.check_same(load_recipe("fast", list(TINY)), {"hash": "others"})


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("optimizer.warmup_steps=9", r"warmup_steps=9, but the whole run has 9 steps"),
        ("sampling.batch_groups=19", r"18 groups are fewer .*batch_groups=19"),
    ],
)
def test_a_recipe_that_does_not_suit_the_data_is_refused(setting, words) -> None:
    with pytest.raises(UserError, match=words):
        prepare(load_recipe("fast", [*TINY, setting]), DATA, PAIRS)


def test_hard_negatives_that_are_not_there_change_nothing(tmp_path) -> None:
    groups = [Group(g.id, g.texts) for g in GROUPS]
    none = TrainingData.of_groups(groups)
    without = ("loss.hard_negatives=0", "loss.ranking=0")
    runs = [run_in(tmp_path / "a", data=none), run_in(tmp_path / "b", *without, data=none)]
    assert weights(runs[0]) == weights(runs[1])


def test_what_a_kill_left_half_written_is_swept_on_resume(finished, tmp_path) -> None:
    run = run_in(tmp_path / "b")
    (run.path / ".best.x1").mkdir()
    (run.checkpoints / ".step-00000003.x2").mkdir()
    (run.path / ".metrics.jsonl.x3").touch()
    (run.tensorboard / ".events.out.tfevents.1.x4").touch()
    run_in(tmp_path / "b", fresh=False)
    assert not list(run.path.rglob(".*"))
    assert weights(run) == weights(finished)


def mrr_by_hand(vectors: dict[str, np.ndarray]) -> float:
    """The mean reciprocal rank of the first paraphrase: each text sorts all others."""
    joined = [{pair.text1, pair.text2} for pair in PAIRS if pair.label]
    ranks = []
    for query, own in vectors.items():
        mates = set().union(*(texts for texts in joined if query in texts)) - {query}
        if not mates:
            continue
        others = [text for text in vectors if text != query]
        lengths = {text: np.linalg.norm(own) * np.linalg.norm(vectors[text]) for text in others}
        others.sort(key=lambda text: -(own @ vectors[text]) / lengths[text])
        ranks.append(1 + next(i for i, text in enumerate(others) if text in mates))
    return float(np.mean(1 / np.array(ranks)))


def test_retrieval_picks_the_epoch_that_a_restatement_picks(tmp_path) -> None:
    run = run_in(
        tmp_path / "b",
        "evaluation.metric=mrr",
        "training.epochs=6",
        "optimizer.learning_rate=0.2",
        "seed=2",
        execution=Execution(keep_checkpoints=99),
    )
    best = SentenceEncoder.load(run.best)
    texts = list(dict.fromkeys(text for pair in PAIRS for text in (pair.text1, pair.text2)))
    expected = []
    for checkpoint in checkpoint_folders(run.checkpoints):
        with np.load(checkpoint / "variables.npz") as values:
            for number, variable in enumerate(best.model.variables):
                variable.assign(values[f"model{number}"])
        best.refresh()
        vectors = best.encode(texts).astype(np.float64)
        expected.append(mrr_by_hand(dict(zip(texts, vectors, strict=True))))
    logged = [line for line in run.read_log() if line["event"] == "evaluation"]
    assert [line["mrr"] for line in logged] == pytest.approx(expected)
    picked = int(np.argmax(expected))
    assert picked != np.argmax([line["roc_auc"] for line in logged])  # or it would prove nothing
    kept = SentenceEncoder.load(run.best).metrics
    assert (kept["epoch"], kept["mrr"]) == (picked + 1, logged[picked]["mrr"])
    assert kept["threshold"] == logged[picked]["threshold"]


class Length:
    """An evaluator of a user's own: lower is better."""

    name = "length"
    metrics = (Metric("length", "mean length", higher_is_better=False),)

    def __call__(self, encode, pairs):
        vectors = encode([pair.text1 for pair in pairs])
        return {"length": float(np.linalg.norm(vectors, axis=1).mean())}


def test_a_users_own_metric_picks_the_epoch_in_its_own_direction(tmp_path, capsys) -> None:
    recipe = with_settings(load_recipe("fast", list(TINY)), {"evaluation.metric": "length"})
    run = RunFolder(tmp_path / "b")
    run.start(recipe, {"hash": "tests"}, fresh=True)
    parts = Parts(evaluators=(Length(),), trackers=())
    fit(LocalContext(run), recipe, DATA, PAIRS, prepare(recipe, DATA, PAIRS), parts)
    lengths = [line["length"] for line in run.read_log() if line["event"] == "evaluation"]
    kept = SentenceEncoder.load(run.best)
    assert kept.metrics["epoch"] == int(np.argmin(lengths)) + 1
    assert kept.recipe.evaluation.metric == "length"  # what is stored stays readable
    run.check_same(recipe, {"hash": "tests"})
    assert f"length {lengths[0]:.4f}" in capsys.readouterr().out


class Kept:
    """A tracker of a user's own, which keeps what it gets."""

    def __init__(self) -> None:
        self.started: list[tuple[str, int, int]] = []
        self.figures: list[tuple[str, dict, int]] = []
        self.closed: list[bool] = []

    def start(self, run, recipe, step):
        self.started.append((run.location, recipe.seed, step))

    def log(self, event, values, step):
        self.figures.append((event, dict(values), step))

    def close(self, finished):
        self.closed.append(finished)


def test_a_users_own_tracker_gets_the_figures_of_the_log(tmp_path) -> None:
    tracker = Kept()
    run = run_in(tmp_path / "b", parts=Parts(trackers=(tracker,)))
    lines = [line for line in run.read_log() if line["event"] != "start"]
    assert len(lines) == 3 * 3 + 3
    assert tracker.figures == [
        (line.pop("event"), {k: v for k, v in line.items() if k not in ("epoch", "step")}, at)
        for line in lines
        for at in [line["step"]]
    ]
    assert (tracker.started, tracker.closed) == ([(str(run.path), 1, 0)], [True])
    assert not run.tensorboard.exists()


def test_a_tracker_is_closed_by_an_error_too(tmp_path, monkeypatch) -> None:
    tracker = Kept()
    monkeypatch.setattr("siamese.training.batches.sample_rows", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run_in(tmp_path / "b", parts=Parts(trackers=(tracker,)))
    assert (tracker.figures, tracker.closed) == ([], [False])
