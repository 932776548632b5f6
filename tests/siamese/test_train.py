"""`siamese.train`: one call from what Python holds to an encoder."""

import doctest
import json
import os
import shutil
import sys
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from folder_bytes import contents
from paths import ROOT, SAMPLE
from tiny_run import GROUPS, PAIRS
from tiny_run import weights as weights_of_run

import siamese
import siamese.train_encoder
from siamese import SentenceEncoder, UserError
from siamese.config.loading import load_recipe
from siamese.config.metrics import Metric
from siamese.data.in_memory import data_set_of
from siamese.storage.ownership import owning
from siamese.train_encoder import parts_of
from siamese.training.execution import Execution
from siamese.training.run_folder import RunFolder
from siamese.training.training_run import Here, TrainingRun

TEXTS = {group.id: list(group.texts) for group in GROUPS}
DEV = [(pair.text1, pair.text2, pair.label) for pair in PAIRS]
TINY = {
    "vectors": "none",
    "embedding_dim": 8,
    "lstm_units": [6],
    "batch_groups": 6,
    "epochs": 2,
    "hard_negatives": 0,
    "ranking": 0,
}


def train(groups=TEXTS, dev=DEV, recipe="fast", run=None, **overrides) -> SentenceEncoder:
    return siamese.train(groups, dev, recipe, run, **{**TINY, **overrides})


def weights(encoder: SentenceEncoder) -> list[bytes]:
    return [array.tobytes() for array in encoder.weights.flat()]


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """The run that the groups as a dictionary give."""
    run = tmp_path_factory.mktemp("trained") / "run"
    train(run=run)
    return run


def test_the_docstrings_example_is_true(monkeypatch) -> None:
    monkeypatch.chdir(ROOT)
    [example] = [
        each
        for each in doctest.DocTestFinder().find(siamese.train_encoder)
        if each.name.endswith(".train")
    ]
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    assert runner.run(example).failed == 0
    assert runner.tries >= 4


class Recorded(Here):
    """A place that trains nothing: the best epoch has the model of another run."""

    runs: ClassVar[list[TrainingRun]] = []
    model: ClassVar[Path]

    def carry_out(self, run: TrainingRun, folder: RunFolder) -> None:
        self.runs.append(run)
        shutil.copytree(self.model, folder.best)


@pytest.fixture
def recorded(trained, monkeypatch) -> type[Recorded]:
    """In the place of training; has the runs that were asked for."""
    monkeypatch.setattr(Recorded, "runs", [])
    monkeypatch.setattr(Recorded, "model", trained / "best", raising=False)
    monkeypatch.setattr(siamese.train_encoder, "Here", Recorded)
    return Recorded


class TestGroups:
    @pytest.mark.parametrize("form", ["file", "files", "frame", "dictionary", "data set"])
    def test_every_form_of_the_same_groups_gives_the_same_data_set(
        self, trained, recorded, tmp_path, form
    ) -> None:
        file = tmp_path / "groups.json"
        file.write_text(json.dumps(TEXTS), encoding="utf-8")
        groups = {
            "file": file,
            "files": [str(file)],
            "frame": pd.DataFrame({"id": list(TEXTS), "texts": list(TEXTS.values())}),
            "dictionary": TEXTS,
            "data set": trained / "data",
        }[form]
        train(groups, run=tmp_path / "run")
        [run] = recorded.runs
        assert contents(Path(run.data)) == contents(trained / "data")
        own = tmp_path / "run" / "data"
        assert Path(run.data) == (trained / "data" if form == "data set" else own)

    def test_lists_of_texts_and_a_frame_of_labelled_pairs_do_as_well(self, recorded) -> None:
        train(list(TEXTS.values()))
        train(pd.DataFrame(DEV, columns=["text1", "text2", "label"]), batch_groups=4)
        assert len(recorded.runs) == 2

    def test_development_pairs_may_be_a_file_or_a_frame(self, recorded, tmp_path) -> None:
        frame = pd.DataFrame(DEV, columns=["text1", "text2", "label"])
        frame.to_csv(tmp_path / "dev.tsv", sep="\t", index=False)
        for dev in (DEV, frame, tmp_path / "dev.tsv"):
            train(dev=dev)
        assert [run.pairs for run in recorded.runs] == [PAIRS] * 3

    def test_groups_that_cannot_be_used_leave_nothing_behind(self, tmp_path) -> None:
        with pytest.raises(UserError, match="groups"):
            train({"0": ["a", 1]}, run=tmp_path / "run")
        with pytest.raises(UserError, match="fewer than one batch"):
            train({"0": ["a", "b"]}, run=tmp_path / "run")
        assert list(tmp_path.iterdir()) == []


