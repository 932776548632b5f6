"""Rows of the table of bad inputs: settings, vectors, run folders, outputs, jobs, surroundings."""

from collections.abc import Iterator

from bad_place import Damage, add, both, link, put
from bad_row import SMALL, TRAIN, TUNE, Row, nothing

RECIPE = [*TRAIN[:-2], "--recipe", "mine.yaml"]
SPACE = [*TUNE, "--space", "mine.yaml"]
RESUME = ["train", "--data", "data", "--dev", "dev.tsv", "--run", "run", "--resume"]
DEAD = "http://127.0.0.1:9"


def bomb() -> str:
    """Four hundred bytes that stand for 9^12 values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    return "\n".join(lines)


def _files_of_settings() -> Iterator[Row]:
    """Recipes and search spaces that cannot be read, or could do harm."""
    files: dict[str, tuple[str | bytes, tuple[str, ...]]] = {
        "a bomb of aliases": (bomb(), ("mine.yaml", "more than 10,000 values")),
        "a tag that makes objects": (
            "seed: !!python/object/apply:os.system [true]",
            ("mine.yaml", "could not determine a constructor", "line 1"),
        ),
        "a key given twice": (
            "seed: 1\nseed: 2\n",
            ("mine.yaml", "'seed' is there twice", "line 2"),
        ),
        "a deep nest": ("[" * 1000, ("mine.yaml", "nested too deeply")),
        "a value that holds itself": ("loss: &a {scale: *a}", ("mine.yaml", "holds itself")),
        "a list": ("- 1", ("mine.yaml", "expected settings")),
        "nothing": ("", ("mine.yaml", "expected settings")),
        "bytes of GBK": ("# 备注\nseed: 1".encode("gbk"), ("mine.yaml", "utf-8")),
        "an unknown section": ("los: {scale: 20}", ("mine.yaml", "los")),
    }
    for kind, (content, message) in files.items():
        damage = put("mine.yaml", content)
        yield Row(f"train: a recipe of {kind}", RECIPE, message, damage)
        yield Row(f"tune: a space of {kind}", SPACE, message, damage)
    spaces: dict[str, tuple[str, tuple[str, ...]]] = {
        "an infinite end": ("loss: {scale: {uniform: [1, .inf]}}", ("loss.scale", "[low, high]")),
        "a layer too many": (
            "encoder: {lstm_units: {layers: [1, 999999999], units: {choice: [8]}}}",
            ("encoder.lstm_units", "64 at most"),
        ),
        "a range turned round": ("loss: {scale: {uniform: [9, 1]}}", ("loss.scale", "[9, 1]")),
        "a value that is wrong": (
            "encoder: {pooling: {choice: [meen]}}",
            ("encoder.pooling='meen'",),
        ),
        "a fixed value": (
            "loss: {scale: 20}",
            ("loss.scale: 20 is no range", "--set loss.scale=20"),
        ),
    }
    for kind, (content, message) in spaces.items():
        yield Row(f"tune: a space with {kind}", SPACE, message, put("mine.yaml", content))
    grid = [*SPACE, "--search", "grid"]
    endless = put("mine.yaml", "seed: {integer: [0, 4000000000]}")
    yield Row("tune: a grid without end", grid, ("seed", "grid"), endless)


def _overrides() -> Iterator[Row]:
    """Settings on the command line."""
    values = {
        "loss.scale=.nan": ("loss.scale=nan", "finite number"),
        "loss.scale=.inf": ("loss.scale=inf", "finite number"),
        "loss.scale=-1": ("loss.scale=-1", "greater than 0"),
        "training.epochs=3000000000": ("training.epochs=3000000000", "less than"),
        f"training.epochs=1{'0' * 5000}": ("training.epochs", "digits"),
        "training.epochs=1.5": ("training.epochs=1.5", "integer"),
        "training.epochs": ("training.epochs", "section.key=value"),
        "loss=3": ("loss=3", "section"),
        "seed.x=3": ("seed",),
        "seed=*a": ("seed=*a", "alias"),
        "encoder.pooling=meen": ("encoder.pooling='meen'", "'mean'"),
        "encoder.vectors=none.txt": ("none.txt", "cannot read"),
        "encoder.vectors=data": ("data",),
        "evaluation.metric=acuracy": ("evaluation.metric='acuracy'", "'accuracy'"),
        "optimizer.warmup_steps=99999": ("optimizer.warmup_steps", "99,999"),
        "sampling.batch_groups=9": ("8 groups", "sampling.batch_groups"),
        "loss.name=../../evil": ("loss.name", "no such loss"),
    }
    for value, message in values.items():
        small = [] if "batch_groups" in value else SMALL
        arguments = [*TRAIN, *small, "--set", value]
        yield Row(f"train: --set {value[:40]}", arguments, message)


def _vectors() -> Iterator[Row]:
    """Files of word2vec."""
    files: dict[str, tuple[str | bytes, tuple[str, ...]]] = {
        "none of the characters": ("1 2\nx 1 2\n", ("v.txt",)),
        "nothing": ("0 2\n", ("v.txt",)),
        "another size": ("1 3\n第 1 2 3\n", ("v.txt", "encoder.embedding_dim=3")),
        "a number that is none": ("1 2\n第 nan 2\n", ("v.txt",)),
        "a line too short": ("2 2\n第 1 2\n个 3\n", ("v.txt", "line 3")),
        "a line too few": ("3 2\n第 1 2\n个 3 4\n", ("v.txt", "3")),
        "no header": ("第 1 2\n个 3 4\n", ("v.txt, line 1", "COUNT SIZE")),
        "more than memory": (b"99999999999 2\n\xe7\xac\xac \0\0\0\0\0\0\0\0", ("v.txt",)),
        "the texts": ("第1个问题\t问题1\t1\n", ("v.txt, line 1", "COUNT SIZE")),
    }
    settings = ["encoder.vectors=v.txt", "encoder.embedding_dim=2"]
    for kind, (content, message) in files.items():
        arguments = [*TRAIN, *SMALL, *(part for each in settings for part in ("--set", each))]
        yield Row(f"train: vectors of {kind}", arguments, message, put("v.txt", content))


def _runs() -> Iterator[Row]:
    """Folders of runs, damaged or from strangers."""
    log = ("run/metrics.jsonl", "line")
    damages: dict[str, tuple[Damage, tuple[str, ...]]] = {
        "a log with a damaged line": (add("run/metrics.jsonl", "garbage}\n"), log),
        "a log that is no UTF-8": (put("run/metrics.jsonl", b'{"event": "\xff\xfe"}\n'), log),
        "counts that are a list": (put("run/data.json", "[]"), ("run/data.json",)),
        "an empty data.json": (put("run/data.json", ""), ("run/data.json",)),
        "a recipe that is a bomb": (put("run/recipe.yaml", bomb()), ("run/recipe.yaml",)),
        "a recipe cut short": (put("run/recipe.yaml", "seed: ["), ("run/recipe.yaml",)),
    }
    for kind, (damage, message) in damages.items():
        yield Row(f"report: {kind}", ["report", "run"], message, damage)
    for kind in ("counts that are a list", "an empty data.json", "a recipe that is a bomb"):
        damage, message = damages[kind]
        if kind != "a recipe that is a bomb":
            damage = both(damage, put("same.yaml", ""))
        yield Row(f"train: --resume with {kind}", [*RESUME, *SAME], message, damage)
    scores = ("best_scores.parquet",)
    yield Row("report: no scores", ["report", "run"], scores, put("run/best_scores.parquet", ""))
    outside = both(put("../elsewhere/x", ""), link("run/pictures", "../../elsewhere"))
    yield Row("report: pictures elsewhere", ["report", "run"], ("run/pictures", "link"), outside)
    yield Row("report: a model", ["report", "model"], ("model folder", "folder of its run"))
    yield Row("report: a file", ["report", "dev.tsv"], ("dev.tsv", "not the folder of a run"))
    yield Row("report: a data set", ["report", "data"], ("data", "not the folder of a run"))
    yield Row("report: nothing", ["report", "none"], ("none", "not the folder of a run"))
    yield Row(
        "train: a run that is there", [*TRAIN, *SMALL, "--run", "run"], ("run: exists already",)
    )
    both_given = [*TRAIN, *SMALL, "--run", "run", "--resume", "--fresh"]
    yield Row("train: --resume and --fresh", both_given, ("give one of them",))
    fresh = [*TRAIN, *SMALL, "--run", "data", "--fresh"]
    yield Row("train: --fresh on a data set", fresh, ("data: is not the folder of a run",))
    yield Row("tune: --fresh on a run", [*TUNE, "--run", "run", "--fresh"], ("run", "of a sweep"))
    yield Row("tune: --resume of a run", [*TUNE, "--run", "run", "--resume"], ("holds no sweep",))
    yield Row("train: --resume of nothing", [*TRAIN, *SMALL, "--resume"], ("new: holds no run",))
    other = [*RESUME, "--recipe", "fast", *SMALL]
    yield Row(
        "train: --resume with other settings", other, ("run: was started with other settings",)
    )


SAME = ["--recipe", "run/recipe.yaml"]


def _outputs() -> Iterator[Row]:
    """Where a command is to write."""
    commands = {
        "encode": ["encode", "model", "texts.txt", "--output"],
        "vectors": ["vectors", "groups.json", "--dim", "2", "--output"],
        "evaluate": ["evaluate", "model", "dev.tsv", "--json"],
        "shard": ["shard", "groups.json", "--output"],
        "negatives": ["negatives", "model", "data", "--output"],
        "train": [*TRAIN, *SMALL, "--run"],
        "tune": [*TUNE, "--run"],
    }
    for command, arguments in commands.items():
        uri = "nonsense://bucket/new"
        yield Row(f"{command}: a scheme that nobody knows", [*arguments, uri], (uri,))
        below = "dev.tsv/new"
        yield Row(f"{command}: an output below a file", [*arguments, below], ("dev.tsv",))
    for command in ("encode", "vectors", "evaluate"):
        yield Row(
            f"{command}: a folder for an output", [*commands[command], "data"], ("data", "folder")
        )
    itself = [*commands["vectors"][:-1], "--output", "groups.json"]
    yield Row("vectors: its input as output", itself, ("groups.json",))
    itself = [*commands["encode"][:-1], "--output", "texts.txt"]
    yield Row("encode: its input as output", itself, ("texts.txt",))
    yield Row("evaluate: its input as output", [*commands["evaluate"], "dev.tsv"], ("dev.tsv",))
    yield Row(
        "shard: a file for an output", [*commands["shard"], "dev.tsv"], ("dev.tsv: is a file",)
    )
    yield Row("shard: a run for an output", [*commands["shard"], "run"], ("run: exists",))
    fresh = [*commands["shard"], "run", "--fresh"]
    yield Row("shard: --fresh on a run", fresh, ("run: exists and is not a data set",))
    for command in ("similarity", "evaluate", "encode"):
        rest = {"similarity": ["a", "b"], "evaluate": ["dev.tsv"]}
        arguments = [
            command,
            "nonsense://b/model",
            *rest.get(command, ["texts.txt", "--output", "n"]),
        ]
        yield Row(f"{command}: a model at an unknown scheme", arguments, ("nonsense://b/model",))
    yield Row("report: an unknown scheme", ["report", "nonsense://b/run"], ("nonsense://b/run",))


def _jobs() -> Iterator[Row]:
    """Commands for a cluster: refused before anything is uploaded."""
    submit = ["submit", "--address", DEAD, "--"]
    commands = {
        "shard": ["shard", "groups.json", "--output", "out"],
        "train": ["train", "--data", "/d", "--dev", "dev.tsv", "--run", "out"],
        "tune": ["tune", "--data", "/d", "--dev", "dev.tsv", "--run", "out"],
        "vectors": ["vectors", "groups.json", "--output", "out"],
        "encode": ["encode", "/model", "texts.txt", "--output=out"],
        "negatives": ["negatives", "/model", "/d", "--output", "out"],
        "evaluate": ["evaluate", "/model", "dev.tsv", "--json", "out"],
    }
    for command, arguments in commands.items():
        yield Row(f"submit: {command} with a relative output", [*submit, *arguments], ("out",))
    yield Row("submit: itself", [*submit, "submit", "--", "report", "r"], ("cannot submit itself",))
    yield Row("submit: an unknown command", [*submit, "trian"], ("trian",))
    yield Row("submit: an unknown option", [*submit, "report", "/r", "--nonsense"], ("--nonsense",))
    away = ["submit", "--address", DEAD, "--working-dir", "none", "--", "report", "/r"]
    yield Row("submit: no working directory", away, ("none: no such folder",))
    yield Row("submit: nobody answers", [*submit, "report", "/run"], ("127.0.0.1:9",))
    for address in ("foo", "ftp://host:1", "http://", "http://host:port"):
        arguments = ["submit", "--address", address, "--", "report", "/run"]
        yield Row(f"submit: the address {address}", arguments, (address,))


def _surroundings() -> Iterator[Row]:
    """Variables of the environment, and values of options."""
    ray = [*TRAIN, *SMALL, "--workers", "1"]
    for address in ("http://127.0.0.1:8265", "foo", "127.0.0.1", "ray://"):
        for command, arguments in (("train", ray), ("tune", TUNE)):
            name = f"{command}: RAY_ADDRESS={address}"
            yield Row(name, arguments, ("RAY_ADDRESS", address), nothing, {"RAY_ADDRESS": address})
    for value in ("-1", "2:1", "a", "1:", "1.5"):
        message = ("--workers",)
        yield Row(f"train: --workers {value}", [*TRAIN, *SMALL, f"--workers={value}"], message)
    for value in ("nan", "inf", "high", "0,5"):
        arguments = ["evaluate", "model", "dev.tsv", f"--threshold={value}", "--json", "new.json"]
        yield Row(f"evaluate: --threshold {value}", arguments, (f"--threshold {value}", "`fit`"))
    judge = ["evaluate", "model", "dev.tsv", "--json", "new.json"]
    for value in ("0", "1.5", "nan", "-1"):
        row = f"evaluate: --precision {value}"
        yield Row(row, [*judge, f"--precision={value}"], ("--precision", "at most 1"))
    both = [*judge, "--precision=0.9", "--recall=0.9"]
    yield Row("evaluate: precision and recall", both, ("--precision", "--recall", "one of"))
    ranks = [*judge, "--retrieval", "--recall=0.9"]
    yield Row("evaluate: a recall with --retrieval", ranks, ("--retrieval", "no effect"))
    tracker = [*TRAIN, *SMALL, "--tracker", "nonsense"]
    yield Row("train: an unknown tracker", tracker, ("nonsense", "tensorboard"))
    form = ["shard", "groups.json", "--output", "new", "--format", "nonsense"]
    yield Row("shard: an unknown format", form, ("nonsense", "json_lines"))
    refit = [*TUNE, "--refit-workers", "2"]
    yield Row("tune: --refit-workers without --refit", refit, ("--refit-workers", "--refit"))


ROWS = [
    *_files_of_settings(),
    *_overrides(),
    *_vectors(),
    *_runs(),
    *_outputs(),
    *_jobs(),
    *_surroundings(),
]
