"""The laws of formats: ours pass, a user's passes, broken ones are caught."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from broken_laws import broken

from siamese.config.parts import load_part, part_names
from siamese.data.format import WHOLE_FILE, FileRange, Format
from siamese.data.group import Group
from siamese.errors import UserError
from siamese.testing import check_format, formats, laws

SAMPLES = {
    "json_object": (".json", '{"a": ["甲", "乙"], "b": ["丙", "丁", "戊"], "c": ["己", "庚"]}'),
    "json_lines": (
        ".jsonl",
        '{"id": "a", "texts": ["甲", "乙"], "negatives": ["反"]}\n\n'
        '{"id": "b", "texts": ["丙", "丁"]}\r\n{"id": "c", "texts": ["戊"], "negatives": ["己"]}',
    ),
    "delimited": (".csv", 'text1,text2,label\n甲,"乙, 丙",1\n甲,丁,0\n戊,己,1\n'),
    "plain_text": (".txt", "甲\t乙\t1\n甲\t丙\t0\n丁\t戊\t1\n"),
}


@pytest.mark.parametrize(
    "name", [name for name in part_names("format") if name not in ("arrow", "parquet")]
)
def test_our_formats_keep_their_laws(name, tmp_path) -> None:
    suffix, content = SAMPLES[name]
    path = tmp_path / f"sample{suffix}"
    path.write_text(content, encoding="utf-8")
    check_format(load_part("format", name)(), path)


COLUMNS = {"id": ["a", "b", "c"], "texts": [["甲", "乙"], ["丙", "丁"], ["戊", "己"]]}


def test_arrow_keeps_the_laws(tmp_path) -> None:
    table = pa.table(COLUMNS)
    with pa.ipc.new_stream(tmp_path / "sample.arrow", table.schema) as writer:
        writer.write_table(table, max_chunksize=1)
    check_format(load_part("format", "arrow")(), tmp_path / "sample.arrow")


def test_parquet_keeps_the_laws(tmp_path) -> None:
    pq.write_table(pa.table(COLUMNS), tmp_path / "sample.parquet", row_group_size=1)
    check_format(load_part("format", "parquet")(), tmp_path / "sample.parquet")


class Words(Format):
    """A user's: a group a line, its texts separated by `|`."""

    suffixes = (".words",)
    read = 0

    def ranges(self, file, size):
        for start in range(0, file.size(), size):
            yield FileRange(start, min(start + size, file.size()), size)

    def groups(self, file, range_=WHOLE_FILE):
        for _, line in file.lines(range_.start, range_.end):
            yield Group(line, tuple(line.split("|")))


class Careless(Words):
    """Takes the line that a range begins within as one that begins there."""

    def groups(self, file, range_=WHOLE_FILE):
        end = range_.end if range_.end is not None else file.size()
        with file.open() as stream:
            stream.seek(range_.start)
            for line in stream.read(end - range_.start).decode("utf-8", "replace").splitlines():
                yield Group(line, tuple(line.split("|")))


class Counting(Words):
    """Numbers the groups, whoever reads them."""

    def groups(self, file, range_=WHOLE_FILE):
        for group in super().groups(file, range_):
            self.read += 1
            yield Group(f"{self.read}", group.texts)


def test_a_format_of_a_users_own_keeps_the_laws_and_broken_ones_are_caught(tmp_path) -> None:
    path = tmp_path / "sample.words"
    path.write_text("a1|a2\nb1|b2|b3\nc1|c2\n")
    check_format(Words(), path)
    assert broken(lambda: formats.ranges_equal_whole(Careless(), path)) == {laws.MICRO_BATCHES}
    formats.resumed_equals_unbroken(Careless(), path)
    formats.saved_equals_loaded(Careless(), path)
    assert broken(lambda: formats.resumed_equals_unbroken(Counting(), path)) == {laws.RESUMED}
    path.write_text("")
    with pytest.raises(UserError):
        check_format(Words(), path)
