"""Until Ray has started, its driver does what workers would; here Ray is only said to start."""

import time

import pytest

import distributed.sharding.shard as module
from siamese.errors import UserError


def shard_while_ray_starts(monkeypatch, function, items, until):
    """Apply a function; Ray has started when `until` says so, and its workers take the rest."""
    by_ray = []

    def connect(object_store_memory):
        while not until():
            time.sleep(0.001)

    def ray_map(function, items):
        by_ray.extend(items)
        return map(function, items)

    monkeypatch.setattr(module, "connect", connect)
    monkeypatch.setattr(module, "ray_map", ray_map)
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    return module._map_from_now(function, items), by_ray


@pytest.mark.parametrize("at_start", [0, 1, 4, 9])
def test_each_item_is_done_once_and_in_order_by_one_or_the_other(monkeypatch, at_start):
    done = []

    def function(item):
        done.append(item)
        return {"item": item}

    rows, by_ray = shard_while_ray_starts(
        monkeypatch, function, list(range(10)), lambda: len(done) >= at_start
    )
    assert [row["item"] for row in rows] == done == list(range(10))
    assert by_ray == list(range(10 - len(by_ray), 10))
    assert len(by_ray) <= 10 - at_start


def test_what_is_wrong_with_an_item_is_said_after_the_items_before(monkeypatch):
    def function(item):
        if item == 3:
            raise UserError("a mistake")
        return {"item": item}

    finished = time.monotonic() + 0.1
    rows, by_ray = shard_while_ray_starts(
        monkeypatch, function, list(range(10)), lambda: time.monotonic() > finished
    )
    assert [next(rows)["item"] for _ in range(3)] == [0, 1, 2]
    with pytest.raises(UserError, match="a mistake"):
        next(rows)
    assert by_ray == []


def test_what_keeps_ray_from_starting_is_said(monkeypatch):
    def connect(object_store_memory):
        raise UserError("Ray cannot be started")

    monkeypatch.setattr(module, "connect", connect)
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    with pytest.raises(UserError, match="Ray cannot be started"):
        list(module._map_from_now(lambda item: {}, list(range(10))))
