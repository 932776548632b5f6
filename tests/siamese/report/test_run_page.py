"""What a run's page says of texts, metrics and data that are not the usual ones."""

from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from report_run import Page, make_run

from siamese.report.drawing import to_png
from siamese.report.run_contents import RunContents, read_run
from siamese.report.run_page import page, worst_errors

PANELS = ("loss", "metrics", "similarities", "reliability", "roc", "precision", "encoder")


@pytest.fixture(scope="module")
def contents(tmp_path_factory: pytest.TempPathFactory) -> RunContents:
    return read_run(make_run(tmp_path_factory.mktemp("runs") / "run", [], epochs=2).path)


@pytest.fixture(scope="module")
def png() -> bytes:
    return to_png([lambda axes: None], 1, 1)


def rendered(contents: RunContents, png: bytes, **changes: Any) -> Page:
    return Page(page(replace(contents, **changes), dict.fromkeys(PANELS, png)))


@pytest.mark.parametrize(
    ("metric", "label"),
    [("recall_at_1", "recall at 1"), ("mrr", "mean reciprocal rank"), ("cents", "cents")],
)
def test_a_metric_of_another_evaluator_that_picks_the_epoch_is_a_tile(
    tmp_path: Path, png: bytes, metric: str, label: str
) -> None:
    run = read_run(make_run(tmp_path / "run", [], epochs=2, figures={metric: 0.4321}).path)
    evaluation = run.recipe.evaluation.model_copy(update={"metric": metric})
    recipe = run.recipe.model_copy(update={"evaluation": evaluation})
    text = rendered(run, png, recipe=recipe).text.replace("\n", "")
    assert f"{label}0.4321" in text
    assert f"the best {label}." in text


def test_the_metric_that_picks_the_epoch_is_no_second_tile(
    contents: RunContents, png: bytes
) -> None:
    assert rendered(contents, png).tags.count("dt") == 7


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<b>", "<b>"),
        ("&amp;", "&amp;"),
        ("a\x00b\x1b[31m\r\x7f", "a␀b␛[31m␍␡"),
        ("\x80\x9f", "��"),
        ("a\tb\nc", "a\tb\nc"),
        ("", "(empty)"),
        ("字" * 300, "字" * 300),
        ("字" * 1301, "字" * 300 + "… (1,301 characters)"),
    ],
)
def test_texts_are_shown_as_they_are_as_far_as_a_page_can(
    contents: RunContents, png: bytes, text: str, shown: str
) -> None:
    pairs = [(text, "b")] * len(contents.pairs)
    result = rendered(contents, png, pairs=pairs)
    assert [row[:2] for row in result.tables[0][1:]] == [[shown, "b"]] * 20
    assert "b" not in result.tags


def test_a_name_that_is_no_text_does_not_break_the_page(contents: RunContents, png: bytes) -> None:
    result = rendered(contents, png, name='a"<i>\udcff')  # a byte that is not UTF-8
    assert 'Run a"<i>�' in result.text and "i" not in result.tags
    result.text.encode()


def test_counts_of_the_data_may_be_of_any_kind(contents: RunContents, png: bytes) -> None:
    data = {"groups": 1234567, "hash": "ab" * 32, "own_count": 1.5, "format": "pairs"}
    assert rendered(contents, png, data=data).tables[2][1:] == [
        ["groups of paraphrases to train on", "1,234,567"],
        ["SHA-256 of the groups and the development pairs", "abababababab…"],
        ["own count", "1.5"],
        ["format", "pairs"],
    ]


EVIL = """</title></td></pre>'"><script>alert(1)</script><img src=x onerror=alert(2)>{{7*7}}"""


def test_nothing_that_a_stranger_wrote_becomes_html(contents: RunContents, png: bytes) -> None:
    """Texts, the folder's name, counts of the data, settings, and the names of metrics."""
    encoder = contents.recipe.encoder.model_copy(update={"vectors": EVIL, "pooling": EVIL})
    loss = contents.recipe.loss.model_copy(update={"name": EVIL, "options": {EVIL: [EVIL]}})
    evaluation = contents.recipe.evaluation.model_copy(update={"metric": EVIL})
    changes = {"encoder": encoder, "loss": loss, "evaluation": evaluation}
    recipe = contents.recipe.model_copy(update=changes)
    judged = copy(contents.encoder)
    judged.metrics = {**contents.encoder.metrics, EVIL: 0.5}
    data = {EVIL: EVIL, "groups": EVIL, "list": [EVIL], "object": {EVIL: EVIL}}
    pairs = [(EVIL, EVIL)] * len(contents.pairs)
    usual = rendered(contents, png)
    evil = rendered(contents, png, name=EVIL, recipe=recipe, encoder=judged, data=data, pairs=pairs)
    assert set(evil.tags) == set(usual.tags)
    assert "script" not in evil.tags
    assert all(each.startswith("data:image/png;base64,") for each in evil.references)
    errors = len(evil.tables[0]) + len(evil.tables[1]) - 2  # without the headings
    assert errors > 20
    assert evil.text.count("alert(1)") > 2 * errors + 10
    assert "{{7*7}}" in evil.text


def test_equal_errors_keep_their_order_and_the_threshold_itself_is_called_different() -> None:
    scores = np.array([0.5, 0.9, 0.9, 0.2, 0.2, 0.5])
    labels = np.array([1, 0, 0, 1, 1, 0])
    false_positives, false_negatives = worst_errors(scores, labels, 0.5, count=2)
    assert false_positives.tolist() == [1, 2]
    assert false_negatives.tolist() == [3, 4]
    assert worst_errors(scores, labels, 0.5)[1].tolist() == [3, 4, 0]
