"""Rows of the table of bad inputs: files, model folders, data sets, for each command."""

import gzip
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from bad_place import (
    DEV,
    Damage,
    add,
    both,
    manifest_with,
    metrics_with,
    model_file,
    npy,
    put,
    replaced,
    shard_with,
    weights,
    zip_bomb,
    zipped,
)
from bad_row import SMALL, TRAIN, TUNE, Row
from bad_settings import bomb

from siamese.data.group_columns import SCHEMA

# What each command does with a file of groups, of pairs or of texts, and how it is called.
GROUPS_READERS = {
    "shard": ["shard", "{}", "--output", "new"],
    "vectors": ["vectors", "{}", "--output", "new.txt", "--dim", "2"],
    "encode": ["encode", "model", "{}", "--output", "new.parquet"],
    "retrieval": ["evaluate", "model", "{}", "--retrieval", "--json", "new.json"],
    "negatives": ["negatives", "model", "{}", "--output", "new"],
    "index": ["index", "{}", "--model", "model", "--output", "new"],
}
PAIRS_READERS = {
    "evaluate": ["evaluate", "model", "{}", "--json", "new.json"],
    "train": ["train", "--data", "data", "--dev", "{}", "--run", "new", *SMALL],
    "tune": ["tune", "--data", "data", "--dev", "{}", "--run", "new", *SMALL],
}
MODEL_READERS = {
    "similarity": ["similarity", "model", "怎么", "如何"],
    "evaluate": ["evaluate", "model", "dev.tsv", "--json", "new.json"],
    "encode": ["encode", "model", "texts.txt", "--output", "new.parquet"],
    "export": ["export", "model", "new", "--to", "sentence-transformers"],
    "report": ["report", "run"],
    "index": ["index", "texts.txt", "--model", "model", "--output", "new"],
}
DATA_READERS = {
    "train": [*TRAIN, *SMALL],
    "tune": TUNE,
    "negatives": ["negatives", "model", "data", "--output", "new"],
}


def given(arguments: list[str], file: str) -> list[str]:
    """The arguments with a file in the place of `{}`."""
    return [argument.replace("{}", file) for argument in arguments]


def _groups() -> Iterator[Row]:
    """Files of groups or texts, for every command that reads them."""
    half = '{"id": 1, "texts": ["a", "b"]}\n{"id": 2, "texts": ["\\ud83d", "c"]}\n'
    files: dict[str, tuple[str, bytes, tuple[str, ...]]] = {
        "half of a surrogate pair": ("a.jsonl", half.encode(), ("a.jsonl, line 2", "surrogate")),
        "a cut gzip file": ("a.json.gz", gzip.compress(b'{"0": ["a", "b"]}')[:-9], ("a.json.gz",)),
        "a damaged zip": ("a.zip", b"PK\3\4" + bytes(40), ("a.zip",)),
        "a zip of nothing": ("a.zip", zipped(), ("a.zip",)),
        "a zip of other things": ("a.zip", zipped(readme__md=b"hello"), ("a.zip",)),
        "a damaged zstd file": ("a.tsv.zst", b"\x28\xb5\x2f\xfd" + bytes(9), ("a.tsv.zst",)),
        "a gzip file that holds nothing": ("a.tsv.gz", gzip.compress(b""), ("a.tsv.gz", "empty")),
        "a table of Excel": ("a.xlsx", zipped(xl=b"x"), ("a.xlsx", "unknown kind", ".csv")),
        "a PDF": ("a.pdf", b"%PDF-1.7 \xff", ("a.pdf", ".txt")),
        "a pickle": ("a.pkl", b"\x80\x04]\x94.", ("a.pkl", "unknown kind")),
        "an array of numpy": ("a.npy", npy(np.array([{}], object)), ("a.npy",)),
        "an empty object": ("a.json", b"{}", ("a.json", "empty")),
        "numbers for texts": ("a.json", b'{"k": ["a", 1]}', ("a.json", "'k'", "strings")),
        "a deep nest": ("a.json", b"[" * 5000, ("a.json",)),
        "damaged Arrow": ("a.arrow", b"\xff\xff\xff\xff" + bytes(60), ("a.arrow", "Arrow")),
        "a saved data set of several splits": (
            "folder/dataset_dict.json",
            b'{"splits": ["train", "test"]}',
            ("folder", "splits train, test"),
        ),
        "damaged Parquet": ("a.parquet", b"PAR1" + bytes(60) + b"PAR1", ("a.parquet",)),
    }
    for kind, (name, content, message) in files.items():
        for command, arguments in GROUPS_READERS.items():
            file = name.removesuffix("/dataset_dict.json")
            yield Row(f"{command}: {kind}", given(arguments, file), message, put(name, content))
    hidden = both(put("folder/.ipynb_checkpoints/a.json", b'{"0": ["a", "b"]}'))
    for command, arguments in GROUPS_READERS.items():
        message = ("folder", ".jsonl")
        yield Row(f"{command}: only hidden files", given(arguments, "folder"), message, hidden)
        missing = ("none-*.json", "no such file")
        yield Row(f"{command}: no such file", given(arguments, "none-*.json"), missing)
        uri = "nonsense://bucket/a.json"
        yield Row(f"{command}: an unknown scheme", given(arguments, uri), (uri, "nonsense"))


