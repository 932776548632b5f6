"""How a sweep picks settings, and how a resumed one picks the same."""

import pytest

from distributed.sweep.schedulers import make_scheduler
from distributed.sweep.search import GridSearch, RandomSearch, TpeSearch, make_search
from siamese.config.recipe import Recipe
from siamese.config.search_space import Space, load_space
from siamese.errors import UserError


@pytest.fixture
def wide() -> Space:
    return load_space("wide", Recipe())


@pytest.fixture
def choices(tmp_path) -> Space:
    file = tmp_path / "space.yaml"
    file.write_text("loss: {scale: {choice: [10, 20, 30]}}", encoding="utf-8")
    return load_space(str(file), Recipe())


def test_random_search_depends_on_seed_and_number_only(wide) -> None:
    first, again = RandomSearch(wide, 8, seed=3), RandomSearch(wide, 8, seed=3)
    assert first.suggest(5) == again.suggest(5) != first.suggest(4)
    assert first.suggest(5) != RandomSearch(wide, 8, seed=4).suggest(5)


def test_a_grid_has_as_many_trials_as_combinations(choices) -> None:
    search = make_search("grid", choices, None, seed=1)
    assert search.trials == 3
    assert [search.suggest(number)["loss.scale"] for number in range(3)] == [10, 20, 30]
    with pytest.raises(UserError, match="the grid has 3 combinations"):
        GridSearch(choices, 2)


def _value(settings: dict) -> float:
    """A made-up metric, with its peak at a scale of 20."""
    return -abs(settings["loss.scale"] - 20) - len(settings["encoder.lstm_units"])


def test_tpe_finds_better_settings_than_it_began_with(wide) -> None:
    pytest.importorskip("optuna")
    search = TpeSearch(wide, 40, seed=1)
    values = []
    for number in range(40):
        values.append(_value(search.suggest(number)))
        search.ended(number, values[-1])
    assert sum(values[-10:]) > sum(values[:10])


def test_a_resumed_tpe_search_suggests_what_an_undisturbed_one_does(wide) -> None:
    """Killed when trial 14 was running, after the ten random ones that TPE begins with."""
    pytest.importorskip("optuna")
    whole = TpeSearch(wide, 20, seed=1)
    suggested, draws = [], []
    for number in range(20):
        suggested.append(whole.suggest(number))
        draws.append(whole.draws(number))
        whole.ended(number, None if number == 3 else _value(suggested[number]))

    resumed = TpeSearch(wide, 20, seed=1)
    for number in range(15):
        resumed.replay(number, draws[number])
    for number in range(14):
        resumed.ended(number, None if number == 3 else _value(suggested[number]))
    resumed.ended(14, _value(suggested[14]))
    for number in range(15, 20):
        assert resumed.suggest(number) == suggested[number]
        resumed.ended(number, _value(suggested[number]))


def test_pbt_needs_something_that_may_change(choices, tmp_path) -> None:
    make_scheduler("pbt", "roc_auc", 5, choices, 1)
    file = tmp_path / "fixed.yaml"
    file.write_text("encoder: {pooling: {choice: [mean, max]}}", encoding="utf-8")
    with pytest.raises(UserError, match=r"the space has none that can change: loss\.scale"):
        make_scheduler("pbt", "roc_auc", 5, load_space(str(file), Recipe()), 1)
