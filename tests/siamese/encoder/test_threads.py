"""Work in threads, with the linear algebra held to one thread each."""

import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from siamese.encoder.threads import cores, in_threads


@pytest.fixture(autouse=True)
def two_cores(monkeypatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")


def blas_threads() -> list[int]:
    np.ones((2, 2)) @ np.ones((2, 2))
    return [each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"]


def test_results_come_in_the_order_of_the_items() -> None:
    assert list(in_threads(lambda n: n * n, range(50))) == [n * n for n in range(50)]
    assert list(in_threads(str, [])) == []


def test_two_items_are_worked_on_at_once() -> None:
    both = threading.Barrier(2, timeout=20)
    assert sorted(in_threads(lambda _: both.wait(), [0, 1])) == [0, 1]


def test_the_linear_algebra_has_one_thread_within_and_as_many_as_before_afterwards() -> None:
    before = blas_threads()
    within = list(in_threads(lambda _: blas_threads(), [0, 1]))
    assert before and within == [[1] * len(before)] * 2
    assert blas_threads() == before


def test_callers_at_once_do_not_wait_for_each_other_and_the_last_one_restores_the_threads() -> None:
    before = blas_threads()
    inner, outer = iter(in_threads(str, range(9))), iter(in_threads(str, range(9)))
    assert next(outer) == next(inner) == "0"
    assert list(outer) == [str(n) for n in range(1, 9)]
    assert blas_threads() == [1] * len(before)
    assert list(inner) == [str(n) for n in range(1, 9)]
    assert blas_threads() == before


def test_an_error_reaches_the_caller_and_leaves_the_next_call_alone() -> None:
    before = blas_threads()
    with pytest.raises(ZeroDivisionError):
        list(in_threads(lambda n: 1 / n, [1, 0, 2]))
    assert blas_threads() == before
    assert list(in_threads(lambda n: 1 / n, [1, 2])) == [1, 0.5]


def test_one_item_or_one_core_takes_no_thread(monkeypatch) -> None:
    here = threading.current_thread()
    assert list(in_threads(lambda _: threading.current_thread(), [0])) == [here]
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert list(in_threads(lambda _: threading.current_thread(), [0, 1])) == [here, here]


def test_without_a_wish_there_is_a_thread_for_each_core(monkeypatch) -> None:
    assert cores() == 2
    for value in ("", "0", "many"):
        monkeypatch.setenv("OMP_NUM_THREADS", value)
        assert cores() >= 1
