"""A run that takes a second: groups, pairs, settings."""

from pathlib import Path

import numpy as np

from siamese.config.loading import load_recipe
from siamese.data.dataset import TrainingData
from siamese.data.group import Group
from siamese.data.pair import Pair
from siamese.storage.checkpoints import checkpoint_folders
from siamese.training.context import LocalContext
from siamese.training.execution import Execution
from siamese.training.loop import fit
from siamese.training.parts import Parts
from siamese.training.preparation import prepare
from siamese.training.run_folder import RunFolder

VERBS = [("怎么开通", "如何打开", "想开{}要点哪"), ("怎么关闭", "如何停用", "不想用{}了")]
THINGS = [
    "会员",
    "流量包",
    "来电显示",
    "短信提醒",
    "自动续费",
    "免密支付",
    "夜间模式",
    "定位",
    "发票",
]


def fill(phrasing: str, thing: str) -> str:
    return phrasing.format(thing) if "{}" in phrasing else phrasing + thing


GROUPS = [
    Group(f"{v}-{thing}", tuple(fill(p, thing) for p in verb), (fill(VERBS[1 - v][0], thing),))
    for thing in THINGS
    for v, verb in enumerate(VERBS)
]
PAIRS = [Pair(g.texts[0], g.texts[2], 1) for g in GROUPS] + [
    Pair(g.texts[0], g.negatives[0], 0) for g in GROUPS
]
SINGLE_TEXT = [Group(g.id + "?", (g.texts[0] + "吗",), g.negatives) for g in GROUPS[:7]]
DATA = TrainingData.of_groups(GROUPS + SINGLE_TEXT)
TINY = (
    "encoder.embedding_dim=8",
    "encoder.vectors=none",
    "encoder.lstm_units=[6]",
    "sampling.batch_groups=6",
    "training.epochs=3",
    "training.patience=null",
    "loss.hard_negatives=1",
    "loss.ranking=0",
    "sampling.method=pairs",
)


def run_in(
    folder: Path,
    *settings: str,
    fresh: bool = True,
    data: TrainingData = DATA,
    parts: Parts | None = None,
    execution: Execution | None = None,
) -> RunFolder:
    recipe = load_recipe("fast", [*TINY, *settings])
    run = RunFolder(folder)
    if fresh:
        run.start(recipe, {"hash": "tests"}, fresh=True)
    fit(LocalContext(run, execution), recipe, data, PAIRS, prepare(recipe, data, PAIRS), parts)
    return run


def weights(run: RunFolder) -> list[bytes]:
    with np.load(checkpoint_folders(run.checkpoints)[-1] / "variables.npz") as values:
        return [values[name].tobytes() for name in values.files]


class KilledError(Exception):
    """Stands for whatever ends a run."""
