import numpy as np
import pytest
from labels import labels_of

from siamese.audit.folds import held_out, split_in_folds
from siamese.errors import UserError


def chains(count: int):
    """Each of `count` questions with a paraphrase and another text."""
    pairs = []
    for n in range(count):
        pairs += [(f"q{n}", f"p{n}", 1.0), (f"q{n}", f"n{n}", 0.0)]
    return labels_of(*pairs)


def texts_of(labels, chosen) -> set[int]:
    return set(labels.ends[chosen].ravel().tolist())


def test_every_pair_has_one_fold_and_folds_are_of_about_one_size() -> None:
    folds = split_in_folds(chains(100), 5, seed=1)
    assert np.bincount(folds).tolist() == [40] * 5


def test_no_text_is_in_two_folds_nor_among_those_that_pick_the_epoch() -> None:
    labels = chains(100)
    folds = split_in_folds(labels, 5, seed=1)
    for fold in range(5):
        chosen = held_out(labels, folds, fold, seed=1)
        assert not chosen[folds == fold].any()
        assert 10 <= chosen.sum() <= 24
        kinds = (folds == fold, chosen, (folds != fold) & ~chosen)
        for one in range(3):
            for other in range(one):
                assert not texts_of(labels, kinds[one]) & texts_of(labels, kinds[other])


def test_the_seed_decides() -> None:
    labels = chains(100)
    assert (split_in_folds(labels, 5, 1) == split_in_folds(labels, 5, 1)).all()
    assert (split_in_folds(labels, 5, 1) != split_in_folds(labels, 5, 2)).any()


def test_one_answer_to_thousands_of_questions_does_not_make_one_fold() -> None:
    pairs = [(f"q{n}", f"p{n}", 1.0) for n in range(100)]
    labels = labels_of(*pairs, *((f"q{n}", "answer", 0.0) for n in range(100)))
    folds = split_in_folds(labels, 4, seed=1)
    assert np.bincount(folds).tolist() == [50] * 4
    # Groups stay together: a question's two pairs.
    assert (folds[:100] == folds[100:]).all()


def test_a_group_that_is_too_large_is_dealt_pair_by_pair() -> None:
    positive = [("hub", f"p{n}", 1.0) for n in range(60)]
    labels = labels_of(*positive, *((f"x{n}", f"y{n}", 0.0) for n in range(60)))
    folds = split_in_folds(labels, 3, seed=1)
    assert set(folds[:60].tolist()) == {0, 1, 2}


def test_too_few_pairs_are_refused_with_their_numbers() -> None:
    with pytest.raises(UserError, match="3 positive and 3 other labelled pairs are too few for 5"):
        split_in_folds(chains(3), 5, seed=1)
    with pytest.raises(UserError, match=r"0 positive and 50 other .* Lower --folds"):
        split_in_folds(labels_of(*((f"a{n}", f"b{n}", 0.0) for n in range(50))), 5, seed=1)
