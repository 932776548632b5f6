"""The command line from groups to a report, in one process."""

import json
import re
import sys
from pathlib import Path
from uuid import uuid4

import fsspec
import numpy as np
import pyarrow.parquet as pq
import pytest
from paths import SAMPLE

from distributed.cli.main import main
from siamese import SentenceEncoder
from siamese.evaluation.calibration import fit_calibrator
from siamese.report.run_contents import read_scores

TRAIN = str(SAMPLE / "df_train.json")
DEV = str(SAMPLE / "df_dev.txt")
TINY = (
    *("--recipe", "fast", "--set", "training.epochs=2", "--set", "encoder.lstm_units=[8]"),
    *("--set", "encoder.vectors=none", "--set", "encoder.embedding_dim=8"),
)
LOW_HIGH = ("low", "high")
METRICS = [
    "pairs",
    "positives",
    "accuracy",
    "threshold",
    "best_accuracy",
    "best_threshold",
    "precision",
    "recall",
    "f1",
    "mcc",
    "average_precision",
    "roc_auc",
    "spearman",
    "pearson",
    "calibration_error",
    "unsure",
    "accuracy_when_sure",
]


def siamese(*arguments: object) -> None:
    """Run the command line in this process; it must succeed."""
    before, sys.argv = sys.argv, ["siamese", *map(str, arguments)]
    try:
        with pytest.raises(SystemExit) as end:
            main()
    finally:
        sys.argv = before
    assert not end.value.code


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A data set and a finished run."""
    folder = tmp_path_factory.mktemp("cli")
    siamese("shard", TRAIN, "--output", folder / "data")
    siamese("train", "--data", folder / "data", "--dev", DEV, "--run", folder / "run", *TINY)
    return folder


def test_train_says_what_it_has_and_what_came_of_each_epoch(folder, tmp_path, capfd) -> None:
    arguments = ("--data", folder / "data", "--dev", DEV, "--run", tmp_path / "run", *TINY)
    siamese("train", *arguments, "--set", "text.max_length=10")
    out, err = capfd.readouterr()
    texts = [text for group in json.loads(Path(TRAIN).read_bytes()).values() for text in group]
    cut = sum(len(text) > 10 for text in texts)
    rows = [line.split("\t") for line in Path(DEV).read_text(encoding="utf-8").splitlines()]
    dev_cut = sum(len(text) > 10 for text in {text for row in rows for text in row[:2]})
    assert f"{cut:,} texts and {dev_cut:,} of the development pairs longer than 10" in out
    assert [line.split()[1] for line in out.splitlines() if line.startswith("epoch")] == ["1", "2"]
    assert f"model: {tmp_path / 'run' / 'best'}" in out
    assert "tensorflow" not in err.lower()


def test_evaluate_writes_every_metric(folder, capsys) -> None:
    model, file = folder / "run" / "best", folder / "metrics.json"
    siamese("evaluate", model, DEV, "--json", file)
    stored = json.loads(file.read_text())
    assert list(stored) == METRICS
    assert (stored["pairs"], stored["positives"]) == (600, 200)
    assert stored["threshold"] == SentenceEncoder.load(model).threshold
    # The stored threshold was fitted on these very pairs.
    assert stored["accuracy"] == stored["best_accuracy"]
    siamese("evaluate", model, DEV, "--threshold", "-2", "--json", file)
    everything_similar = json.loads(file.read_text())
    assert everything_similar["recall"] == 1
    assert everything_similar["accuracy"] == pytest.approx(1 / 3)
    siamese("evaluate", model, DEV, "--threshold", "fit", "--json", file)
    assert json.loads(file.read_text()) == stored
    assert "roc_auc" in capsys.readouterr().out


def test_evaluate_finds_the_threshold_for_a_precision_or_a_recall(folder, capsys) -> None:
    model, file = folder / "run" / "best", folder / "wanted.json"
    siamese("evaluate", model, DEV, "--precision", 0.4, "--json", file)
    found = json.loads(file.read_text())
    ends = [f"{name}_{end}" for name in ("threshold", "precision", "recall") for end in LOW_HIGH]
    assert list(found) == [*METRICS, *ends]
    assert found["precision"] >= 0.4
    assert found["precision_low"] < found["precision"] < found["precision_high"]
    assert f"threshold {found['threshold']:.4f} (95 %: " in capsys.readouterr().out
    siamese("evaluate", model, DEV, "--recall", 0.95, "--json", file)
    assert json.loads(file.read_text())["recall"] >= 0.95


def test_similarity_prints_the_number_the_answer_and_what_it_means(folder, capsys) -> None:
    model = folder / "run" / "best"
    siamese("similarity", model, "怎么退票", "怎么退票")
    found = capsys.readouterr().out
    assert found.startswith("1.0000  similar (threshold ")
    probability = SentenceEncoder.load(model).probability("怎么退票", "怎么退票")
    assert f", probability {probability:.2f}" in found


def test_explain_shows_what_each_character_adds(folder, capsys) -> None:
    model = folder / "run" / "best"
    siamese("explain", model, "怎么退票", "如何退[票]")
    lines = capsys.readouterr().out.splitlines()
    explanation = SentenceEncoder.load(model).explain("怎么退票", "如何退[票]")
    assert lines[0] == f"similarity {explanation.similarity:.4f}"
    shown = [f"{c} {n:+.3f}" for c, n in zip("如何退[票]", explanation.contributions2, strict=True)]
    assert lines[2].split("  ")[1:] == shown
    siamese("explain", model, "怎么退票", "如何退[票]", "--json")
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(explanation.as_dict()))


def test_a_run_fits_the_calibrator_of_its_best_model_on_its_development_pairs(folder) -> None:
    _, labels, scores = read_scores(folder / "run" / "best_scores.parquet")
    expected = fit_calibrator(scores, labels)
    assert SentenceEncoder.load(folder / "run" / "best").calibrator == expected


def test_encode_writes_text_and_embedding_in_the_order_of_the_input(folder) -> None:
    model, output = folder / "run" / "best", folder / "vectors.parquet"
    source = folder / "texts.txt"
    texts = ["快递到哪了", "", "怎么退票", "快递到哪了"]
    source.write_text("\n".join(texts) + "\n", encoding="utf-8")
    siamese("encode", model, source, "--output", output)
    table = pq.read_table(output)
    assert table["text"].to_pylist() == texts
    embeddings = np.array(table["embedding"].to_pylist(), np.float32)
    expected = SentenceEncoder.load(model).encode(texts)
    np.testing.assert_allclose(embeddings, expected, atol=1e-6)


def test_encode_reads_what_it_wrote_and_says_what_was_cut(folder, capsys) -> None:
    model, source = folder / "run" / "best", folder / "long.txt"
    source.write_text("短\n" + "长" * 65 + "\n", encoding="utf-8")
    siamese("encode", model, source, "--output", folder / "one.parquet")
    assert "1 texts longer than 64 characters were cut" in capsys.readouterr().out
    siamese("encode", model, folder / "one.parquet", "--output", folder / "two.parquet")
    assert pq.read_table(folder / "two.parquet").equals(pq.read_table(folder / "one.parquet"))


def test_models_runs_and_outputs_may_be_at_uris(folder, tmp_path, capsys) -> None:
    memory = fsspec.filesystem("memory")
    root = uuid4().hex
    memory.put(str(folder / "run"), f"/{root}/run", recursive=True)
    model, uri = f"memory://{root}/run/best", f"memory://{root}/new"
    siamese("similarity", model, "怎么退票", "怎么退票")
    assert capsys.readouterr().out.startswith("1.0000")
    for here, there in ((folder / "run" / "best", tmp_path), (model, uri)):
        siamese("encode", here, DEV, "--output", f"{there}/v.parquet")
        siamese("evaluate", here, DEV, "--json", f"{there}/e.json")
        siamese("vectors", DEV, "--dim", 2, "--epochs", 1, "--output", f"{there}/v.txt")
    for name in ("v.parquet", "e.json", "v.txt"):
        assert memory.cat(f"/{root}/new/{name}") == (tmp_path / name).read_bytes(), name
    siamese("report", folder / "run")
    siamese("report", f"memory://{root}/run")
    assert f"report: memory://{root}/run/report.html" in capsys.readouterr().out
    for name in ("report.html", "pictures/encoder.png"):
        assert memory.cat(f"/{root}/run/{name}") == (folder / "run" / name).read_bytes(), name


def test_report_is_written_into_the_run(folder) -> None:
    siamese("report", folder / "run")
    assert (folder / "run" / "report.html").stat().st_size > 10_000


def test_resume_goes_on_and_fresh_starts_anew(folder, tmp_path) -> None:
    arguments = ("train", "--data", folder / "data", "--dev", DEV, "--run", tmp_path / "run", *TINY)
    siamese(*arguments)
    log = (tmp_path / "run" / "metrics.jsonl").read_text()
    siamese(*arguments, "--resume")
    resumed = (tmp_path / "run" / "metrics.jsonl").read_text()
    assert resumed.startswith(log) and '"event": "start"' in resumed.removeprefix(log)
    (tmp_path / "run" / "stale").touch()
    siamese(*arguments, "--fresh")
    assert not (tmp_path / "run" / "stale").exists()


def test_vectors_trains_a_file_that_train_takes(folder, tmp_path, capsys) -> None:
    file = tmp_path / "vec.txt"
    siamese("vectors", DEV, TRAIN, "--dim", 6, "--epochs", 1, "--output", file)
    assert file.read_text(encoding="utf-8").split("\n")[0].split()[1] == "6"
    siamese(
        *("train", "--data", folder / "data", "--dev", DEV, "--run", tmp_path / "run", *TINY),
        *("--set", f"encoder.vectors={file}", "--set", "encoder.embedding_dim=6"),
    )
    # All but white space, and letters that occur in upper case only.
    share = re.search(r"characters have a vector \((.*)% of", capsys.readouterr().out)
    assert float(share.group(1)) > 95
