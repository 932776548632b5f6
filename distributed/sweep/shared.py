"""What all trials of a sweep share."""

from dataclasses import dataclass
from typing import Any

from siamese.config.recipe import Recipe
from siamese.data.pair import Pair
from siamese.training.execution import Execution


@dataclass(frozen=True)
class Shared:
    """Holds what all trials of a sweep share; put into Ray's object store once.

    Attributes:
        recipe: the one whose settings are searched.
        data: the data set, an absolute path or URI.
        pairs: development pairs.
        summary: counts of the data.
        trials: the folder of the trials' run folders, a path or URI.
        execution: of each trial.
        preparations: the handle of a `distributed.sweep.trial.Preparations`, once Ray runs.
    """

    recipe: Recipe
    data: str
    pairs: list[Pair]
    summary: dict[str, Any]
    trials: str
    execution: Execution
    preparations: Any = None
