"""Character dropout: which characters training reads as unknown, and what that trains."""

import numpy as np
import pytest
from tiny_batch import DATA, SAMPLING, VOCABULARY
from tiny_run import run_in

from siamese import SentenceEncoder
from siamese.config.recipe import Text
from siamese.data.batching import make_batch
from siamese.data.character_dropout import drop_characters
from siamese.data.rows import Position
from siamese.data.sampling import sample_rows


def is_dropped(noise: int, position: int, rate: float) -> bool:
    """The rule in whole numbers of any size."""

    def mixed(value: int) -> int:
        value = (value ^ value >> 16) * 0x7FEB352D % 2**32
        value = (value ^ value >> 15) * 0x846CA68B % 2**32
        return value ^ value >> 16

    return mixed(mixed(noise ^ 0x5BD1E995) ^ position * 0x85EBCA6B % 2**32) < int(rate * 2**32)


def test_a_character_is_dropped_by_the_noise_of_its_row_and_its_position() -> None:
    rng = np.random.default_rng(1)
    ids = np.where(np.arange(40) < 33, rng.integers(2, 99, (50, 40)), 0).astype(np.int32)
    noise = rng.integers(2**32, size=50, dtype=np.uint32)
    found = drop_characters(ids, noise, 0.3)
    assert found.dtype == np.int32
    for row in range(50):
        expected = [
            0 if not id else 1 if is_dropped(int(noise[row]), position, 0.3) else id
            for position, id in enumerate(ids[row].tolist())
        ]
        assert found[row].tolist() == expected
    assert 0.26 < (found == 1).sum() / (ids > 0).sum() < 0.34
    np.testing.assert_array_equal(drop_characters(ids[:, :20], noise, 0.3), found[:, :20])
    np.testing.assert_array_equal(drop_characters(ids, noise, 0), ids)


def characters_read(rate: float, micro: int | None, workers: int) -> dict[int, list[int]]:
    """What is read of each row of a batch, by its noise."""
    read = {}
    for rank in range(workers):
        rows = sample_rows(DATA, SAMPLING, 2, Position(3, 0, 0, rank, workers))
        batch = make_batch(rows, VOCABULARY, Text(unknown_rate=rate), 2, micro)
        for ids, noise in zip(batch.micro_batches, batch.noise, strict=True):
            for row, of_row in zip(ids, noise, strict=True):
                read[int(of_row)] = row[row != 0].tolist()
    return read


def test_workers_and_micro_batches_drop_what_the_whole_does() -> None:
    whole = characters_read(0.2, None, 1)
    assert whole != characters_read(0, None, 1)
    assert whole == characters_read(0.2, 5, 1) == characters_read(0.2, 5, 3)


@pytest.mark.parametrize("rate", [0, 0.2])
def test_the_row_of_unknown_characters_is_zeros_unless_it_is_trained(rate, tmp_path) -> None:
    run = run_in(tmp_path, f"text.unknown_rate={rate}", "training.epochs=1")
    encoder = SentenceEncoder.load(run.best)
    assert bool(encoder.weights.characters[1].any()) == (rate > 0)
