"""What counts as the same numbers."""

import re

import numpy as np
import pytest

from siamese.testing import LawBroken, laws


def test_numbers_that_round_are_the_same_and_others_are_not() -> None:
    laws.require_same(laws.SAVED, {"a": [2.0, np.inf]}, {"a": [2.0, np.inf]})
    laws.require_same(laws.ORDER, {"a": [1000.0, 1.01]}, {"a": [1000.0, 1.0]}, 2e-5)
    for wrong in ([2.0, 1.1], [2.0, np.nan], [2.0], [[2.0, 1.0]]):
        with pytest.raises(LawBroken, match="`saved = loaded` is broken: a"):
            laws.require_same(laws.SAVED, {"a": wrong}, {"a": [2.0, 1.0]}, 0.01)
    with pytest.raises(LawBroken, match=re.escape("['b'] where there should be ['a']")):
        laws.require_same(laws.SAVED, {"b": [1]}, {"a": [1]})
