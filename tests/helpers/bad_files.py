"""Files of groups and of pairs that are refused, with what is said about them."""

from pathlib import Path

GBK = "怎么".encode("gbk")
# A line of UTF-8 and GBK together; a file in GBK alone is read as such.
BROKEN = "别的话".encode() + GBK

# name of the file, its content (None: there is none), what the message must hold
GROUP_FILES: dict[str, tuple[str, bytes | None, list[str]]] = {
    "missing": ("none.json", None, ["none.json", "no such file"]),
    "missing pattern": ("none*.json", None, ["none*.json", "no such file"]),
    "empty": ("a.json", b"", ["a.json", "empty"]),
    "empty lines": ("a.jsonl", b"", ["a.jsonl", "empty"]),
    "list at the top": ("a.json", b'[["a", "b"]]', ["a.json", "{id: [text, …]}"]),
    "text at the top": ("a.json", b'"a"', ["a.json", "{id: [text, …]}"]),
    "no group": ("a.json", b"{}", ["a.json", "empty"]),
    "broken": ("a.json", b'{"0": ["a", "b"],\n"1": [}', ["a.json, line 2", "not valid JSON"]),
    "cut": ("a.json", b'{"0": ["a", "b"],\n"1": ["a', ["a.json, line 2", "not valid JSON"]),
    "no list": ("a.json", b'{"0": ["a", "b"], "k": "c"}', ["a.json", "'k'", "list of strings"]),
    "object": ("a.json", b'{"k": {"a": "b"}}', ["a.json", "'k'", "list of strings"]),
    "number": ("a.json", b'{"k": ["a", 1]}', ["a.json", "'k'", "strings", "1"]),
    "null": ("a.json", b'{"k": ["a", null]}', ["a.json", "'k'", "strings", "null"]),
    "other lines": ("a.jsonl", b'{"id": 0, "text": []}', ["a.jsonl, line 1", '"texts"']),
    "json as lines": ("a.jsonl", b'{"0":\n["a", "b"]}', ["a.jsonl, line 1", "not valid JSON"]),
    "utf-8": ("a.json", b'{"0": ["a", "b"],\n"1": ["%s"]}' % BROKEN, ["a.json, line 2", "UTF-8"]),
    "utf-8 in lines": ("a.jsonl", b"\n\n" + BROKEN, ["a.jsonl, line 3", "UTF-8"]),
    "no parquet": ("a.parquet", b"PAR1 not really PAR1", ["a.parquet"]),
    "ending": ("a.docx", b"PK", ["a.docx", ".jsonl"]),
}
PAIR_FILES: dict[str, tuple[str, bytes | None, list[str]]] = {
    "missing pairs": ("none.tsv", None, ["none.tsv", "no such file"]),
    "empty pairs": ("a.tsv", b"", ["a.tsv", "empty"]),
    "utf-8 tsv": ("a.tsv", b"a\tb\t1\na\t%s\t0\n" % BROKEN, ["a.tsv, line 2", "UTF-8"]),
    "utf-8 txt": ("a.txt", b"a\tb\t1\na\t%s\t0\n" % BROKEN, ["a.txt, line 2", "UTF-8"]),
    "utf-8 csv": ("a.csv", b"a,b,1\n%s,b,0\n" % BROKEN, ["a.csv, line 2", "UTF-8"]),
    "label 2": ("a.tsv", b"a\tb\t1\na\tc\t2\n", ["a.tsv, line 2", "'2'", "0 or 1"]),
    "label same": (
        "a.csv",
        b"text1,text2,label\na,b,same\n",
        ["a.csv, line 2", "'same'", "0 or 1"],
    ),
    "no label": ("a.tsv", b"a\tb\t1\na\tc\t\n", ["a.tsv, line 2", "''", "0 or 1"]),
    "two columns": ("a.tsv", b"a\tb\t1\na\tb\n", ["a.tsv, line 2", "2 columns", "expected 3"]),
    "one column": ("a.txt", b"a b 1\n", ["a.txt, line 1", "1 column,", "tabs"]),
    "two columns csv": ("a.csv", b"a,b\n", ["a.csv, line 1", "2 columns", "commas"]),
    "four columns": ("a.csv", b"a,b,c,1\n", ["a.csv, line 1", "4 columns", "commas"]),
    "open quote": ("a.csv", b'a,b,1\n"a,b,0\n', ["a.csv, line 2", "not valid CSV"]),
    "no positive pair": ("a.tsv", b"a\tb\t0\nc\td\t0\n", ["a.tsv: no positive", "among 2"]),
    "header only": ("a.tsv", b"text1\ttext2\tlabel\n", ["a.tsv: no positive"]),
    "no parquet of pairs": ("a.parquet", b"PAR1 not really PAR1", ["a.parquet"]),
}
BAD_FILES = GROUP_FILES | PAIR_FILES


def write(path: Path, content: bytes | None) -> Path:
    if content is not None:
        path.write_bytes(content)
    return path


def bad_file(folder: Path, case: str) -> tuple[Path, list[str]]:
    """Write a file of `BAD_FILES`; what a message about it must hold."""
    name, content, fragments = BAD_FILES[case]
    return write(folder / name, content), fragments
