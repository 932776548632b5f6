"""Folds scored by processes of Ray: what this process scores; a mistake in one is a sentence."""

import os

import numpy as np
import pytest
import ray

from distributed.audit.audit import audit
from siamese.audit.audit import Asked
from siamese.config.loading import load_recipe
from siamese.data.pair import Pair
from siamese.errors import UserError
from siamese.training.execution import Execution

pytestmark = [pytest.mark.cluster, pytest.mark.filterwarnings("ignore")]

TINY = (
    "encoder.embedding_dim=8",
    "encoder.vectors=none",
    "encoder.lstm_units=[8]",
    "training.epochs=1",
    "sampling.batch_groups=8",
)


@pytest.fixture(scope="module", autouse=True)
def cluster():
    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


def pairs() -> list[Pair]:
    found = []
    for n in range(40):
        found += [Pair(f"怎么办{n}", f"如何办{n}", 1.0), Pair(f"怎么办{n}", f"多少钱{n}", 0.0)]
    return found


def run(folder, workers: int, *settings: str):
    asked = Asked(load_recipe("audit", [*TINY, *settings]), folds=2)
    execution = Execution(workers=(workers, workers), trackers=())
    return audit(pairs(), str(folder), asked, execution=execution)[0]


def test_processes_of_ray_score_what_this_process_scores(tmp_path) -> None:
    """Takes half a minute: each fold imports TensorFlow."""
    on_ray = run(tmp_path / "ray", 2)
    here = run(tmp_path / "here", 0)
    assert on_ray.labels.hash == here.labels.hash
    np.testing.assert_allclose(on_ray.scores, here.scores, atol=1e-5)
    assert (tmp_path / "ray" / "audit.json").is_file()


def test_a_mistake_that_a_fold_finds_is_a_sentence_and_leaves_nothing(tmp_path) -> None:
    with pytest.raises(UserError, match=r"fewer than one batch .*batch_groups=999") as raised:
        run(tmp_path / "audit", 1, "sampling.batch_groups=999")
    assert os.linesep not in str(raised.value)
    assert not (tmp_path / "audit").exists()
