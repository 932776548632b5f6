"""What is kept of the trials of a sweep, and how they are ranked."""

from types import SimpleNamespace
from typing import Any

import pytest

from distributed.sweep.folder import SweepFolder
from distributed.sweep.schedulers import make_scheduler
from distributed.sweep.trial_log import in_order
from distributed.sweep.trial_queue import Watcher
from distributed.sweep.trials import Trials
from siamese.config import metrics
from siamese.config.metrics import Metric
from siamese.config.recipe import Recipe
from siamese.config.search_space import load_space
from siamese.errors import FullDiskError, UserError


@pytest.fixture
def folder(tmp_path) -> SweepFolder:
    folder = SweepFolder(str(tmp_path / "sweep"))
    folder.start({}, Recipe(), fresh=False)
    return folder


def evaluation(epoch: int, **figures: float) -> dict[str, float]:
    return {"epoch": epoch, "step": 10 * epoch, **figures}


def three_trials(folder: SweepFolder) -> Trials:
    trials = Trials(folder, "mrr", epochs=2)
    for number, values in enumerate([(0.3, 0.2), (0.5,), (0.5, 0.1)]):
        log = trials.begin({"loss.scale": 10 * number}, draws={})
        for epoch, value in enumerate(values, start=1):
            trials.evaluated(log, evaluation(epoch, mrr=value))
    return trials


def test_a_resumed_sweep_knows_what_a_killed_one_did(folder) -> None:
    trials = three_trials(folder)
    trials.end(trials.logs[0])
    trials.end(trials.logs[0], "failed", "too late")  # it has ended
    trials.stop(trials.logs[1])
    trials.stop(trials.logs[2])
    trials.change(trials.logs[2], {"loss.scale": 99})
    again = Trials(folder, "mrr", epochs=2)
    assert again.logs == trials.logs
    assert [log.status for log in again.logs.values()] == ["finished", "stopped", "finished"]
    assert again.logs[2].settings == {"loss.scale": 99}
    assert again.seconds_before >= 0


def test_evaluations_stay_in_the_order_in_which_they_were_reported(folder) -> None:
    trials = Trials(folder, "mrr", epochs=2)
    logs = [trials.begin({}, {}), trials.begin({}, {})]
    for number, value in ((1, 0.1), (0, 0.2), (1, 0.3)):
        trials.evaluated(logs[number], evaluation(1, mrr=value))
    expected = [(1, 0.1), (0, 0.2), (1, 0.3)]
    for each in (trials, Trials(folder, "mrr", epochs=2)):
        assert [(n, e["mrr"]) for n, e in in_order(each.logs)] == expected


def test_the_best_is_the_highest_and_equal_ones_are_ranked_by_number(folder) -> None:
    trials = three_trials(folder)
    assert [log.number for log in trials.ranked()] == [1, 2, 0]
    trials.end(trials.logs[1], "failed", "of something")
    assert [log.number for log in trials.ranked()] == [2, 0]
    assert trials.value(trials.logs[1]) is None


def test_a_metric_of_which_less_is_better_turns_everything_round(folder, monkeypatch) -> None:
    monkeypatch.setattr(metrics, "METRICS", {"mrr": Metric("mrr", "error", False)})
    trials = three_trials(folder)
    assert [log.number for log in trials.ranked()] == [2, 0, 1]
    assert trials.value(trials.logs[0]) == 0.2
    space = load_space("default", Recipe())
    assert make_scheduler("asha", "mrr", 5, space, 1)._metric_op == -1
    assert make_scheduler("asha", "roc_auc", 5, space, 1)._metric_op == 1


@pytest.mark.parametrize(
    "line",
    [
        "garbage}",
        "[]",
        "[" * 100_000,
        "\0\0\0",
        '{"event": "start", "trial": 1}',
        '{"event": "start", "trial": "1", "settings": {}, "draws": {}}',
        '{"event": "party", "trial": 0}',
        '{"event": "evaluation", "trial": 7, "figures": {}}',
        '{"event": "evaluation", "trial": 0, "figures": []}',
        '{"event": "end", "trial": 0, "status": null, "error": ""}',
    ],
)
def test_a_damaged_event_is_named_and_one_that_a_kill_cut_short_is_not(folder, line) -> None:
    trials = three_trials(folder)
    whole = folder.events_file.read_text()
    folder.events_file.write_text(whole + line)
    assert Trials(folder, "mrr", epochs=2).logs == trials.logs
    assert folder.events_file.read_text() == whole
    folder.events_file.write_text(f"{whole}{line}\n")
    number = whole.count("\n") + 1
    with pytest.raises(UserError, match=rf"events\.jsonl, line {number}: damaged .* --fresh"):
        Trials(folder, "mrr", epochs=2)


@pytest.mark.parametrize("key", ["mrr", "epoch", "step", "at"])
@pytest.mark.parametrize("value", [None, "high", []])
def test_an_evaluation_without_a_figure_is_named(folder, key, value) -> None:
    log = Trials(folder, "mrr", epochs=2).begin({}, draws={})
    folder.log("evaluation", log.number, figures={**evaluation(1, mrr=0.5), "at": 1.5, key: value})
    with pytest.raises(UserError, match=rf"events\.jsonl: .*trial 0 has no number `{key}`"):
        Trials(folder, "mrr", epochs=2)


@pytest.mark.parametrize("content", ["true", "[1]", '"x"', "{", ""])
def test_a_damaged_account_of_what_was_asked_for_is_named(folder, content) -> None:
    folder.asked_file.write_text(content)
    with pytest.raises(UserError, match=r"sweep\.json: damaged"):
        folder.check_same({"trials": 3})


def test_a_full_disk_ends_the_sweep_and_not_the_trial_for_good(folder) -> None:
    trials = three_trials(folder)
    watcher = Watcher(trials, lambda log: None)
    trial: Any = SimpleNamespace(trial_id="0001", config={"settings": {"loss.scale": 10}})
    with pytest.raises(FullDiskError, match="trial 1: best: No space left"):
        result = {"error": "best: No space left", "ends_sweep": True}
        watcher.on_trial_result(0, [], trial, result)
    assert Trials(folder, "mrr", epochs=2).logs[1].status == "running"
    watcher.on_trial_result(0, [], trial, {"error": "the loss is nan"})
    assert Trials(folder, "mrr", epochs=2).logs[1].status == "failed"
