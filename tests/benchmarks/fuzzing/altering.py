"""Alter valid things: bytes, JSON and YAML trees, text files, Parquet files."""

import bz2
import copy
import gzip
import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from hypothesis import strategies as st

TOKENS = (
    b"",
    b"\0",
    b"\n",
    b"\r",
    b"\t",
    b" ",
    b",",
    b'"',
    b"\\",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\xe2\x80\xa8",
    b"\xe6\x80",
    b"\\ud83d",
    b"\\u0000",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b"null",
    b"NaN",
    b"-1",
    b"1e999",
    b"99999999999999999999",
    b"&a",
    b"*a",
    b"<<: *a",
    b"!!python/object/apply:os.getcwd []",
    b"PAR1",
    b"PK\x03\x04",
    b"\x1f\x8b",
    b"\x28\xb5\x2f\xfd",
)
VALUES = (
    None,
    True,
    False,
    0,
    1,
    -1,
    2**31,
    2**63,
    10**400,
    0.5,
    -0.0,
    1e308,
    float("inf"),
    float("nan"),
    "",
    " ",
    "0",
    "怎么",
    "\ud800",
    "\0",
    "../../x",
    "/etc/hostname",
    "<script>alert(1)</script>",
    "2024-13-45",
    [],
    [[]],
    [None],
    [1, "a"],
    ["怎么", "如何"],
    {},
    {"a": 1},
    {"": {}},
)
WORDS = (
    "怎么办卡",
    "如何办卡",
    "怎么销卡",
    "挂失",
    "a",
    " ",
    "",
    "\ufeff",
    '"',
    "'",
    "\\",
    "\0",
    "😱",
)
LABELS = ("0", "1", "1.0", "0.0", "True", "yes", "2", "-1", "0.5", "nan", "", " 1", "label")
ENCODINGS = ("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "gb18030", "big5")


@st.composite
def altered_bytes(draw: st.DrawFn, valid: bytes, most: int = 4) -> bytes:
    """Bytes with a few places changed, put in, taken out, cut off or repeated."""
    content = valid
    for _ in range(draw(st.integers(1, most))):
        start = draw(st.integers(0, len(content)))
        length = draw(st.sampled_from((1, 2, 8, 64, 1 << 20)))
        how = draw(st.sampled_from(("flip", "token", "random", "remove", "cut", "repeat")))
        if how == "flip":
            one = content[start : start + 1]
            put = bytes([one[0] ^ 1 << draw(st.integers(0, 7))]) if one else b""
            content = content[:start] + put + content[start + 1 :]
        elif how == "token":
            content = content[:start] + draw(st.sampled_from(TOKENS)) + content[start:]
        elif how == "random":
            put = draw(st.binary(min_size=1, max_size=8))
            content = content[:start] + put + content[start + len(put) :]
        elif how == "remove":
            content = content[:start] + content[start + length :]
        elif how == "cut":
            content = content[:start]
        else:
            content = content[: start + length][: 1 << 16] + content[start : start + (1 << 16)]
    return content


@st.composite
def altered_tree(draw: st.DrawFn, valid: Any, most: int = 3) -> Any:
    """A tree of dicts and lists with a few values, keys or branches changed."""
    tree = copy.deepcopy(valid)
    for _ in range(draw(st.integers(1, most))):
        places = list(_places(tree))
        if not places or draw(st.integers(0, 40)) == 0:
            return copy.deepcopy(draw(st.sampled_from(VALUES)))
        holder, key = draw(st.sampled_from(places))
        value = copy.deepcopy(draw(st.sampled_from(VALUES)))
        how = draw(st.sampled_from(("value", "value", "remove", "rename", "nest", "swap")))
        if how == "value":
            holder[key] = value
        elif how == "remove":
            del holder[key]
        elif how == "nest":
            for _ in range(draw(st.sampled_from((1, 3, 200)))):
                holder[key] = [holder[key]]
        elif how == "swap":
            other, name = draw(st.sampled_from(places))
            holder[key] = copy.deepcopy(other[name])
        elif isinstance(holder, dict):
            holder[draw(st.sampled_from(("", "x", "id", "choice", "0", "name.x")))] = holder.pop(
                key
            )
        else:
            holder.append(value)
    return tree


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(tree, dict | list):
        for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield tree, key
            yield from _places(value)


@st.composite
def altered_json(draw: st.DrawFn, valid: bytes) -> bytes:
    """A JSON file with its tree or its bytes changed."""
    if draw(st.integers(0, 3)) == 0:
        return draw(altered_bytes(valid))
    return json.dumps(draw(altered_tree(json.loads(valid)))).encode()


@st.composite
def altered_json_lines(draw: st.DrawFn, valid: bytes) -> bytes:
    """A JSON Lines file with a line's tree, the order of its lines, or its bytes changed."""
    if draw(st.integers(0, 3)) == 0:
        return draw(altered_bytes(valid))
    lines = [json.loads(line) for line in valid.splitlines()]
    number = draw(st.integers(0, len(lines) - 1))
    lines[number] = draw(altered_tree(lines[number]))
    if draw(st.booleans()):
        del lines[draw(st.integers(0, len(lines) - 1))]
    if lines and draw(st.booleans()):
        lines.insert(0, lines.pop(draw(st.integers(0, len(lines) - 1))))
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


@st.composite
def altered_yaml(draw: st.DrawFn, valid: bytes) -> bytes:
    """A YAML file with its tree or its bytes changed."""
    if draw(st.integers(0, 3)) == 0:
        return draw(altered_bytes(valid))
    tree = draw(altered_tree(yaml.safe_load(valid)))
    return yaml.safe_dump(tree, allow_unicode=True).encode("utf-8", "surrogatepass")


@st.composite
def text_file(draw: st.DrawFn, suffix: str) -> bytes:
    """Rows of groups or pairs as a suffix promises, or of another, in any encoding; perhaps packed.

    Args:
        suffix: `json`, `jsonl`, `tsv`, `csv` or `txt`.
    """
    clean = draw(st.booleans())
    word = st.sampled_from(WORDS[:5] if clean else WORDS)
    label = st.sampled_from(LABELS[:2] if clean else LABELS)
    suffix = suffix if draw(st.integers(0, 9)) else draw(st.sampled_from(("json", "jsonl", "csv")))
    separator = "," if suffix == "csv" else "\t"
    rows: list[str] = []
    groups: dict[str, Any] = {}
    for number in range(draw(st.integers(0, 6))):
        texts: Any = draw(st.lists(word, min_size=1, max_size=4))
        row = {"id": number, "texts": texts, "negatives": draw(st.lists(word, max_size=2))}
        if not clean and draw(st.integers(0, 4)) == 0:
            texts, row = draw(st.sampled_from(VALUES)), draw(altered_tree(row))
        groups[str(number)] = texts
        if suffix == "jsonl":
            rows.append(json.dumps(row))
            continue
        cells = [draw(word), draw(word), draw(label)]
        rows.append(separator.join(cells[: 3 if clean else draw(st.sampled_from((3, 3, 3, 2)))]))
    if suffix != "jsonl" and draw(st.booleans()):
        rows.insert(0, separator.join(("text1", "text2", "label")))
    end = draw(st.sampled_from(("\n", "\n", "\r\n", "\r")))
    text = json.dumps(groups) if suffix == "json" else end.join([*rows, ""])
    content = text.encode(draw(st.sampled_from(ENCODINGS)), "replace")
    if draw(st.integers(0, 2)) == 0:
        content = draw(altered_bytes(content))
    return draw(packed(content))


@st.composite
def packed(draw: st.DrawFn, content: bytes) -> bytes:
    """Bytes as they are, or compressed, and then perhaps damaged."""
    how = draw(st.sampled_from(("", "", "", "", "gzip", "zip", "zstd", "bz2")))
    if how == "gzip":
        content = gzip.compress(content)
    elif how == "bz2":
        content = bz2.compress(content)
    elif how == "zstd":
        content = pa.compress(content, "zstd", asbytes=True)
    elif how == "zip":
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name in draw(
                st.sampled_from((("a.tsv",), ("a.json", "b.json"), ("../a.csv",), ()))
            ):
                archive.writestr(name, content)
        content = buffer.getvalue()
    return draw(altered_bytes(content)) if how and draw(st.integers(0, 3)) == 0 else content


@st.composite
def parquet_file(draw: st.DrawFn) -> bytes:
    """A Parquet file of columns of any types and names, perhaps damaged."""
    rows = draw(st.integers(0, 5))
    word = st.sampled_from((*WORDS, None))
    column = st.one_of(
        st.lists(word, min_size=rows, max_size=rows),
        st.lists(st.lists(word, max_size=3), min_size=rows, max_size=rows),
        st.lists(st.sampled_from((0, 1, None, 2, 2**62)), min_size=rows, max_size=rows),
        st.lists(
            st.sampled_from((0.0, 1.0, 0.5, None, float("nan"))), min_size=rows, max_size=rows
        ),
        st.lists(st.booleans(), min_size=rows, max_size=rows),
        st.lists(st.sampled_from((b"a", b"\xff", None)), min_size=rows, max_size=rows),
        st.just([{"a": 1}] * rows),
        st.just([[["a"]]] * rows),
    )
    names = ("id", "group_id", "texts", "negatives", "text", "text1", "text2", "label", "", "x")
    arrays = []
    for _ in names:
        array = pa.array(draw(column))
        if draw(st.integers(0, 3)) == 0 and pa.types.is_string(array.type):
            kinds = (pa.large_string(), pa.dictionary(pa.int32(), pa.string()), pa.string_view())
            array = array.cast(draw(st.sampled_from(kinds)))
        arrays.append(array)
    chosen = draw(st.lists(st.sampled_from(range(len(names))), min_size=1, unique=True))
    table = pa.table([arrays[i] for i in chosen], [names[i] for i in chosen])
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    content = buffer.getvalue()
    return draw(altered_bytes(content)) if draw(st.integers(0, 2)) == 0 else content
