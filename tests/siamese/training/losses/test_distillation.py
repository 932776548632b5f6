"""The distance from a teacher, where it knows the text."""

import numpy as np
import pytest
from rows_by_hand import ROWS, batch_arrays, inputs, unit

from siamese.encoder.keras_tf import tf
from siamese.training.losses.distillation import Distillation


def test_distillation_is_the_mean_distance_from_the_teacher_where_it_knows_the_text() -> None:
    rows = ROWS["hard negatives"]
    rng = np.random.default_rng(5)
    embeddings = rng.normal(size=(len(rows.texts), 5)).astype(np.float32)
    batch = batch_arrays(rows)
    teacher = np.zeros((len(batch.column_keys), 5), np.float32)
    known = [0, 2, 3, 6]
    teacher[known] = unit(rng.normal(size=(4, 5)))
    loss = Distillation(3.0)(inputs(tf.constant(embeddings), batch._replace(teacher=teacher)))
    z = unit(embeddings)
    assert float(loss) == pytest.approx(
        3 * np.mean([1 - z[n] @ teacher[n] for n in known]), rel=1e-5
    )


def test_distillation_is_nothing_where_the_student_agrees_or_the_teacher_knows_nothing() -> None:
    rows = ROWS["plain"]
    batch = batch_arrays(rows, hard_negatives=0)
    z = np.random.default_rng(6).normal(size=(len(rows.texts), 4)).astype(np.float32)
    agreeing = inputs(tf.constant(z), batch._replace(teacher=unit(z)))
    assert float(Distillation(3.0)(agreeing)) == pytest.approx(0, abs=1e-6)
    nothing = inputs(tf.constant(z), batch._replace(teacher=np.zeros_like(z)))
    assert float(Distillation(3.0)(nothing)) == 0
