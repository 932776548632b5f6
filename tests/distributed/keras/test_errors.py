"""What goes wrong in a user's function ends the run at once, and is shown as it was raised.

Takes 20 seconds: workers start twice, as Ray Train would have them try again.
"""

import sys
import threading
from functools import partial

import pytest
import ray

from distributed.keras import KerasTrainer
from siamese import UserError

pytestmark = [pytest.mark.cluster, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module", autouse=True)
def cluster():
    """A cluster of 2 CPUs, whose workers need not import this file."""
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    ray.init("local", num_cpus=2, log_to_driver=False, logging_level="ERROR")
    yield
    ray.shutdown()
    ray.cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def fails(context) -> None:
    context.report({"rank": context.rank})
    if context.rank:
        raise ZeroDivisionError("of rank 1")
    context._process.from_first(0)  # waits for the other for ever


def test_an_error_of_the_functions_own_comes_with_its_traceback(tmp_path, capsys) -> None:
    with pytest.raises(ZeroDivisionError, match="of rank 1") as caught:
        KerasTrainer(fails, tmp_path / "run", workers=2).fit()
    cause = str(caught.value.__cause__)
    assert "in fails" in cause and "run_worker" not in cause
    printed = capsys.readouterr().out
    assert "worker 1: failed with ZeroDivisionError: of rank 1" in printed
    assert "attempt" not in printed


def test_a_function_that_cannot_be_sent_is_refused(tmp_path) -> None:
    train = partial(lambda context, lock: None, lock=threading.Lock())
    with pytest.raises(UserError, match=r"cannot be sent to them .*lock.*inside of the function"):
        KerasTrainer(train, tmp_path / "run", workers=1).fit()
    assert not (tmp_path / "run").exists()


def test_more_workers_than_fit_are_refused_before_anything_is_written(tmp_path) -> None:
    with pytest.raises(UserError, match=r"change\s+workers=2"):
        KerasTrainer(fails, tmp_path / "run", workers=3).fit()
    assert not (tmp_path / "run").exists()
