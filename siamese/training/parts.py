"""The parts of a run that users may replace by objects of their own."""

from dataclasses import dataclass, replace
from typing import Any

from siamese.config.parts import load_part
from siamese.config.recipe import Recipe
from siamese.evaluation.evaluator import Evaluator, find_evaluator
from siamese.training.execution import Execution
from siamese.training.tracker import Tracker


@dataclass(frozen=True)
class Parts:
    """What a user hands in; None stands for what the recipe or the execution names.

    It travels to the workers, so that the objects must pickle (with cloudpickle).

    Attributes:
        loss: what a training step minimises.
        evaluators: besides the labelled pairs, which every run judges; one of them may compute
            `evaluation.metric`, which picks the best epoch.
        trackers: where figures go besides `metrics.jsonl`.
    """

    loss: Any = None
    evaluators: tuple[Evaluator, ...] | None = None
    trackers: tuple[Tracker, ...] | None = None

    def complete(self, recipe: Recipe, execution: Execution) -> "Parts":
        """Fill in what the recipe and the execution name.

        In the process that starts a run this reports what is missing before any work.

        Args:
            recipe: names the loss and the metric.
            execution: names the trackers.

        Returns:
            Parts that have everything; to complete those changes nothing.

        Raises:
            UserError: no evaluator computes the metric, or a tracker cannot be used here.
        """
        own = self.evaluators or ()
        judge = find_evaluator(recipe.evaluation, own)
        trackers = self.trackers
        if trackers is None:
            trackers = tuple(load_part("tracker", name)() for name in execution.trackers)
        evaluators = own if judge in own else (*own, judge)
        return replace(self, evaluators=evaluators, trackers=trackers)
