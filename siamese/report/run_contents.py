"""Read all of a run that its report shows."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from siamese.config.loading import load_recipe
from siamese.config.recipe import Recipe
from siamese.encoder.sentence_encoder import SentenceEncoder
from siamese.errors import UserError
from siamese.evaluation.pair_metrics import evaluate_scores
from siamese.storage.atomic import read_json
from siamese.training.run_folder import RunFolder

# Figures that the report always shows: of every evaluation, and of the best one as well.
REPORTED = ("accuracy", "roc_auc", "average_precision", "spearman")
AT_THRESHOLD = ("precision", "recall", "f1", "mcc")
_AGAIN = "Train the run again with --fresh."
_SCORES = pa.schema(
    [("text1", pa.string()), ("text2", pa.string()), ("label", pa.int8()), ("score", pa.float64())]
)


@dataclass(frozen=True)
class RunContents:
    """All of a run that its report shows.

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


def read_run(run: Path) -> RunContents:
    """Read a run.

    Raises:
        UserError: it is not the folder of a run, or no epoch is finished yet, or a file is missing
            or damaged.
    """
    folder = RunFolder(run)
    if not folder.recipe_file.is_file() or not folder.data_file.is_file():
        if (run / "encoder.keras").is_file():
            hint = "This is a model folder: give the folder of its run"
        else:
            hint = "Give the folder that `siamese train --run` wrote"
        raise UserError(f"{run}: not the folder of a run. {hint}.")
    log = folder.read_log()
    evaluations = [line for line in log if line.get("event") == "evaluation"]
    if not evaluations or not folder.best.is_dir():
        missing = "metrics.jsonl has no evaluation" if not evaluations else "best/ is missing"
        raise UserError(
            f"{run}: no epoch is finished yet ({missing}), so there is nothing to report. Wait for "
            "the first evaluation, or continue the run with --resume."
        )
    pairs, labels, scores = read_scores(folder.scores_file)
    encoder = SentenceEncoder.load(folder.best)
    _check_scores(folder, encoder, labels, scores)
    data = read_json(folder.data_file)
    if not isinstance(data, dict):
        raise UserError(f"{folder.data_file}: damaged (not a JSON object). {_AGAIN}")
    contents = RunContents(
        name=run.resolve().name,
        recipe=load_recipe(str(folder.recipe_file), stored=True),
        data=data,
        train=[line for line in log if line.get("event") == "train"],
        evaluations=evaluations,
        encoder=encoder,
        pairs=pairs,
        labels=labels,
        scores=scores,
    )
    _check_figures(folder, contents)
    return contents


def _check_scores(
    folder: RunFolder, encoder: SentenceEncoder, labels: np.ndarray, scores: np.ndarray
) -> None:
    """Check that the scores are the model's: a run may have been killed between writing the two."""
    judged = evaluate_scores(scores, labels, encoder.threshold).roc_auc
    stored = encoder.metrics.get("roc_auc", np.nan)
    if not np.isclose(judged, stored, rtol=0, atol=1e-6):
        raise UserError(
            f"{folder.scores_file}: are not the scores of {folder.best} (ROC AUC {judged:.6f}, "
            f"there {stored:.6f}). Continue the run with --resume."
        )


def _check_figures(folder: RunFolder, contents: RunContents) -> None:
    """Check that the log and the model have the figures that the report shows."""
    figures = ("epoch", "step", *REPORTED, contents.recipe.evaluation.metric)
    for where, found, keys in (
        *((folder.metrics_file, line, ("step", "loss")) for line in contents.train),
        *(
            (folder.metrics_file, line, (*figures, "train_seconds"))
            for line in contents.evaluations
        ),
        (folder.best / "metrics.json", contents.encoder.metrics, (*figures, *AT_THRESHOLD)),
    ):
        for key in keys:
            if not _is_figure(found.get(key)):
                at = f" of step {found['step']}" if "step" in found else ""
                raise UserError(f"{where}: the figures{at} have no number `{key}`. {_AGAIN}")


def _is_figure(value: Any) -> bool:
    return isinstance(value, int | float) and abs(value) <= sys.float_info.max


def read_scores(path: Path) -> tuple[list[tuple[str, str]], np.ndarray, np.ndarray]:
    """Read a run's `best_scores.parquet`.

    Returns:
        The pairs; their labels, 0 or 1, int8 `[pairs]`; their similarities, float64 `[pairs]`.

    Raises:
        UserError: it is missing or damaged.
    """
    try:
        table = pq.read_table(path, columns=_SCORES.names).cast(_SCORES)
        table.validate(full=True)  # the texts are UTF-8
    except FileNotFoundError:
        raise UserError(f"{path}: is missing. Continue the run with --resume.") from None
    except (OSError, ValueError, pa.ArrowException) as error:
        raise UserError(f"{path}: damaged ({error}). {_AGAIN}") from None
    labels, scores = table["label"].to_numpy(), table["score"].to_numpy()
    nulls = any(column.null_count for column in table.itercolumns())
    if nulls or set(labels) != {0, 1} or not np.isfinite(scores).all():
        raise UserError(
            f"{path}: damaged (not a score for each pair, and pairs of both labels). {_AGAIN}"
        )
    pairs = list(zip(table["text1"].to_pylist(), table["text2"].to_pylist(), strict=True))
    return pairs, labels, scores
