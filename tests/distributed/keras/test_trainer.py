"""`KerasTrainer` in this process: what is kept, gone on with, refused and said."""

import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from paths import ROOT

from distributed.keras import Context, KerasTrainer, Result
from distributed.keras.process import ThisProcess
from distributed.keras.run_folder import RunFolder
from distributed.keras.trainer import _as_arguments
from siamese import UserError
from siamese.encoder.keras_tf import keras, tf
from siamese.training.execution import Execution

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


@pytest.fixture
def make(tmp_path):
    """Make the context of one of several workers."""

    def make(rank: int = 0, world_size: int = 1) -> Context:
        process = ThisProcess(Execution(), None, lambda figures: None, print)
        process.rank, process.world_size = rank, world_size
        folder = RunFolder(tmp_path / "run")
        folder.start({}, fresh=False)
        return Context(process, folder)

    return make


class TestContext:
    @pytest.mark.parametrize(("rows", "workers"), [(12, 1), (12, 3), (7, 3), (3, 3)])
    def test_the_shares_are_the_batch_and_as_equal_as_can_be(self, make, rows, workers) -> None:
        batch, labels = np.arange(2 * rows).reshape(rows, 2), np.arange(rows)
        shares = [make(rank, workers).share(batch, labels) for rank in range(workers)]
        np.testing.assert_array_equal(np.concatenate([share[0] for share in shares]), batch)
        np.testing.assert_array_equal(np.concatenate([share[1] for share in shares]), labels)
        sizes = [len(share[0]) for share in shares]
        assert max(sizes) - min(sizes) <= 1

    def test_a_batch_that_has_no_row_for_somebody_is_refused(self, make) -> None:
        with pytest.raises(UserError, match="a batch of 2 rows cannot be shared by 3 workers"):
            make(0, 3).share(np.zeros(2))
        with pytest.raises(UserError, match=r"the arrays have \[2, 3\] rows"):
            make().share(np.zeros(2), np.zeros(3))

    @pytest.mark.parametrize(
        ("owners", "match"),
        [
            (lambda: {}, "nothing to restore"),
            (lambda: {"optimizer": keras.optimizers.SGD()}, "Call optimizer.build"),
            (lambda: {"net": keras.Sequential([keras.layers.Dense(1)])}, "net has no variables be"),
            (lambda: {"epoch": 3}, "epoch is a int, which has no variables"),
            (lambda: {"all": [np.zeros(2)]}, "all is a list, which has no variables"),
        ],
    )
    def test_what_has_no_variables_is_refused(self, make, owners, match) -> None:
        with pytest.raises(UserError, match=match):
            make().restore(**owners())

    def test_a_checkpoint_needs_a_restore_and_a_step_that_is_not_gone_by(self, make) -> None:
        context = make()
        with pytest.raises(UserError, match="call context"):
            context.checkpoint(1)
        context.restore(all=[keras.Variable(1.0)])
        context.checkpoint(5)
        with pytest.raises(UserError, match="step 4 comes after step 5"):
            context.checkpoint(4)

    def test_another_model_is_refused(self, make) -> None:
        kept = make()
        kept.restore(net=[keras.Variable(np.zeros(3))])
        kept.checkpoint(1)
        for other in ([np.zeros(4)], [np.zeros(3)] * 2, []):
            variables = [keras.Variable(value) for value in (*other,)] or [keras.Variable(0.0)]
            with pytest.raises(UserError, match=r"is not (that|one) of this net"):
                Context(kept._process, kept._folder).restore(net=variables)

    @pytest.mark.parametrize("value", [np.nan, np.inf, np.zeros(2) / 1 + np.nan, object(), {1, 2}])
    def test_a_value_that_json_has_not_is_refused_and_nothing_written(self, make, value) -> None:
        context = make()
        context.restore(net=[keras.Variable(0.0)])
        with pytest.raises(UserError, match="best cannot be written as JSON"):
            context.checkpoint(1, best=value)
        assert not context._folder.has_checkpoint()

    def test_numbers_of_numpy_and_tensorflow_are_numbers(self, make) -> None:
        context = make()
        context.restore(net=[keras.Variable(0.0)])
        context.checkpoint(
            np.int64(1), a=np.float32(0.5), b=tf.constant([1, 2]), c=np.int64(3), d="text"
        )
        state = Context(context._process, context._folder).restore(net=[keras.Variable(0.0)])
        assert state.values == {"a": 0.5, "b": [1, 2], "c": 3, "d": "text"}

    def test_every_kind_of_variable_comes_back_bit_for_bit(self, make) -> None:
        def owners(value: float) -> dict[str, Any]:
            kinds = ("bfloat16", "float16", "float32", "int32", "uint8", "bool")
            variables = [keras.Variable(np.full((2, 2), value), dtype=kind) for kind in kinds]
            seeds = keras.random.SeedGenerator(int(value))
            return {"variables": variables, "seeds": seeds, "plain": [tf.Variable(value)]}

        context, kept = make(), owners(1.0)
        context.restore(**kept)
        context.checkpoint(3)
        found = owners(0.0)
        assert Context(context._process, context._folder).restore(**found).step == 3
        for one, other in zip(kept["variables"], found["variables"], strict=True):
            assert one.dtype == other.dtype
            assert one.numpy().tobytes() == other.numpy().tobytes()
        assert found["seeds"].state.numpy().tolist() == kept["seeds"].state.numpy().tolist()
        assert float(found["plain"][0]) == 1.0

    def test_only_the_first_worker_writes_but_all_read_what_is_kept(self, make) -> None:
        read = []
        variable = SimpleNamespace(
            numpy=lambda: read.append(1) or np.zeros(2), assign=lambda value: None
        )
        context = make(1, 2)
        context.restore(net=[variable])
        context.report({"loss": 1.0})
        context.checkpoint(1)
        assert read == [1]
        assert sorted(path.name for path in context.run.iterdir()) == ["run.json"]


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


def test_importing_it_loads_neither_ray_nor_tensorflow() -> None:
    heavy = "ray tensorflow keras numpy pydantic"
    code = (
        "import sys\nfrom distributed.keras import KerasTrainer\n"
        f"print(set('{heavy}'.split()) & set(sys.modules))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_nothing_of_the_encoder_is_needed_to_train_another_model() -> None:
    code = (
        "import sys\nimport distributed.keras.trainer, distributed.keras.context\n"
        "import distributed.keras.launch, distributed.keras.worker, distributed.keras.result\n"
        "import json\nprint(json.dumps(sorted(m for m in sys.modules if m.startswith('siamese.'))))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    rooms = {".".join(name.split(".")[1:3]) for name in json.loads(done.stdout)}
    general = {"training", "training.execution", "training.gpu_memory", "config", "config.parts"}
    others = {room for room in rooms if room.partition(".")[0] not in ("storage", "errors")}
    assert others <= general | {"progress", "standard_error"}
