"""Labels and grades as files have them."""

import pytest

from siamese.data.grades import PairRow, to_pairs
from siamese.data.pair import Pair
from siamese.errors import UserError


def grades(labels, column="score", **options) -> list[float]:
    rows = [PairRow(f"f, line {n}", "a", "b", each, "", column) for n, each in enumerate(labels)]
    return [pair.grade for pair in to_pairs(rows, "f", **options)]


@pytest.mark.parametrize(
    ("column", "labels", "expected"),
    [
        ("score", ["0", "0.25", "1"], [0, 0.25, 1]),
        ("score", ["0", "4", "5"], [0, 0.8, 1]),
        ("score", ["4.5", "3.6"], [0.9, 0.72]),  # of 5, the largest rounded up
        ("score", ["2", "0", "1"], [1, 0, 0.5]),
        ("score", ["3", "2.4"], [1, 0.8]),
        ("score_0_to_5", ["3", "1"], [0.6, 0.2]),
        ("score_0_to_5", ["1", "0"], [0.2, 0]),
        ("relevance 0 to 10", ["8", "2"], [0.8, 0.2]),
        ("label", ["true", "no", "1.0", " 0 "], [1, 0, 1, 0]),
        ("label", ["0.5", "1"], [0.5, 1]),
        ("", ["1", "Yes", "0.0"], [1, 1, 0]),
    ],
)
def test_grades_are_divided_by_what_the_column_or_the_largest_says(column, labels, expected):
    assert grades(labels, column) == expected


@pytest.mark.parametrize(
    ("column", "labels", "message"),
    [
        (
            "",
            ["1", "0.5"],
            r"line 1: the label is '0\.5'; it must be 0 or 1\. .*text1, text2 and sc",
        ),
        ("", ["perhaps"], r"'perhaps'; it must be 0 or 1\. Fix the row or remove it\.$"),
        (
            "score",
            ["1", "7"],
            r"line 1: the label is '7'; .* grade from 0 to 5\. .* score_0_to_7\.",
        ),
        ("score", ["-1"], r"'-1'; it must be 0 or 1, or a grade from 0 to 5\. Fix .*it\.$"),
        ("score", ["1", "inf"], "line 1: the label is 'inf'"),
        ("score", ["nan"], "line 0: the label is 'nan'"),
        ("score", [""], "line 0: the label is ''"),
        ("score_0_to_5", ["5", "6"], r"'6'; .* grade from 0 to 5\. Fix the row or remove it\.$"),
    ],
)
def test_what_is_no_grade_is_refused_with_its_row(column, labels, message):
    with pytest.raises(UserError, match=message):
        grades(labels, column)


def test_a_note_says_what_counts_as_a_paraphrase_of_graded_pairs_alone():
    notes: list[str] = []
    grades(["5", "4", "3.9", "0"], tell=notes.append)
    grades(["1", "0"], "label", tell=notes.append)
    grades(["1", "0"], "", tell=notes.append)
    assert notes == [
        "f: grades 0 to 5; 2 of 4 pairs (0.8 of the scale or more) count as paraphrases"
    ]


@pytest.mark.parametrize(("grade", "label"), [(1, 1), (0.8, 1), (0.79, 0), (0.4, 0), (0, 0)])
def test_a_pair_is_positive_from_four_fifths_on(grade, label):
    assert Pair("a", "b", grade).label == label