def _pairs() -> Iterator[Row]:
    """Files of labelled pairs, for every command that reads them."""
    files: dict[str, tuple[str, bytes, tuple[str, ...]]] = {
        "grades without a header": (
            "a.tsv",
            b"a\tb\t1\nc\td\t0.5\n",
            ("a.tsv, line 2", "0.5", "text1, text2 and score"),
        ),
        "a grade above its scale": (
            "a.tsv",
            b"text1\ttext2\tscore_0_to_5\na\tb\t5\nc\td\t6\n",
            ("a.tsv, line 3", "'6'", "0 to 5"),
        ),
        "lines of two shapes": (
            "a.jsonl",
            b'{"query": "a", "pos": ["b"], "neg": ["c"]}\n{"id": 1, "texts": ["a", "b"]}\n',
            ("a.jsonl, line 2", "an anchor"),
        ),
        "a label that is none": ("a.csv", b"a,b,1\nc,d,perhaps\n", ("a.csv, line 2", "perhaps")),
        "a number for a label": ("a.tsv", b"a\tb\t1\nc\td\t7\n", ("a.tsv, line 2", "'7'")),
        "no negative pair": ("a.tsv", b"a\tb\t1\nc\td\t1\n", ("a.tsv", "no negative")),
        "no positive pair": ("a.tsv", b"a\tb\t0\nc\td\t0\n", ("a.tsv", "no positive")),
        "two columns": ("a.tsv", b"a\tb\n", ("a.tsv, line 1", "2 columns")),
        "semicolons": ("a.csv", b"a;b;1\nc;d;0\n", ("a.csv, line 1", "commas")),
        "an open quote": ("a.csv", b'a,b,1\n"c,d,0\n', ("a.csv, line 2", "CSV")),
        "groups": ("a.json", b'{"0": ["a", "b"]}', ("a.json", "holds no labelled pairs")),
        "bytes that are no text": (
            "a.tsv",
            b"a\tb\t1\n\xff\xfe\xfd\0\t\x81\t0\n",
            ("a.tsv", "line"),
        ),
        "a cut gzip file": ("a.tsv.gz", gzip.compress(DEV.encode())[:-9], ("a.tsv.gz",)),
        "a header alone": ("a.tsv", b"text1\ttext2\tlabel\n", ("a.tsv", "positive")),
    }
    for kind, (name, content, message) in files.items():
        for command, arguments in PAIRS_READERS.items():
            row = f"{command}: {kind} as pairs"
            yield Row(row, given(arguments, name), message, put(name, content))


