"""What of a sweep is refused before its first trial, and how many trials run at a time."""

import numpy as np
import pytest

from distributed.cluster.capacity import Group, Node
from distributed.sweep.run_trials import at_a_time
from distributed.sweep.sweep import Sweep, check_sweep
from siamese.config.loading import load_recipe
from siamese.config.search_space import load_space
from siamese.data.dataset import TrainingData
from siamese.data.in_memory import pairs_of
from siamese.data.shards import read_shards
from siamese.encoder.model_folder import ModelContents
from siamese.encoder.weights import Weights
from siamese.errors import UserError
from siamese.text.vocabulary import Vocabulary
from siamese.training.execution import Execution
from siamese.training.initial_model import InitialModel

PAIRS = pairs_of([("怎么办卡", "如何办卡", 1), ("怎么办卡", "怎么销卡", 0)])


@pytest.fixture
def groups(data) -> TrainingData:
    """Those of the sample: 658, and so 10 whole batches of 64 in an epoch."""
    return read_shards(str(data), verify=False)[0]


def check(tmp_path, groups: TrainingData, space: str, workers: int = 0, *settings: str) -> None:
    file = tmp_path / "space.yaml"
    file.write_text(space, encoding="utf-8")
    recipe = load_recipe("default", ["encoder.vectors=none", "sampling.method=pairs", *settings])
    sweep = Sweep(recipe, load_space(str(file), recipe))
    check_sweep(sweep, Execution(workers=(workers, workers)), groups, PAIRS)


def initial_model(recipe) -> InitialModel:
    """A model of one character and the recipe's encoder; its layers do not matter here."""
    characters = np.zeros((3, recipe.encoder.embedding_dim), np.float32)
    contents = ModelContents(
        Weights(characters, (), None), Vocabulary({"a": 1}, True), recipe, 0, {}
    )
    return InitialModel("run/best", "0" * 64, contents)


def test_trials_that_could_not_go_on_from_the_model_are_told(tmp_path, groups) -> None:
    recipe = load_recipe("default", ["encoder.lstm_units=[64]"])
    file = tmp_path / "space.yaml"
    file.write_text("{encoder: {lstm_units: {choice: [[64], [32]]}}}", encoding="utf-8")
    sweep = Sweep(recipe, load_space(str(file), recipe), initial=initial_model(recipe))
    with pytest.raises(UserError, match=r"run/best: .*\n.*the recipe \[32\]: --set .*=\[64\]"):
        check_sweep(sweep, Execution(), groups, PAIRS)
    asked = sweep.asked(Execution(), "hash")
    assert (asked["init"], asked["init_sha256"]) == ("run/best", "0" * 64)


@pytest.mark.parametrize(
    ("space", "words"),
    [
        # Each end alone would do: 40 < 10 x 8, and 10 x 3 > 0.
        (
            "{optimizer: {warmup_steps: {integer: [0, 40]}},"
            " training: {epochs: {integer: [3, 8]}}}",
            r"with warmup_steps=40 epochs=3: optimizer.warmup_steps=40, but the whole run has 30",
        ),
        (
            "{optimizer: {warmup_steps: {choice: [40, 0]}},"
            " sampling: {batch_groups: {choice: [64, 256]}}}",
            r"with warmup_steps=40 batch_groups=256: .*the whole run has 16 steps",
        ),
        (
            "{optimizer: {warmup_steps: {integer: [1, 18]}}, training: {epochs: {choice: [2, 9]}},"
            " sampling: {batch_groups: {integer: [64, 70]}}}",
            r"with warmup_steps=18 epochs=2 batch_groups=70: .*the whole run has 18 steps",
        ),
    ],
)
def test_a_warm_up_that_one_combination_does_not_finish_is_refused(
    tmp_path, groups, space, words
) -> None:
    with pytest.raises(UserError, match=words):
        check(tmp_path, groups, space, 0, "sampling.batch_groups=64", "training.epochs=8")


def test_a_warm_up_that_every_combination_finishes_is_not(tmp_path, groups) -> None:
    space = (
        "{optimizer: {warmup_steps: {integer: [0, 17]}}, training: {epochs: {choice: [2, 9]}},"
        " sampling: {batch_groups: {integer: [64, 70]}}}"
    )
    check(tmp_path, groups, space, 0)


def test_a_batch_within_a_range_that_workers_cannot_share_is_refused(tmp_path, groups) -> None:
    space = "{sampling: {batch_groups: {integer: [64, 66]}}}"
    check(tmp_path, groups, space, 0)
    with pytest.raises(UserError, match="batch_groups=65 groups cannot be shared equally by 2"):
        check(tmp_path, groups, space, 2)


def node(free: float) -> Node:
    return Node("id", "name", False, {"CPU": 16.0}, {"CPU": free})


@pytest.mark.parametrize(
    ("nodes", "groups", "asked", "expected"),
    [
        ([16], 0, None, 8),
        ([5, 3], 0, None, 4),
        ([16], 0, 3, 3),
        ([16], 0, 100, 8),
        ([1], 0, None, 1),
        ([2], 3, None, 7),
    ],
)
def test_trials_of_several_workers_are_as_many_as_fit(nodes, groups, asked, expected) -> None:
    trial = Execution(workers=(2, 2))
    more = [Group({"CPU": 4.0}, groups)] if groups else []
    assert at_a_time(trial, [node(free) for free in nodes], more, asked) == expected
