"""What is served follows what lies on disk, a model and its index together or not at all."""

import shutil
from pathlib import Path

import pytest
from calibrated_encoder import calibrated_encoder
from service import put

from siamese.errors import UserError
from siamese.search.index import Index
from siamese.serving.served import Served, name_of

TEXTS = ["怎么修改密码", "快递到哪了", "开通会员"]


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """Two models, `1` and `2`, with an index of each."""
    folder = tmp_path_factory.mktemp("made")
    for seed in (1, 2):
        calibrated_encoder(seed).save(folder / f"model-{seed}")
        Index.build(TEXTS, str(folder / f"model-{seed}"), folder / f"index-{seed}")
    return folder


@pytest.fixture
def place(made, tmp_path) -> Path:
    """What is served at first: the first model and its index."""
    put(made / "model-1", tmp_path / "best")
    put(made / "index-1", tmp_path / "index")
    return tmp_path


def open_at(place: Path) -> Served:
    return Served(str(place / "best"), str(place / "index"))


def fingerprint(seed: int) -> str:
    return calibrated_encoder(seed).fingerprint


def test_nothing_is_loaded_again_while_nothing_changes(place) -> None:
    served = open_at(place)
    desk = served.desk
    assert not served.refresh()
    assert served.desk is desk
    assert served.status()["model"]["fingerprint"] == fingerprint(1)
    assert served.status()["index"]["entries"] == 3


def test_a_new_model_without_an_index_takes_over(made, place) -> None:
    served = Served(str(place / "best"))
    put(made / "model-2", place / "best")
    assert served.refresh()
    assert served.status()["model"]["fingerprint"] == fingerprint(2)
    assert not served.refresh()


def test_an_entry_that_is_added_is_served(place) -> None:
    served = open_at(place)
    Index.open(place / "index", str(place / "best")).add(["查询余额"])
    assert served.refresh()
    assert served.status()["index"]["entries"] == 4
    assert served.desk.index.search("查询余额", 1)[0].text == "查询余额"


@pytest.mark.parametrize("first", ["best", "index"])
def test_a_new_model_and_its_index_take_over_together(made, place, first) -> None:
    served = open_at(place)
    new = {"best": made / "model-2", "index": made / "index-2"}
    put(new.pop(first), place / first)
    assert not served.refresh()
    assert served.status()["model"]["fingerprint"] == fingerprint(1)
    assert served.desk.index.search(TEXTS[0], 1)[0].text == TEXTS[0]  # it goes on
    assert "index" in served.problem
    ((second, source),) = new.items()
    put(source, place / second)
    assert served.refresh()
    assert served.status()["model"]["fingerprint"] == fingerprint(2)
    assert served.problem == ""


@pytest.mark.parametrize(
    "file", ["best/encoder.keras", "best/recipe.yaml", "best/manifest.json", "index/manifest.json"]
)
def test_while_the_new_one_is_damaged_the_old_one_stays(made, place, file) -> None:
    served = open_at(place)
    put(made / "model-2", place / "best")
    put(made / "index-2", place / "index")
    whole = (place / file).read_bytes()
    (place / file).write_bytes(whole[:-9])
    assert not served.refresh()
    assert Path(file).name in served.problem
    assert served.status()["problem"] == served.problem
    assert served.status()["model"]["fingerprint"] == fingerprint(1)
    (place / file).write_bytes(whole)  # the rest of it has been copied
    assert served.refresh()
    assert served.status()["model"]["fingerprint"] == fingerprint(2)


def test_there_is_no_problem_any_more_when_the_old_one_is_put_back(made, place) -> None:
    served = open_at(place)
    put(made / "model-2", place / "best")
    served.refresh()
    assert served.problem
    put(made / "model-1", place / "best")
    assert not served.refresh()
    assert served.problem == ""


@pytest.mark.parametrize("name", ["best", "index"])
def test_what_has_been_removed_is_served_on(place, name) -> None:
    served = open_at(place)
    shutil.rmtree(place / name)
    assert not served.refresh()
    assert served.desk.index.search(TEXTS[0], 1)[0].text == TEXTS[0]


def test_another_models_index_is_refused_at_the_start(made) -> None:
    with pytest.raises(UserError, match="index-2"):
        Served(str(made / "model-1"), str(made / "index-2"))


@pytest.mark.parametrize(
    ("location", "name"),
    [
        ("/srv/models/run/best", "run/best"),
        ("run/best/", "run/best"),
        ("best", "best"),
        ("models/faq-2", "faq-2"),
        ("s3://bucket/run/best?region=eu-west-1", "run/best"),
    ],
)
def test_a_model_is_called_by_its_folder(location, name) -> None:
    assert name_of(location) == name
