"""Read all of a run that its report tells."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from siamese.config.recipe import Recipe, load_recipe
from siamese.encoder.sentence_encoder import SentenceEncoder
from siamese.errors import UserError
from siamese.evaluation.pair_metrics import evaluate_scores
from siamese.storage.atomic import read_json
from siamese.training.run_folder import RunFolder


@dataclass(frozen=True)
class RunContents:
    """All of a run that the report tells.

    Attributes:
        name: the folder's name.
        recipe: every setting.
        data: counts of the data, from `data.json`.
        train: the log's `train` events.
        evaluations: the log's `evaluation` events, one per epoch.
        encoder: the best epoch's.
        pairs: the development pairs' `(text1, text2)`.
        labels: theirs, 0 or 1 `[pairs]`.
        scores: the encoder's similarities of them, `[pairs]`.
    """

    name: str
    recipe: Recipe
    data: dict[str, Any]
    train: list[dict[str, Any]]
    evaluations: list[dict[str, Any]]
    encoder: SentenceEncoder
    pairs: list[tuple[str, str]]
    labels: np.ndarray
    scores: np.ndarray


def _read_run(run: Path) -> RunContents:
    folder = RunFolder(run)
    if not folder.recipe_file.is_file() or not folder.data_file.is_file():
        if (run / "encoder.keras").is_file():
            hint = "This is a model folder: give the folder of its run"
        else:
            hint = "Give the folder that `siamese train --run` wrote"
        raise UserError(f"{run}: not the folder of a run. {hint}.")
    log = folder.read_log()
    evaluations = [line for line in log if line["event"] == "evaluation"]
    if not evaluations or not folder.best.is_dir():
        missing = "metrics.jsonl has no evaluation" if not evaluations else "best/ is missing"
        raise UserError(
            f"{run}: no epoch is finished yet ({missing}), so there is nothing to report. Wait for "
            "the first evaluation, or continue the run with --resume."
        )
    pairs, labels, scores = read_scores(folder.scores_file)
    encoder = SentenceEncoder.load(folder.best)
    judged = evaluate_scores(scores, labels, encoder.threshold)
    # A run may have been killed between writing the model and the scores.
    if not np.isclose(judged.roc_auc, encoder.metrics["roc_auc"], rtol=0, atol=1e-6):
        raise UserError(
            f"{folder.scores_file}: are not the scores of {folder.best} (ROC AUC "
            f"{judged.roc_auc:.6f}, there {encoder.metrics['roc_auc']:.6f}). Continue the run with "
            "--resume."
        )
    return RunContents(
        name=run.resolve().name,
        recipe=load_recipe(str(folder.recipe_file), stored=True),
        data=read_json(folder.data_file),
        train=[line for line in log if line["event"] == "train"],
        evaluations=evaluations,
        encoder=encoder,
        pairs=pairs,
        labels=labels,
        scores=scores,
    )


def read_scores(path: Path) -> tuple[list[tuple[str, str]], np.ndarray, np.ndarray]:
    """Read a run's `best_scores.parquet`: pairs, labels and similarities `[pairs]`.

    Raises:
        UserError: it is missing or damaged.
    """
    try:
        table = pq.read_table(path, columns=["text1", "text2", "label", "score"])
        texts1, texts2, labels, scores = (column for column in table.itercolumns())
    except FileNotFoundError:
        raise UserError(f"{path}: is missing. Continue the run with --resume.") from None
    except (OSError, ValueError, pa.ArrowException) as error:
        raise UserError(f"{path}: damaged ({error}). Train the run again with --fresh.") from None
    pairs = list(zip(texts1.to_pylist(), texts2.to_pylist(), strict=True))
    return pairs, labels.to_numpy(), scores.to_numpy()