class TestRun:
    def test_the_encoder_is_that_of_the_best_epoch(self, trained, tmp_path, monkeypatch) -> None:
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        encoder = train()
        assert list(tmp_path.iterdir()) == []  # without a run folder nothing is left
        kept = SentenceEncoder.load(trained / "best")
        assert weights(encoder) == weights(kept)
        assert encoder.threshold == kept.threshold
        assert encoder.metrics == kept.metrics
        assert encoder.encode(["怎么开通会员"]).shape == (1, 12)

    def test_data_from_memory_are_kept_in_the_run(self, trained, tmp_path) -> None:
        siamese.train(trained / "data", DEV, trained / "recipe.yaml", tmp_path / "again")
        assert weights_of_run(RunFolder(tmp_path / "again")) == weights_of_run(RunFolder(trained))

    def test_a_run_that_is_there_is_refused_resumed_or_replaced(self, trained, tmp_path) -> None:
        run = tmp_path / "run"
        shutil.copytree(trained, run)
        with pytest.raises(UserError, match="exists already"):
            train(run=run)
        with pytest.raises(UserError, match=r"training\.epochs: was 2, is 3"):
            train(run=run, existing="resume", epochs=3)
        best = weights(SentenceEncoder.load(trained / "best"))
        shutil.rmtree(run / "data")  # as if a kill had come before it was there
        assert weights(train(run=run, existing="resume")) == best
        assert contents(run / "data") == contents(trained / "data")
        (run / "stale").touch()
        assert weights(train(run=run, existing="fresh")) == best
        assert not (run / "stale").exists()
        assert contents(run / "data") == contents(trained / "data")

    def test_a_data_set_in_the_run_is_not_replaced_with_it(self, trained) -> None:
        before = contents(trained)
        with pytest.raises(UserError, match="is in the run that would be replaced"):
            train(trained / "data", run=trained, existing="fresh")
        assert contents(trained) == before

    def test_a_run_at_a_uri_leaves_its_data_and_its_model_there(self, trained) -> None:
        best = weights(SentenceEncoder.load(trained / "best"))
        assert weights(train(run="memory://train/run")) == best
        with pytest.raises(UserError, match="exists already"):
            train(run="memory://train/run")
        assert weights(train(run="memory://train/run", existing="resume")) == best

    def test_workers_are_refused_with_the_name_of_the_call_that_takes_them(self) -> None:
        with pytest.raises(UserError, match=r"distributed\.train"):
            train(execution=Execution(workers=(2, 2)))


class TestSettings:
    @pytest.mark.parametrize(
        "overrides",
        [
            {"scale": 25},
            {"loss__scale": 25},
            {"loss.scale": 25},
            {"loss": {"scale": 25}},
        ],
        ids=str,
    )
    def test_each_way_to_write_one_is_taken(self, recorded, overrides) -> None:
        train(**overrides)
        train(recipe=load_recipe("fast", ["loss.scale=25"]))
        first, second = recorded.runs
        assert first.recipe.loss.scale == 25
        assert first.recipe == second.recipe

    def test_wrong_ones_are_named_with_the_nearest(self) -> None:
        with pytest.raises(UserError) as error:
            train(epohcs=3, loss={"scal": 2}, optimizer__rate=1, seed=-1)
        message = str(error.value)
        assert "4 settings are wrong" in message
        assert "epohcs: unknown setting; did you mean epochs?" in message
        assert "loss.scal: unknown setting; did you mean loss.scale?" in message
        assert "optimizer__rate: unknown setting; did you mean optimizer." in message
        assert "seed=-1" in message


