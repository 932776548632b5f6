"""Which trials of a sweep go on: Ray Tune's schedulers, by name and with fitting settings."""

import random
from typing import Any

import numpy as np
from ray.tune.schedulers import (
    AsyncHyperBandScheduler,
    FIFOScheduler,
    MedianStoppingRule,
    PopulationBasedTraining,
    TrialScheduler,
)

from distributed.sweep.choices import SchedulerName
from siamese.config.metrics import metric_of
from siamese.config.ranges import Choice, Integers, Numbers
from siamese.config.search_space import Space
from siamese.errors import UserError

# What may change in the middle of a run: neither a weight's shape nor the number of steps hangs
# on it.
CHANGEABLE = (
    "loss.scale",
    "optimizer.learning_rate",
    "encoder.dropout",
    "evaluation.threshold",
)
# ASHA lets one of so many trials pass each rung; rungs are at 1, 3, 9 … epochs.
REDUCTION = 3


def make_scheduler(
    name: SchedulerName, metric: str, epochs: int, space: Space, seed: int
) -> TrialScheduler:
    """Make a scheduler that looks at each epoch's metric.

    Args:
        name: `asha` (asynchronous successive halving), `median` stopping, `pbt` (population based
            training) or `none`, with which every trial runs in full.
        metric: the key of the one that counts.
        epochs: of a trial that is not stopped.
        space: what is searched.
        seed: of what `pbt` changes.

    Raises:
        UserError: the space has nothing that `pbt` could change.
    """
    mode = "max" if metric_of(metric).higher_is_better else "min"
    common: dict[str, Any] = {"time_attr": "epoch", "metric": metric, "mode": mode}
    if name == "asha":
        return AsyncHyperBandScheduler(**common, max_t=epochs, reduction_factor=REDUCTION)
    if name == "median":
        return MedianStoppingRule(**common, grace_period=1, min_samples_required=3)
    if name == "none":
        return FIFOScheduler()
    ranges = {key: space.ranges[key] for key in CHANGEABLE if key in space.ranges}
    if not ranges:
        raise UserError(
            "--scheduler pbt changes settings while trials run, and the space has none that can "
            f"change: {', '.join(CHANGEABLE)}."
        )
    generator = np.random.default_rng(seed)
    random.seed(seed)  # of which donors Tune picks

    def explore(config: dict[str, Any]) -> dict[str, Any]:
        """Take the donor's settings, each that can change a little larger or smaller."""
        settings = dict(config["settings"])
        for key, values in ranges.items():
            assert isinstance(values, Numbers | Integers | Choice)
            settings[key] = values.changed(settings[key], generator)
        return {**config, "settings": settings}

    return PopulationBasedTraining(
        **common, perturbation_interval=1, custom_explore_fn=explore, log_config=False
    )
