"""One fold, by a real encoder that is tiny."""

import numpy as np
import pytest

from siamese.audit import scoring
from siamese.audit.folds import held_out, split_in_folds
from siamese.audit.labels import read_labels
from siamese.audit.scoring import FoldScorer
from siamese.config.loading import load_recipe
from siamese.data.in_memory import data_set_of
from siamese.data.shards import read_shards

SETTINGS = (
    "encoder.embedding_dim=8",
    "encoder.vectors=none",
    "encoder.lstm_units=[8]",
    "training.epochs=1",
    "sampling.batch_groups=8",
)


@pytest.fixture
def data(tmp_path) -> str:
    """Pairs, and a group that holds texts of two of them."""
    rows = "".join(f"怎么办{n}\t如何办{n}\t1\n怎么办{n}\t多少钱{n}\t0\n" for n in range(40))
    (tmp_path / "pairs.tsv").write_text(rows, encoding="utf-8")
    group = '{"id": "g", "texts": ["怎么办0", "怎么办1", "另一种说法", "还有一种"]}\n'
    (tmp_path / "groups.jsonl").write_text(group, encoding="utf-8")
    files = [str(tmp_path / "pairs.tsv"), str(tmp_path / "groups.jsonl")]
    return data_set_of(files, tmp_path / "data")


def test_a_fold_is_scored_by_an_encoder_that_saw_none_of_its_texts(data, monkeypatch) -> None:
    labels = read_labels(data)
    folds = split_in_folds(labels, 4, seed=1)
    seen: set[str] = set()

    def read(location, pairs, recipe):
        groups, _ = read_shards(location)
        seen.update(t for g in groups.groups for t in (*g.texts, *g.negatives))
        seen.update(t for g in groups.groups for p in g.pairs for t in (p.text1, p.text2))
        return read_data(location, pairs, recipe)

    read_data = scoring.read_data
    monkeypatch.setattr(scoring, "read_data", read)
    across = np.array([[0, 3], [1, 2]])
    recipe = load_recipe("audit", list(SETTINGS))
    scorer = FoldScorer(data, folds, across, np.array([2, 1]), recipe, show=False)
    found = scorer(2)
    assert found.scores.shape == (int((folds == 2).sum()),)
    assert found.across.shape == (1,)
    assert (np.abs(found.scores) <= 1 + 1e-6).all()
    chosen = held_out(labels, folds, 2, recipe.seed)
    hidden = {labels.texts[n] for n in labels.ends[(folds == 2) | chosen].ravel().tolist()}
    assert not seen & hidden
    assert {"另一种说法", "还有一种"} < seen
    assert len(seen) + len(hidden) == len(labels.texts) + 2
