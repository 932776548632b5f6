"""`distributed.train`: the call of `siamese.train`, with workers."""

from pathlib import Path

import numpy as np
import pytest
import ray
from tiny_run import GROUPS, PAIRS

import distributed
import siamese
from distributed.training import train_encoder
from siamese import UserError
from siamese.training.execution import Execution

pytestmark = [pytest.mark.cluster, pytest.mark.filterwarnings("ignore")]
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


def test_two_workers_train_what_one_process_does(tmp_path) -> None:
    """On a cluster that the call starts, with groups from memory."""
    run = tmp_path / "run"
    try:
        encoder = distributed.train(TEXTS, DEV, "fast", run, workers=2, keep_checkpoints=1, **TINY)
        on = distributed.train(TEXTS, DEV, "fast", init=run / "best", workers=2, **TINY)
    finally:
        ray.shutdown()
    alone = siamese.train(run / "data", DEV, run / "recipe.yaml")
    texts = [pair.text1 for pair in PAIRS]
    np.testing.assert_allclose(encoder.encode(texts), alone.encode(texts), atol=1e-4)
    assert len(list((run / "checkpoints").iterdir())) == 1
    alone = siamese.train(run / "data", DEV, run / "recipe.yaml", init=run / "best")
    np.testing.assert_allclose(on.encode(texts), alone.encode(texts), atol=1e-4)


@pytest.fixture
def asked(monkeypatch) -> list[tuple]:
    """What `train_at` was asked for, in its place."""
    calls: list[tuple] = []
    monkeypatch.setattr(train_encoder, "train_at", lambda *arguments: calls.append(arguments))
    return calls


@pytest.mark.parametrize(
    ("workers", "expected"),
    [(2, (2, 2)), ("2:4", (2, 4)), ((2, 4), (2, 4)), (None, (1, 1))],
)
def test_workers_are_a_number_or_a_range(asked, workers, expected) -> None:
    distributed.train("data", "dev.tsv", workers=workers)
    assert asked[0][0].execution.workers == expected


def test_options_are_told_from_settings(asked) -> None:
    execution = Execution(workers=(3, 3), cpus_per_worker=2)
    distributed.train(
        "data", "dev.tsv", "fast", Path("run"), execution=execution, max_failures=1, scale=25
    )
    place, _, recipe, run, existing, _ = asked[0]
    assert place.execution == Execution(workers=(3, 3), cpus_per_worker=2, max_failures=1)
    assert recipe.loss.scale == 25
    assert (run, existing) == (Path("run"), "refuse")


def test_what_is_neither_an_option_nor_a_setting_is_refused(asked) -> None:
    with pytest.raises(UserError, match="max_failure: unknown setting"):
        distributed.train("data", "dev.tsv", max_failure=1)
    with pytest.raises(UserError, match=r"siamese\.train"):
        distributed.train("data", "dev.tsv", workers=0)
    for workers in (-1, "2:1", "0:2", "many", (1, 2, 3)):
        with pytest.raises(UserError, match="--workers"):
            distributed.train("data", "dev.tsv", workers=workers)
    assert asked == []