def _models() -> Iterator[Row]:
    """Model folders from strangers, whose checksums fit, and damaged ones."""
    embedding = "layers/embedding/vars/0"
    kernel = "layers/bidirectional/forward_layer/cell/vars/0"
    wrong = ("encoder.keras",)
    damages: dict[str, tuple[Damage, tuple[str, ...]]] = {
        "a huge array that takes no room": (weights(replaced(embedding, "huge")), wrong),
        "a group for an array": (weights(replaced(embedding, "group")), wrong),
        "an array of another shape": (weights(replaced(kernel, np.zeros((3, 3)))), wrong),
        "a single number for an array": (weights(replaced(embedding, np.float32(1))), wrong),
        "an array of texts": (weights(replaced(embedding, b"text")), wrong),
        "a zip bomb": (zip_bomb, wrong),
        "no zip": (model_file("encoder.keras", b"PK no"), wrong),
        "no weights": (model_file("encoder.keras", zipped(other=b"")), wrong),
        "a threshold that is text": (metrics_with(threshold="0.5"), ("metrics.json",)),
        "no threshold": (metrics_with(threshold=...), ("metrics.json",)),
        "metrics that are a list": (model_file("metrics.json", b"[]"), ("metrics.json",)),
        "a vocabulary of nothing": (model_file("vocabulary.json", b"{}"), ("vocabulary.json",)),
        "a smaller vocabulary": (
            model_file(
                "vocabulary.json",
                b'{"version": 1, "lowercase": true, "characters": "a", "counts": [1]}',
            ),
            ("model", "vocabulary"),
        ),
        "counts that are no numbers": (
            model_file(
                "vocabulary.json",
                b'{"version": 1, "lowercase": true, "characters": "a", "counts": ["x"]}',
            ),
            ("vocabulary.json",),
        ),
        "a recipe that is a bomb": (model_file("recipe.yaml", bomb()), ("recipe.yaml",)),
        "a recipe that makes objects": (
            model_file("recipe.yaml", "seed: !!python/object/apply:os.getcwd []"),
            ("recipe.yaml",),
        ),
        "a checksum that does not fit": (add("run/best/metrics.json", " "), ("metrics.json",)),
        "a manifest of another version": (
            put("run/best/manifest.json", b'{"version": 2}'),
            ("manifest.json", "version 1"),
        ),
        "no manifest": (
            lambda place: (place / "run/best/manifest.json").unlink(),
            ("manifest.json is missing",),
        ),
    }
    # Each damage with one command, and some with all.
    commands = list(MODEL_READERS.items())
    for number, (kind, (damage, message)) in enumerate(damages.items()):
        everywhere = kind in ("a zip bomb", "a threshold that is text", "no manifest")
        for command, arguments in commands if everywhere else [commands[number % 3]]:
            yield Row(f"{command}: a model with {kind}", arguments, message, damage)
    for command, arguments in commands[:3]:
        message = ("no such folder",)
        yield Row(
            f"{command}: no model", [arguments[0], "none", *arguments[2:]], ("none", *message)
        )
        inside = [arguments[0], "run", *arguments[2:]]
        yield Row(f"{command}: a run for a model", inside, ("run", "its model is run/best"))


