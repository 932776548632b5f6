"""Where one JSON object is cut: between members, whatever its strings hold."""

import io
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from siamese.data import json_cuts
from siamese.data.json_cuts import cuts

NASTY = [
    '],"',
    '"',
    "\\",
    '\\"',
    '"]',
    '"],"x":["',
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "\n",
    "é",
    "银",
    "😱",
]
STRINGS = st.lists(st.sampled_from([*NASTY, "a"]), max_size=6).map("".join)
SPACES = st.sampled_from(["", " ", "\n", "\r\n\t", "  \n "])


@st.composite
def objects(draw) -> str:
    """An object of lists of strings as JSON, written in any way."""
    members = draw(st.lists(st.tuples(STRINGS, st.lists(STRINGS, max_size=3)), max_size=8))
    ascii_only = draw(st.booleans())

    def string(text: str) -> str:
        return json.dumps(text, ensure_ascii=ascii_only)

    def joined(parts: list[str], begin: str, end: str) -> str:
        space = draw(SPACES)
        return begin + space + f"{space},{space}".join(parts) + space + end

    rows = [
        f"{string(key)}{draw(SPACES)}:{draw(SPACES)}{joined(list(map(string, texts)), '[', ']')}"
        for key, texts in members
    ]
    return draw(SPACES) + joined(rows, "{", "}") + draw(SPACES)


def parts(content: bytes, size: int) -> list[bytes]:
    """What is between cuts, each as an object of its own."""
    found = list(cuts(io.BytesIO(content), size))
    starts = [0, *(start for _, start in found)]
    ends = [*(end for end, _ in found), len(content)]
    between = [content[start:end] for start, end in zip(starts, ends, strict=True)]
    gaps = [content[end:start] for end, start in found]
    assert [gap.strip() for gap in gaps] == [b","] * len(gaps)
    return [
        b"{" * (number > 0) + part + b"}" * (number < len(between) - 1)
        for number, part in enumerate(between)
    ]


def members(text: str | bytes) -> list[tuple[str, list[str]]]:
    return json.loads(text, object_pairs_hook=list)


@given(objects(), st.integers(1, 60), st.sampled_from([1, 2, 3, 7, 16, 1 << 18]))
@example('{"a":["],\\""],"a":["\\\\"],"a":["x"]}', 1, 1 << 18)
@example('{"a":["\\\\"],"b":["x"]}', 1, 8)
def test_each_part_is_an_object_of_members_and_together_they_are_all(text, size, block):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_cuts, "BLOCK", block)
        found = parts(text.encode(), size)
    assert [member for part in found for member in members(part)] == members(text)


@pytest.mark.parametrize(
    "text", ['{"a":["x"],"b":["y"],"c":["z"]}', '{"a":["],\\"x"],"b":["\\\\"], \n"c":[]}']
)
def test_there_is_a_cut_before_each_member_if_parts_may_be_small(text):
    assert [list(dict(members(part))) for part in parts(text.encode(), 1)] == [["a"], ["b"], ["c"]]


def test_a_part_has_the_size_that_was_asked_for_or_little_more():
    member = '"group": ["甲乙丙", "丁戊"]'
    text = "{" + ",\n".join([member] * 10_000) + "}"
    found = parts(text.encode(), 15_000)
    longest = len(member.encode()) + 4
    assert len(found) == len(text.encode()) // 15_000 + 1
    assert all(abs(len(part) - 15_000) <= longest for part in found[:-1])


@pytest.mark.parametrize("text", ["", "{}", '{"a": ["x"]}', '{"a', '["],', "]" * 9, "\\" * 9])
def test_what_has_no_two_members_has_no_cut(text):
    assert list(cuts(io.BytesIO(text.encode()), 1)) == []
