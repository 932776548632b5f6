"""Adding an input format, and choosing one that the file's suffix does not say."""

import pytest

import siamese.data.formats
from siamese.data.cleaning import ReadingCounts
from siamese.data.format import Format, all_formats
from siamese.data.group import Group
from siamese.data.pair import Pair
from siamese.data.reading import read_groups, read_pairs, read_texts
from siamese.data.sharding import make_data_set
from siamese.data.shards import read_shards
from siamese.errors import UserError

# A format of one file: groups separated by blank lines.
PARAGRAPHS = """
from siamese.data.format import WHOLE_FILE, Format
from siamese.data.group import Group


class Paragraphs(Format):
    suffixes = (".par",)

    def groups(self, file, range_=WHOLE_FILE):
        texts = "\\n".join(line for _, line in file.lines())
        for number, paragraph in enumerate(texts.split("\\n\\n")):
            yield Group(str(number), tuple(paragraph.splitlines()))


def build():
    return Paragraphs()
"""
CONTENT = "怎么办卡\n如何办卡\n\n挂失\n卡丢了\n"
GROUPS = [Group("0", ("怎么办卡", "如何办卡")), Group("1", ("挂失", "卡丢了"))]


class Paragraphs(Format):
    """The same, as an object in a program."""

    def groups(self, file, range_=None):
        return iter(GROUPS)


@pytest.fixture
def another_format(tmp_path, monkeypatch):
    (tmp_path / "formats").mkdir()
    (tmp_path / "formats" / "paragraphs.py").write_text(PARAGRAPHS, encoding="utf-8")
    path = [*siamese.data.formats.__path__, str(tmp_path / "formats")]
    monkeypatch.setattr(siamese.data.formats, "__path__", path)
    all_formats.cache_clear()
    yield
    all_formats.cache_clear()


def test_one_more_file_is_one_more_format(tmp_path, another_format) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.par").write_text(CONTENT, encoding="utf-8")
    (tmp_path / "in" / "b.json").write_text('{"k": ["x", "y"]}', encoding="utf-8")
    (tmp_path / "in" / "c.other").write_text("x", encoding="utf-8")
    make_data_set([str(tmp_path / "in")], tmp_path / "data")
    found = {group.id: group.texts for group in read_shards(tmp_path / "data")[0].groups}
    assert found == {f"a/{g.id}": g.texts for g in GROUPS} | {"b/k": ("x", "y")}
    texts = list(read_texts([str(tmp_path / "in" / "a.par")]))
    assert texts == [text for group in GROUPS for text in group.texts]
    with pytest.raises(UserError, match=r"unknown kind of file\. Accepted are .*\.par.* and \.txt"):
        list(read_texts([str(tmp_path / "in" / "c.other")]))


def test_an_object_of_ones_own_reads_files(tmp_path) -> None:
    path = tmp_path / "in.anything"
    path.write_text(CONTENT, encoding="utf-8")
    assert list(read_groups([str(path)], ReadingCounts(), Paragraphs())) == GROUPS
    make_data_set([str(path)], tmp_path / "data", format=Paragraphs())
    assert sorted(read_shards(tmp_path / "data")[0].groups, key=lambda g: g.id) == GROUPS


def test_a_format_may_be_chosen_by_name(tmp_path) -> None:
    path = tmp_path / "pairs.data"
    path.write_text("a\tb\t1\na\tc\t0\n", encoding="utf-8")
    assert [pair.label for pair in read_pairs([str(path)], "delimited")] == [1, 0]
    assert list(read_groups([str(path)], ReadingCounts(), "delimited")) == [
        Group("0", ("a", "b"), ("c",), (Pair("a", "b", 1), Pair("a", "c", 0)))
    ]
    with pytest.raises(UserError, match="no format 'delimted'; did you mean delimited"):
        read_pairs([str(path)], "delimted")


def test_every_suffix_is_of_one_format() -> None:
    suffixes = [suffix for format in all_formats() for suffix in format.suffixes]
    assert sorted(suffixes) == [".arrow", ".csv", ".json", ".jsonl", ".parquet", ".tsv", ".txt"]
