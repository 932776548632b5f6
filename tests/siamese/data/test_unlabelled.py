"""Texts that only a teacher knows, in neighbourhoods."""

import numpy as np
import pytest
from draws import draw, make_groups

from siamese.config.recipe import NEIGHBOURHOOD, Sampling
from siamese.data.rows import Position
from siamese.data.unlabelled import with_unlabelled

ORDER = np.random.default_rng(1).permutation(83).astype(np.int32)


class Teacher:
    """Knows texts `t0`, `t1`, …."""

    dim = 1
    order = ORDER

    def texts_at(self, positions):
        return [f"t{number}" for number in positions]

    def vectors_of(self, texts):
        return np.ones((len(texts), 1), np.float32)


def drawn(count: int, step: int = 0, rank: int = 0, workers: int = 1):
    sampling = Sampling(batch_groups=4)
    at = {"seed": 1, "epoch": 2, "step": step, "rank": rank, "world_size": workers}
    rows = draw(make_groups([2] * 4), sampling, **at)
    return with_unlabelled(rows, Teacher(), count, Position(**at))


def test_a_batch_has_whole_neighbourhoods_each_once() -> None:
    neighbourhoods = {
        frozenset(f"t{n}" for n in ORDER[start : start + NEIGHBOURHOOD])
        for start in range(0, 80, NEIGHBOURHOOD)
    }
    for step in range(20):
        texts = drawn(24, step).unlabelled
        found = [frozenset(texts[n : n + NEIGHBOURHOOD]) for n in range(0, 24, NEIGHBOURHOOD)]
        assert len(set(found)) == 3 and set(found) <= neighbourhoods


def test_more_than_there_are_come_again() -> None:
    assert len(drawn(160).unlabelled) == 160


@pytest.mark.parametrize("workers", [2, 4])
def test_workers_together_draw_what_one_would_with_its_noise(workers) -> None:
    whole = drawn(64)
    shares = [drawn(64, rank=rank, workers=workers) for rank in range(workers)]
    assert [t for share in shares for t in share.unlabelled] == whole.unlabelled
    noise = [n for share in shares for n in share.noise[-64 // workers :].tolist()]
    assert noise == whole.noise[-64:].tolist()
    assert len(whole.noise) == len(whole.texts)


def test_steps_draw_differently_and_every_text_has_its_turn() -> None:
    of_steps = [frozenset(drawn(16, step).unlabelled) for step in range(60)]
    assert len(set(of_steps)) > 30
    assert frozenset().union(*of_steps) == {f"t{n}" for n in ORDER[:80]}
