"""What a function under `KerasTrainer` gets: its share of a batch, and checkpoints."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from distributed.keras import Context
from distributed.keras.process import ThisProcess
from distributed.keras.run_folder import RunFolder
from siamese import UserError
from siamese.encoder.keras_tf import keras, tf
from siamese.training.execution import Execution


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
