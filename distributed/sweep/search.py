"""Which settings a sweep tries next: at random, one after another, or by what was learned."""

import logging
from typing import TYPE_CHECKING, Any, Protocol

from distributed.sweep.choices import SearchName
from siamese.config.ranges import RandomDraw
from siamese.config.search_space import Space
from siamese.errors import UserError

if TYPE_CHECKING:
    import optuna


class Search(Protocol):
    """Gives each trial its settings. Trials are numbered from 0, and asked for in that order.

    Attributes:
        trials: how many there are.
    """

    trials: int

    def suggest(self, number: int) -> dict[str, Any]:
        """Choose the settings of a trial."""

    def draws(self, number: int) -> dict[str, Any]:
        """Return what `replay` needs to know of a trial besides its number, to log."""

    def replay(self, number: int, draws: dict[str, Any]) -> None:
        """Suggest once more what was suggested before the sweep was killed."""

    def ended(self, number: int, value: float | None) -> None:
        """Take in how good a trial was when it ended; None: it failed."""


class RandomSearch:
    """Independent draws, each a pure function of the seed and the trial's number."""

    def __init__(self, space: Space, trials: int, seed: int) -> None:
        self.trials = trials
        self._space = space
        self._seed = seed

    def suggest(self, number: int) -> dict[str, Any]:
        """See `Search`."""
        return self._space.draw(RandomDraw(self._seed, number))

    def draws(self, number: int) -> dict[str, Any]:
        """Return nothing: the number says it all."""
        return {}

    def replay(self, number: int, draws: dict[str, Any]) -> None:
        """Do nothing."""

    def ended(self, number: int, value: float | None) -> None:
        """Do nothing: what was found changes no draw."""


class GridSearch(RandomSearch):
    """Every combination of the values, in order."""

    def __init__(self, space: Space, trials: int | None) -> None:
        grid = space.grid()
        if trials is not None and trials < len(grid):
            raise UserError(
                f"--trials {trials}: the grid has {len(grid)} combinations. Leave --trials out, "
                "take values out of the space, or search with --search random."
            )
        super().__init__(space, len(grid), seed=0)
        self._grid = grid

    def suggest(self, number: int) -> dict[str, Any]:
        """See `Search`."""
        return self._grid[number]


class TpeSearch:
    """Optuna's tree-structured Parzen estimator: draws more from where good trials were.

    The sampler is seeded anew for each trial, so that a suggestion depends on nothing but the
    seed, the trial's number and the trials that have ended.
    """

    def __init__(self, space: Space, trials: int, seed: int, higher_is_better: bool = True) -> None:
        try:
            import optuna
        except ImportError:
            raise UserError(
                "--search tpe needs Optuna: pip install '.[optuna]', or search with "
                "--search random."
            ) from None
        optuna.logging.set_verbosity(logging.WARNING)
        self.trials = trials
        self._space = space
        self._seed = seed
        self._study = optuna.create_study(direction="maximize" if higher_is_better else "minimize")
        self._asked: dict[int, optuna.Trial] = {}

    def suggest(self, number: int) -> dict[str, Any]:
        """See `Search`."""
        import optuna

        self._study.sampler = optuna.samplers.TPESampler(
            seed=(self._seed * 1_000_003 + number) % 2**32, constant_liar=True
        )
        self._asked[number] = self._study.ask()
        return self._space.draw(_OptunaDraw(self._asked[number]))

    def draws(self, number: int) -> dict[str, Any]:
        """Optuna's own names and values."""
        return dict(self._asked[number].params)

    def replay(self, number: int, draws: dict[str, Any]) -> None:
        """See `Search`."""
        self._study.enqueue_trial(draws)
        self.suggest(number)

    def ended(self, number: int, value: float | None) -> None:
        """See `Search`."""
        import optuna

        states = optuna.trial.TrialState
        state = states.FAIL if value is None else states.COMPLETE
        self._study.tell(self._asked[number], value, state, skip_if_finished=True)


class _OptunaDraw:
    """Lets Optuna pick."""

    def __init__(self, trial: "optuna.Trial") -> None:
        self._trial = trial

    def number(self, name: str, low: float, high: float, log: bool) -> float:
        return self._trial.suggest_float(name, low, high, log=log)

    def integer(self, name: str, low: int, high: int) -> int:
        return self._trial.suggest_int(name, low, high)

    def index(self, name: str, count: int) -> int:
        return self._trial.suggest_categorical(name, list(range(count)))


def make_search(
    name: SearchName,
    space: Space,
    trials: int | None,
    seed: int,
    higher_is_better: bool = True,
) -> Search:
    """Make a search.

    Args:
        name: of the method.
        space: what to draw from.
        trials: how many; None: 16, or with `grid` all.
        seed: of all draws.
        higher_is_better: of the metric.

    Raises:
        UserError: the space has no grid, there are too few trials for it, or Optuna is missing.
    """
    if name == "grid":
        return GridSearch(space, trials)
    trials = trials or 16
    if name == "tpe":
        return TpeSearch(space, trials, seed, higher_is_better)
    return RandomSearch(space, trials, seed)
