"""`KerasTrainer` in this process: what is kept, gone on with, refused and said."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distributed.keras import Context, KerasTrainer, Result
from distributed.keras.trainer import _as_arguments
from siamese import UserError
from siamese.encoder.keras_tf import keras, tf

ROWS = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)


def build() -> tuple[keras.Model, keras.optimizers.Optimizer, keras.metrics.Metric]:
    """A model with a state of its own beside the weights: that of its dropout."""
    keras.utils.set_random_seed(1)
    layers = [keras.layers.Dropout(0.5), keras.layers.Dense(2)]
    model = keras.Sequential([keras.Input([3]), *layers])
    optimizer = keras.optimizers.Adam(0.1)
    optimizer.build(model.trainable_variables)
    return model, optimizer, keras.metrics.Mean()


def train(context: Context, steps: int, dies_at: int | None = None) -> None:
    """Take steps; every second one is reported and kept, every other one only reported."""
    model, optimizer, mean = build()
    state = context.restore(model=model, optimizer=optimizer, mean=mean)
    best = state.values.get("best")
    for step in context.steps(state.step, steps):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(model(context.share(ROWS), training=True) ** 2)
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        mean.update_state(loss)
        best = float(loss) if best is None else min(best, float(loss))
        context.report({"step": step + 1, "loss": loss, "mean": mean.result()})
        if step % 2:
            context.checkpoint(step + 1, best=best)
        if step + 1 == dies_at:
            raise ZeroDivisionError("the code's own")


def run(folder: Path, steps: int = 7, existing: Any = "refuse", **options: Any) -> Result:
    function = partial(train, dies_at=options.pop("dies_at", None))
    config = {"steps": steps}
    return KerasTrainer(function, folder, config, workers=0, existing=existing, **options).fit()


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Result:
    return run(tmp_path_factory.mktemp("runs") / "whole")


def files(result: Result) -> dict[str, bytes]:
    folder = Path(result.run)
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


class TestARun:
    def test_returns_what_was_reported_and_kept(self, whole) -> None:
        assert [line["step"] for line in whole.reports] == [1, 2, 3, 4, 5, 6, 7]
        assert whole.report == whole.reports[-1]
        assert (whole.checkpoint, whole.step) == ("step-00000006", 6)
        assert whole == Result.of(whole.run)

    def test_keeps_the_newest_checkpoints_without_pickle(self, whole) -> None:
        assert list(files(whole)) == [
            *(f"checkpoints/step-0000000{step}/{name}" for step in (4, 6) for name in KEPT),
            "metrics.jsonl",
            "run.json",
        ]
        file = Path(whole.run) / "checkpoints" / "step-00000006" / "variables.npz"
        with np.load(file, allow_pickle=False) as values:
            kinds = {name.rstrip("0123456789") for name in values.files}
        assert kinds == {"model", "optimizer", "mean"}

    def test_gives_its_model_to_whoever_asks(self, whole) -> None:
        model, _, mean = build()
        before = model.layers[-1].kernel.numpy()
        state = whole.restore(model=model)
        assert state.step == 6
        assert state.values["best"] == min(line["loss"] for line in whole.reports[:6])
        assert np.abs(model.layers[-1].kernel.numpy() - before).max() > 0.1
        whole.restore(mean=mean)
        assert float(mean.result()) == pytest.approx(
            np.mean([r["loss"] for r in whole.reports[:6]])
        )

    @pytest.mark.parametrize("dies_at", [1, 3, 4])
    def test_that_broke_off_and_is_resumed_ends_as_if_it_had_not(
        self, whole, tmp_path, dies_at
    ) -> None:
        """At 1 there is no checkpoint yet; at 3 a report is taken back; at 4 none is."""
        with pytest.raises(ZeroDivisionError, match="the code's own"):
            run(tmp_path / "run", dies_at=dies_at)
        assert files(run(tmp_path / "run", existing="resume")) == files(whole)

    def test_whose_newest_checkpoint_is_damaged_goes_on_from_the_one_before(
        self, whole, tmp_path, capsys
    ) -> None:
        with pytest.raises(ZeroDivisionError):
            run(tmp_path / "run", dies_at=5)
        damaged = tmp_path / "run" / "checkpoints" / "step-00000004" / "variables.npz"
        damaged.write_bytes(damaged.read_bytes()[:-1])
        assert files(run(tmp_path / "run", existing="resume")) == files(whole)
        printed = capsys.readouterr().out
        assert "step-00000004: cannot be resumed from (variables.npz is missing or was" in printed
        assert "training from step 2" in printed

    def test_whose_function_finds_a_mistake_ends_with_its_sentence(self, tmp_path) -> None:
        def mistaken(context: Context) -> None:
            raise UserError("digits.csv: no such file.")

        with pytest.raises(UserError, match=r"^digits.csv: no such file\.$"):
            KerasTrainer(mistaken, tmp_path / "run", workers=0).fit()
        assert [path.name for path in (tmp_path / "run").iterdir()] == ["run.json"]

    def test_that_has_ended_is_left_as_it_is_when_resumed(self, whole) -> None:
        before = files(whole)
        del before["metrics.jsonl"]  # the step after the last checkpoint is taken and reported anew
        after = run(Path(whole.run), existing="resume")
        assert after.reports == whole.reports
        assert before.items() <= files(after).items()

    def test_at_a_uri_is_gone_on_with_from_there(self, whole) -> None:
        uri = "memory://keras-trainer/run"
        with pytest.raises(ZeroDivisionError):
            run(uri, dies_at=3)  # type: ignore[arg-type]
        result = run(uri, existing="resume")  # type: ignore[arg-type]
        assert result.reports == whole.reports
        assert (result.run, result.step) == (uri, 6)
        model, other = build()[0], build()[0]
        result.restore(model=model)
        whole.restore(model=other)
        assert [v.numpy().tobytes() for v in model.variables] == [
            v.numpy().tobytes() for v in other.variables
        ]

    def test_can_be_begun_afresh(self, whole, tmp_path) -> None:
        run(tmp_path / "run", steps=2)
        assert files(run(tmp_path / "run", existing="fresh")) == files(whole)


KEPT = ("manifest.json", "progress.json", "variables.npz")


class TestRefused:
    def refused(self, match: str, *arguments: Any, **options: Any) -> None:
        with pytest.raises(UserError, match=match):
            KerasTrainer(*arguments, **{"workers": 0, **options}).fit()

    def test_a_run_that_is_there(self, whole) -> None:
        words = 'exists already. Continue that run with existing="resume", replace it with '
        self.refused(
            words + 'existing="fresh", or choose another run', train, whole.run, {"steps": 1}
        )

    def test_a_folder_that_is_no_run(self, tmp_path) -> None:
        (tmp_path / "mine.txt").write_text("mine")
        self.refused("is not the folder of a run", train, tmp_path, {"steps": 1}, existing="fresh")
        self.refused("holds no run to resume", train, tmp_path, {"steps": 1}, existing="resume")
        assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]

    def test_to_resume_with_another_config(self, whole) -> None:
        before = files(whole)
        self.refused("steps: was 7, is 8", train, whole.run, {"steps": 8}, existing="resume")
        assert files(whole) == before

    @pytest.mark.parametrize(
        ("config", "options", "match"),
        [
            ({}, {}, "missing a required argument: 'steps'"),
            ({"steps": 1, "rate": 2}, {}, "unexpected keyword argument 'rate'"),
            ({"steps": np.arange(3)}, {}, "config cannot be written as JSON"),
            ({"steps": 1}, {"gpus": 1}, "no option gpus. There are: cpus_per_worker, "),
            ({"steps": 1}, {"trackers": ()}, "no option trackers"),
            ({"steps": 1}, {"gpus_per_worker": 2}, "gpus_per_worker=2: give a number from 0 to 1"),
            ({"steps": 1}, {"keep_checkpoints": 0}, "=0: give a whole number of 1 or more"),
            ({"steps": 1}, {"keep_checkpoints": 1.5}, "=1.5: give a whole number"),
            ({"steps": 1}, {"stall_seconds": True}, "=True: give a number of 1 or more"),
            ({"steps": 1}, {"stall_seconds": float("nan")}, "=nan: give a number"),
            ({"steps": 1}, {"verbose": 1}, "verbose=1: give True or False"),
            ({"steps": 1}, {"existing": "replace"}, 'give "refuse", "resume" or "fresh"'),
            ({"steps": 1}, {"workers": "two"}, "workers two: give a number"),
            ({"steps": 1}, {"gpus_per_worker": 1}, "gpus_per_worker=1 needs workers=1"),
        ],
    )
    def test_what_has_no_meaning_before_anything_is_written(
        self, config, options, match, tmp_path
    ) -> None:
        self.refused(match, train, tmp_path / "run", config, **options)
        assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Continue with --resume once", 'Continue with existing="resume" once'),
        ("start afresh with --fresh.", 'start afresh with existing="fresh".'),
        ("--workers 1:4, or --cpus-per-worker 1", "workers=1:4, or cpus_per_worker=1"),
        ("none for 5 s (--stall-seconds): ending", "none for 5 s (stall_seconds): ending"),
        ("train with --gpus-per-worker 0.", "train with gpus_per_worker=0."),
        ("nothing -- of the kind - here", "nothing -- of the kind - here"),
    ],
)
def test_options_of_a_command_are_named_as_arguments(text, expected) -> None:
    assert _as_arguments(text) == expected
