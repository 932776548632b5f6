"""What a worker reports reaches the driver, all of it."""

from types import SimpleNamespace

from distributed.training import driver_link
from distributed.training.driver_link import POLL_EVERY, Reporter


def test_all_units_are_reported_when_the_work_ends(monkeypatch) -> None:
    events = []
    report = SimpleNamespace(remote=lambda kind, value=None: events.append((kind, value)))
    now = 100.0
    monkeypatch.setattr(driver_link.time, "monotonic", lambda: now)
    reporter = Reporter(SimpleNamespace(report=report))
    reporter.start("epoch 1/1", 40, "groups")
    reporter.advance(10, "loss 3")  # too soon
    now += POLL_EVERY
    reporter.advance(10, "loss 2")
    reporter.advance(20, "loss 1")  # too soon
    reporter.end()
    assert events == [
        ("start", ("epoch 1/1", 40, "groups")),
        ("advance", (20, "loss 2")),
        ("advance", (20, "loss 1")),
        ("end", None),
    ]
