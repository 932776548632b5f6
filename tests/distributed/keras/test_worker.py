"""Which failures of a worker another attempt may mend, and how the others are told."""

import threading

import pytest
import ray

from distributed.keras.launch import _raise_again
from distributed.keras.worker import _is_of_the_code, _packed
from siamese.encoder.keras_tf import tf
from siamese.errors import RunError

GRAPH = tf.errors.InvalidArgumentError(None, None, "Incompatible shapes: [2,3] vs. [4]")
PASSED_ON = tf.errors.InvalidArgumentError(None, None, "Collective ops is aborted by: shapes")


@pytest.mark.parametrize("error", [ValueError(), KeyError("x"), AssertionError(), GRAPH])
def test_what_the_code_does_wrong_it_would_do_wrong_again(error) -> None:
    assert _is_of_the_code(error)


@pytest.mark.parametrize(
    "error",
    [
        tf.errors.UnavailableError(None, None, "failed to connect to all addresses"),
        tf.errors.AbortedError(None, None, "Connection reset"),
        tf.errors.UnknownError(None, None, "Could not start gRPC server"),
        PASSED_ON,
        ConnectionResetError(),
        TimeoutError(),
        MemoryError(),
        ray.exceptions.ActorDiedError(),
    ],
)
def test_what_machines_and_other_workers_do_is_tried_again(error) -> None:
    assert not _is_of_the_code(error)


class OwnError(Exception):
    """Of a user's own."""


def fail_with(error: Exception) -> tuple[bytes | None, str]:
    try:
        raise error
    except Exception as raised:
        return _packed(raised)


def test_an_error_is_raised_where_the_run_was_started_with_the_workers_traceback() -> None:
    with pytest.raises(OwnError, match="at step 3") as caught:
        _raise_again(*fail_with(OwnError("at step 3")))
    assert "in fail_with\n    raise error" in str(caught.value.__cause__)


def test_an_error_that_does_not_pickle_is_told_in_words() -> None:
    error = OwnError("at step 3")
    error.lock = threading.Lock()  # type: ignore[attr-defined]
    with pytest.raises(RunError, match="a worker failed") as caught:
        _raise_again(*fail_with(error))
    assert "OwnError: at step 3" in str(caught.value)
