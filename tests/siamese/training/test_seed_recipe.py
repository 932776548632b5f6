"""`seed.yaml` does what the notebook does, against the notebook's steps restated in numpy."""

import json
from collections import OrderedDict
from dataclasses import replace

import gensim
import numpy as np
import pytest
from lstm_by_hand import encode_by_hand
from paths import SAMPLE

from siamese.config.loading import load_recipe
from siamese.data.batching import make_batch
from siamese.data.cleaning import ReadingCounts
from siamese.data.dataset import TrainingData
from siamese.data.reading import read_groups, read_pairs
from siamese.data.rows import Position
from siamese.data.sampling import sample_rows, steps_per_epoch
from siamese.encoder.bilstm_keras import build_encoder
from siamese.encoder.keras_tf import keras
from siamese.encoder.sentence_encoder import SentenceEncoder
from siamese.evaluation.pair_metrics import evaluate_scores, labels_of, pair_scores
from siamese.training.loss import LossInputs, build_loss
from siamese.training.preparation import prepare

VECTORS = SAMPLE / "token_vec_64.txt"
# The sample's vectors have 64 numbers, the notebook's 300; all else is the recipe's own.
RECIPE = load_recipe("seed", [f"encoder.vectors={VECTORS}", "encoder.embedding_dim=64"])


@pytest.fixture(scope="module")
def notebook():
    """The notebook's variables, made as it makes them."""
    train_data = json.loads((SAMPLE / "df_train.json").read_text(encoding="utf-8"))
    lines = (SAMPLE / "df_test.txt").read_text(encoding="utf-8").splitlines()
    df_test = [line.split("\t") for line in lines]
    train_text = list(train_data.values())
    counts: OrderedDict[str, int] = OrderedDict()
    for texts in train_text + [row[:2] for row in df_test]:
        for text in texts:
            for character in text:
                counts[character] = counts.get(character, 0) + 1
    # keras.preprocessing.text.Tokenizer: by falling count, ties as first seen, ids from 1.
    ordered = sorted(counts.items(), key=lambda item: item[1], reverse=True)
    word_index = {character: i for i, (character, _) in enumerate(ordered, start=1)}
    vectors = gensim.models.KeyedVectors.load_word2vec_format(str(VECTORS), binary=False)
    matrix = np.zeros((len(word_index) + 1, 64))
    for character, i in word_index.items():
        if character in vectors.key_to_index:
            matrix[i] = vectors[character]
    return {
        "train_text": train_text,
        "df_test": df_test,
        "counts": counts,
        "word_index": word_index,
        "matrix": matrix,
    }


@pytest.fixture(scope="module")
def ours():
    counts = ReadingCounts()
    groups = list(read_groups([str(SAMPLE / "df_train.json")], counts))
    pairs = read_pairs([str(SAMPLE / "df_test.txt")])
    data = replace(
        TrainingData.of_groups(groups),
        characters=counts.characters,
        texts_read=counts.texts_read,  # those of groups that are dropped included
    )
    prepared = prepare(RECIPE, data, pairs)
    keras.utils.set_random_seed(1)
    model, _ = build_encoder(RECIPE.encoder, prepared.embeddings)
    return data, pairs, prepared, SentenceEncoder.of_model(model, prepared.vocabulary, RECIPE)


def test_settings_are_the_notebooks() -> None:
    recipe = load_recipe("seed")
    assert (recipe.text.max_length, recipe.text.padding) == (128, "max_length")
    assert not recipe.text.lowercase and recipe.text.include_dev
    assert recipe.encoder.embedding_dim == 300 and not recipe.encoder.train_embeddings
    assert recipe.encoder.lstm_units == (128, 32)
    assert (recipe.encoder.dropout, recipe.encoder.pooling) == (0.5, "last")
    assert recipe.loss.scale == 30
    assert (recipe.sampling.method, recipe.sampling.batch_groups) == ("notebook", 4)
    assert recipe.training.epochs == 20 and recipe.training.patience is None
    assert recipe.optimizer.learning_rate == 0.001  # Adam's default
    assert recipe.evaluation.similarity == "notebook"
    assert (recipe.evaluation.threshold, recipe.evaluation.metric) == (0.80, "accuracy")