class TestParts:
    def test_a_loss_is_settings_or_an_object(self) -> None:
        class Loss:
            """Of a user's own."""

        own = Loss()
        settings = {"loss": own, "epochs": 3}
        assert parts_of(None, None, settings).loss is own
        assert settings == {"epochs": 3}
        settings = {"loss": {"scale": 25}}
        assert parts_of(None, None, settings).loss is None
        assert settings == {"loss": {"scale": 25}}

    def test_an_evaluator_of_ones_own_can_pick_the_epoch(self) -> None:
        class Spread:
            name = "spread"
            metrics = (Metric("spread", "mean variance"),)

            def __call__(self, encode, pairs):
                return {"spread": float(encode([p.text1 for p in pairs]).var(axis=0).mean())}

        encoder = train(evaluator=Spread(), metric="spread")
        texts = [pair.text1 for pair in PAIRS]
        spread = float(encoder.encode(texts).var(axis=0).mean())
        assert encoder.metrics["spread"] == pytest.approx(spread, rel=1e-4)

    def test_trackers_are_names_or_objects(self, tmp_path) -> None:
        events = []

        class Kept:
            def start(self, run, recipe, step):
                events.append(("start", step))

            def log(self, event, values, step):
                events.append((event, step))

            def close(self, finished):
                events.append(("close", finished))

        train(run=tmp_path / "run", trackers=["tensorboard", Kept()], epochs=1)
        assert events[0] == ("start", 0) and events[-1] == ("close", True)
        assert {"train", "evaluation"} < {event for event, _ in events}
        assert list((tmp_path / "run" / "tensorboard").iterdir())
        train(run=tmp_path / "none", trackers=[], epochs=1)
        assert not (tmp_path / "none" / "tensorboard").exists()
        with pytest.raises(UserError, match="did you mean tensorboard"):
            train(trackers="tensorbord")


def test_the_command_line_is_this_call(tmp_path, monkeypatch) -> None:
    """The weights of `siamese train` on the sample are those of the call."""
    from distributed.cli.main import main

    data = data_set_of(SAMPLE / "df_train.json", tmp_path / "data")
    settings = {"vectors": "none", "embedding_dim": 8, "lstm_units": [8], "epochs": 1}
    options = [
        part
        for key in ("encoder.vectors=none", "encoder.embedding_dim=8", "encoder.lstm_units=[8]")
        for part in ("--set", key)
    ]
    dev, run = SAMPLE / "df_dev.txt", tmp_path / "run"
    command = ["train", "--data", data, "--dev", dev, "--run", run, "--recipe", "fast", *options]
    command += ["--set", "training.epochs=1"]
    monkeypatch.setattr(sys, "argv", ["siamese", *map(str, command)])
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code
    called = siamese.train(data, dev, "fast", **settings)
    np.testing.assert_array_equal(
        called.encode(["怎么退票"]), SentenceEncoder.load(Path(run) / "best").encode(["怎么退票"])
    )


@pytest.mark.parametrize("existing", ["refuse", "resume", "fresh"])
def test_a_run_that_another_process_is_at_is_refused_and_left_alone(
    trained, tmp_path, existing
) -> None:
    run = Path(shutil.copytree(trained, tmp_path / "run"))
    with owning(run):
        before = contents(run)
        with pytest.raises(UserError, match=rf"{run}: is in use by process {os.getpid()} on "):
            train(run=run, existing=existing)
        assert contents(run) == before


def test_a_run_killed_while_its_folder_was_begun_can_be_started_again(tmp_path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "data.json").write_text("{}")
    (run / ".recipe.yaml.x1").touch()
    train(run=run, epochs=1)
    assert (run / "best" / "manifest.json").is_file()
