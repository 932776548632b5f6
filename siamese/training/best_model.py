"""The best model of a run and its scores: in every checkpoint, and copied to where users look.

A checkpoint holds both, so that they and the progress are one commit. `RUN/best` is a copy, made
when the checkpoint is there, and made again by a resumed run if it is gone or another.
"""

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from siamese.data.pair import Pair
from siamese.encoder.model_folder import MANIFEST, check_model_folder
from siamese.errors import UserError
from siamese.storage.atomic import replacing, replacing_folder
from siamese.training.checkpoint import Progress

# Named alike in a checkpoint and in a run folder.
BEST, SCORES = "best", "best_scores.parquet"


def write_scores(folder: Path, pairs: list[Pair], scores: np.ndarray) -> None:
    """Write the best model's similarity of each development pair into a checkpoint."""
    table = pa.table(
        {
            "text1": [pair.text1 for pair in pairs],
            "text2": [pair.text2 for pair in pairs],
            "label": pa.array([pair.label for pair in pairs], pa.int8()),
            "score": scores,
        }
    )
    pq.write_table(table, folder / SCORES)


def copy_best(checkpoint: Path, target: Path) -> None:
    """Copy the best model of a checkpoint, if it has one, into the next."""
    if (checkpoint / BEST).is_dir():
        shutil.copytree(checkpoint / BEST, target / BEST)
        shutil.copyfile(checkpoint / SCORES, target / SCORES)


def publish_best(checkpoint: Path, run: Path) -> None:
    """Copy the best model of a checkpoint to where users look."""
    with replacing_folder(run / BEST) as beside:
        shutil.copytree(checkpoint / BEST, beside, dirs_exist_ok=True)
    with replacing(run / SCORES) as scores:
        shutil.copyfile(checkpoint / SCORES, scores)


def restore_best(checkpoint: Path | None, run: Path, at: Progress) -> None:
    """Have the best model in the run folder that a stopped run had when it stood somewhere.

    Args:
        checkpoint: that the run goes on from.
        run: the run folder.
        at: where the run stood.

    Raises:
        UserError: the checkpoint is of an older release, which did not hold the model, and the
            model is gone.
    """
    if checkpoint and (checkpoint / BEST).is_dir():
        if not _is_published(checkpoint, run):
            publish_best(checkpoint, run)
    elif not at.best_epoch:
        shutil.rmtree(run / BEST, ignore_errors=True)
        (run / SCORES).unlink(missing_ok=True)
    else:
        try:
            check_model_folder(run / BEST)
        except UserError as error:
            raise UserError(
                f"{error} The checkpoints of this run, which an older release wrote, do not hold "
                "it: put it back, or start the run afresh with --fresh."
            ) from None


def _is_published(checkpoint: Path, run: Path) -> bool:
    """Say whether the best model of a checkpoint is in the run folder, undamaged."""
    try:
        check_model_folder(run / BEST)
        return all(
            (checkpoint / name).read_bytes() == (run / name).read_bytes()
            for name in (f"{BEST}/{MANIFEST}", SCORES)
        )
    except (UserError, OSError):
        return False
