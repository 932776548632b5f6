import numpy as np
from labels import labels_of

from siamese.audit import doubts
from siamese.audit.doubts import expected_grades


def questions(count: int, flipped: set[int]):
    """Texts that share characters where they mean the same, but for some labels."""
    rng = np.random.default_rng(1)
    letters = [chr(0x4E00 + n) for n in range(300)]
    pairs, scores = [], []
    for n in range(count):
        text = "".join(rng.choice(letters, 8))
        same = n % 2
        other = (
            text[:6] + "".join(rng.choice(letters, 2)) if same else "".join(rng.choice(letters, 8))
        )
        pairs.append((f"{text}{n}", f"{other}{n}", float(same ^ (n in flipped))))
        scores.append(same + rng.normal(0, 0.4))
    return labels_of(*pairs), np.array(scores)


def test_flipped_labels_are_farthest_from_what_is_expected() -> None:
    flipped = set(range(0, 400, 20)) | {5}
    labels, scores = questions(400, flipped)
    expected = expected_grades(labels, scores, np.arange(400) // 2 % 4)
    assert ((expected >= 0) & (expected <= 1)).all()
    off = np.abs(expected - labels.grades)
    first = set(np.argsort(-off)[: len(flipped)].tolist())
    assert len(first & flipped) >= 0.9 * len(flipped)


def test_what_characters_say_of_a_fold_does_not_depend_on_its_own_labels() -> None:
    labels, _ = questions(200, set())
    other = labels_of(
        *(
            (p.text1, p.text2, 1 - p.grade if n // 2 % 4 == 0 else p.grade)
            for n, p in enumerate(labels.pairs)
        )
    )
    folds = np.arange(200) // 2 % 4
    one, two = (doubts._by_characters(each, folds) for each in (labels, other))
    assert (one[folds == 0] == two[folds == 0]).all()
    assert (one[folds == 1] != two[folds == 1]).any()
