"""Labels made by hand, for tests of the audit."""

from siamese.audit.labels import Labels
from siamese.data.group import Group
from siamese.data.pair import Pair


def labels_of(*pairs: tuple[str, str, float], given: tuple[Group, ...] = ()) -> Labels:
    """Labels of pairs `(text1, text2, grade)` that no given group owns."""
    return Labels([Pair(*pair) for pair in pairs], given, [-1] * len(pairs), "by hand")