def _data_sets() -> Iterator[Row]:
    """Data sets from strangers, whose checksums fit, and damaged ones."""
    shard, manifest = ("part-00000.parquet",), ("manifest.json",)
    eight = [str(i) for i in range(8)]
    texts = [["a", "b"]] * 8
    none = pa.array([[]] * 8, SCHEMA.field("pairs").type)
    graded = pa.array([[{"text1": "a", "text2": "b", "grade": 7.0}]] * 8, none.type)
    damages: dict[str, tuple[Damage, tuple[str, ...]]] = {
        "a shard that is no Parquet": (shard_with(b"PAR1 no PAR1"), shard),
        "a shard of other columns": (shard_with(x=eight), shard),
        "a shard of other types": (
            shard_with(group_id=eight, texts=eight, negatives=eight, pairs=none),
            shard,
        ),
        "a shard without texts": (
            shard_with(group_id=eight, texts=[None] * 8, negatives=texts, pairs=none),
            shard,
        ),
        "a grade of 7": (
            shard_with(group_id=eight, texts=texts, negatives=texts, pairs=graded),
            (*shard, "grade"),
        ),
        "fewer groups than it says": (
            shard_with(group_id=["0"], texts=[["a", "b"]], negatives=[[]], pairs=none[:1]),
            shard,
        ),
        "more groups than it says": (manifest_with(file_rows=5), shard),
        "a shard elsewhere": (manifest_with(file_name="../dev.tsv"), manifest),
        "a shard by its full path": (manifest_with(file_name="/etc/hostname"), manifest),
        "a name that is a number": (manifest_with(file_name=5), manifest),
        "a number of rows that is text": (manifest_with(file_rows="8"), manifest),
        "a negative number of rows": (manifest_with(file_rows=-8), manifest),
        "a count of pairs that is text": (manifest_with(file_other_pairs=["8"]), manifest),
        "pairs of more row groups": (manifest_with(file_positive_pairs=[8, 8]), shard),
        "more rows than memory": (manifest_with(file_rows=10**9), shard),
        "an altered shard": (add("data/part-00000.parquet", "x"), (*shard, "altered")),
        "an altered vocabulary": (add("data/vocabulary.json", " "), ("vocabulary.json", "altered")),
        "counts of another type": (manifest_with(counts=[]), manifest),
        "an older version": (manifest_with(schema_version=1), ("manifest.json", "version 1")),
    }
    commands = list(DATA_READERS.items())
    for kind, (damage, message) in damages.items():
        # A sweep opens the shards in its trials, but checks what the manifest says before.
        early = message[0] == "manifest.json" or "altered" in message
        for command, arguments in commands if early else (commands[0], commands[2]):
            yield Row(f"{command}: {kind}", arguments, message, damage)
    for command, arguments in commands[:2]:
        arguments = ["none" if each == "data" else each for each in arguments]
        yield Row(f"{command}: no data set", arguments, ("none", "not a data set"))


def _mining() -> Iterator[Row]:
    """What a data set of mined negatives cannot be made of."""
    mine = DATA_READERS["negatives"]
    for value in ("nan", "inf", "-1", "no"):
        message = ("margin",)
        yield Row(f"negatives: a margin of {value}", [*mine, f"--margin={value}"], message)
    yield Row("negatives: no negatives for a group", [*mine, "--per-group=0"], ("per-group",))
    inside = ["negatives", "run", *mine[2:]]
    yield Row("negatives: a run for a model", inside, ("run", "its model is run/best"))
    missing = [*mine, "--texts", "none.txt"]
    yield Row("negatives: no such texts", missing, ("none.txt", "no such file"))
    yield Row(
        "negatives: shards alone",
        mine,
        ("data", "not a data set"),
        lambda place: (place / "data/manifest.json").unlink(),
    )
    for name in ("data", "./data/", "run/../data"):
        itself = ["negatives", "model", "data", "--output", name, "--fresh"]
        yield Row(f"negatives: {name} as input and output", itself, ("is the input too",))
    again = manifest_with(options={"mined": {}})
    yield Row("negatives: of mined ones", mine, ("data", "were mined already"), again)
    one = put("one.json", '{"0": ["a", "b"]}')
    full = put("full.jsonl", '{"id": 1, "texts": ["a", "b"], "negatives": ["c"]}\n')
    enough = ["negatives", "model", "full.jsonl", "--output", "new"]
    yield Row("negatives: enough of them", enough, ("full.jsonl: every group", "--per-group"), full)
    alone = ["negatives", "model", "one.json", "--output", "new"]
    yield Row("negatives: one group", alone, ("one.json: no group gets a negative",), one)


ROWS = [*_groups(), *_mining(), *_pairs(), *_models(), *_data_sets()]