def test_vocabulary_is_the_tokenizers(notebook, ours) -> None:
    vocabulary = ours[2].vocabulary
    assert vocabulary.counts == dict(notebook["counts"])
    # The same order by count; the notebook breaks ties by first sight, we by code point.
    theirs = [notebook["counts"][c] for c in notebook["word_index"]]
    assert [vocabulary.counts[c] for c in vocabulary.characters] == theirs


def test_embedding_matrix_is_the_notebooks(notebook, ours) -> None:
    vocabulary, matrix = ours[2].vocabulary, ours[2].embeddings
    assert not matrix[:2].any()
    for row, character in enumerate(vocabulary.characters, start=2):
        expected = notebook["matrix"][notebook["word_index"][character]]
        np.testing.assert_allclose(matrix[row], expected, rtol=1e-6)
    assert ours[2].coverage.covered < len(vocabulary.characters)  # test-only characters have none


def test_steps_of_an_epoch_are_texts_by_512(notebook, ours) -> None:
    expected = int(sum(len(texts) for texts in notebook["train_text"]) / 512)
    data = ours[0]
    assert steps_per_epoch(data, RECIPE.sampling) == expected == 8


def test_a_batch_is_both_joins_of_two_texts_cut_and_padded_to_128(ours) -> None:
    data, _, prepared, _ = ours
    rows = sample_rows(data, RECIPE.sampling, 0, Position(seed=1, epoch=0, step=0))
    rows.first[0] = rows.first[0] * 20  # longer than 128
    batch = make_batch(rows, prepared.vocabulary, RECIPE.text, 0)
    [ids] = batch.micro_batches
    ids = ids[batch.positions]
    assert ids.shape == (8, 128)
    characters = prepared.vocabulary.characters
    for text, row in zip(rows.texts, ids, strict=True):
        read = [characters[i - 2] for i in row if i]
        assert read == list(text)[:128]
        assert not row[len(read) :].any()


def test_loss_of_a_batch_is_the_notebooks(ours) -> None:
    data, _, prepared, encoder = ours
    rows = sample_rows(data, RECIPE.sampling, 0, Position(seed=2, epoch=0, step=0))
    batch = make_batch(rows, prepared.vocabulary, RECIPE.text, 0)
    embeddings = encoder.model(batch.micro_batches[0], training=False).numpy()[batch.positions]
    loss = build_loss(RECIPE.loss)(LossInputs(embeddings, *batch[3:]))

    # The notebook's rows: text1+text2, text2+text1 of one group beside each other.
    interleaved = [text for pair in zip(rows.first, rows.second, strict=True) for text in pair]
    ids = [prepared.vocabulary.encode([text], 128)[0] for text in interleaved]
    y = np.array([encode_by_hand(encoder.model, row[row > 0].tolist(), "last") for row in ids])
    y /= np.linalg.norm(y, axis=1, keepdims=True)
    similarities = (y @ y.T - np.eye(8) * 1e12) * 30
    labels = np.arange(8)[None, :] == (np.arange(8) + 1 - np.arange(8) % 2 * 2)[:, None]
    log_sum = np.log(np.exp(similarities).sum(axis=1))
    expected = (log_sum - similarities[labels]).mean()
    assert float(loss) == pytest.approx(expected, rel=1e-4)


def test_score_and_accuracy_are_the_notebooks(ours) -> None:
    _, pairs, _, encoder = ours
    some = pairs[:40]
    scores = pair_scores(some, encoder.encode, RECIPE.evaluation.similarity)
    vocabulary = encoder.vocabulary

    def predict(text: str) -> np.ndarray:
        ids = vocabulary.encode([text], 128)[0]
        return encode_by_hand(encoder.model, ids[ids > 0].tolist(), "last")

    pred1 = np.array([predict(pair.text1) for pair in some])
    pred2 = np.array([predict(pair.text2) for pair in some])
    dis = np.sum(pred1 * pred2, axis=1) / (np.sum(pred1**2 + pred2**2, axis=1) ** 0.5)
    np.testing.assert_allclose(scores, dis, atol=1e-5)
    for threshold in (0.80, float(np.median(dis))):
        right = (dis > threshold).astype(int) == labels_of(some)
        metrics = evaluate_scores(scores, labels_of(some), threshold)
        assert metrics.accuracy == pytest.approx(right.mean())
