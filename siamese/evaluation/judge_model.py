"""Judge a model folder on a file: of labelled pairs, or of groups."""

from pathlib import Path
from typing import Any, Literal

from siamese.data.cleaning import ReadingCounts
from siamese.data.reading import read_groups, read_pairs
from siamese.encoder.model_folder import check_model_folder
from siamese.encoder.sentence_encoder import SentenceEncoder
from siamese.evaluation.calibration import calibration_figures
from siamese.evaluation.evaluators.retrieval import evaluate_retrieval
from siamese.evaluation.pair_metrics import evaluate_scores, grades_of, labels_of, pair_scores
from siamese.evaluation.thresholds import Wanted, find_threshold
from siamese.progress import progress
from siamese.text.notes import notes_on


def judge_on_pairs(
    model: Path,
    pairs: str,
    threshold: float | Wanted | Literal["stored", "fit"],
    encoding: str | None = None,
) -> tuple[dict[str, Any], list[str]]:
    """Judge a model on labelled pairs.

    Args:
        model: the model folder.
        pairs: a file, glob, folder or URI.
        threshold: a similarity above it means the same; `stored` with the model, the one that
            `fit`s these pairs best, or the one that gives a wanted precision or recall on them.
        encoding: of the pairs, as in `read_pairs`.

    Returns:
        The figures by name, and lines about texts that a user should know of.

    Raises:
        UserError: the model or the pairs cannot be used, or no threshold gives what is wanted.
    """
    check_model_folder(model)
    labelled = read_pairs([pairs], encoding=encoding)
    encoder = SentenceEncoder.load(model)
    scores = pair_scores(labelled, encoder.encode, encoder.recipe.evaluation.similarity)
    labels, found = labels_of(labelled), None
    if isinstance(threshold, Wanted):
        found = find_threshold(scores, labels, threshold)
        threshold = found.threshold
    elif threshold == "stored":
        threshold = encoder.threshold
    metrics: dict[str, Any] = evaluate_scores(scores, grades_of(labelled), threshold).as_dict()
    if encoder.calibrator is not None:
        metrics |= calibration_figures(encoder.calibrator, scores, labels)
    if found is not None:
        metrics |= found.intervals()
    texts = {text for pair in labelled for text in (pair.text1, pair.text2)}
    notes = notes_on(texts, encoder.vocabulary, encoder.recipe.text.max_length)
    return metrics, [*([str(found)] if found else []), *notes]


def judge_on_groups(
    model: Path, groups: str, encoding: str | None = None
) -> tuple[dict[str, Any], list[str]]:
    """Judge how well a model finds each text's group mates among all texts.

    Args:
        model: the model folder.
        groups: a file, glob, folder or URI of groups or of labelled pairs.
        encoding: of the groups, as in `read_groups`.

    Returns:
        The figures by name, and lines about texts that a user should know of.

    Raises:
        UserError: the model or the groups cannot be used.
    """
    check_model_folder(model)
    found = list(read_groups([groups], ReadingCounts(), encoding=encoding))
    encoder = SentenceEncoder.load(model)
    queries = len({text for group in found if len(group.texts) > 1 for text in group.texts})
    with progress("searching", queries, "queries") as advance:
        metrics = evaluate_retrieval(
            found, encoder.encode, encoder.recipe.evaluation.similarity, advance
        )
    texts = {text for group in found for text in (*group.texts, *group.negatives)}
    notes = notes_on(texts, encoder.vocabulary, encoder.recipe.text.max_length)
    return metrics.as_dict(), notes
