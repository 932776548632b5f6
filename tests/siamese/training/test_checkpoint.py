"""A checkpoint is whole or is not gone on from; the best model is part of it."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from tiny_run import KilledError, run_in, weights

from siamese.encoder.sentence_encoder import SentenceEncoder
from siamese.errors import UserError
from siamese.storage.checkpoints import checkpoint_folders
from siamese.training.best_model import restore_best
from siamese.training.checkpoint import (
    Progress,
    check_checkpoint,
    newest_checkpoint,
)
from siamese.training.context import LocalContext
from siamese.training.run_folder import RunFolder

# The first epoch of the tiny run is its best: the checkpoints of the others carry that model on.
KEPT_AFTER = (6, 9)


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> RunFolder:
    return run_in(tmp_path_factory.mktemp("runs") / "a", "optimizer.learning_rate=1e-12")


@pytest.fixture
def run(finished, tmp_path) -> RunFolder:
    return RunFolder(Path(shutil.copytree(finished.path, tmp_path / "run")))


def resume(run: RunFolder) -> RunFolder:
    return run_in(run.path, "optimizer.learning_rate=1e-12", fresh=False)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


DAMAGE = {
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-100]),
    "emptied": lambda path: path.write_bytes(b""),
    "altered": flip,
    "gone": Path.unlink,
    "nulls": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
}
FILES = ("variables.npz", "progress.json", "best/encoder.keras", "best_scores.parquet")


@pytest.mark.parametrize("how", DAMAGE)
@pytest.mark.parametrize("name", FILES)
def test_of_a_damaged_newest_checkpoint_the_one_before_is_taken_with_a_word(run, name, how) -> None:
    older, newest = checkpoint_folders(run.checkpoints)
    DAMAGE[how](newest / name)
    said: list[str] = []
    assert newest_checkpoint(run.checkpoints, said.append) == older
    assert len(said) == 1
    assert str(newest) in said[0]
    assert "Going on from the one before" in said[0]
    DAMAGE[how](older / name)
    with pytest.raises(UserError, match="--fresh"):
        newest_checkpoint(run.checkpoints, said.append)


@pytest.mark.parametrize("how", ["cut", "emptied", "altered", "nulls"])
def test_a_damaged_manifest_is_damage_too(run, how) -> None:
    newest = checkpoint_folders(run.checkpoints)[-1]
    DAMAGE[how](newest / "manifest.json")
    with pytest.raises(UserError, match=newest.name):
        check_checkpoint(newest)


@pytest.mark.parametrize(
    "changes",
    [
        {"step": None},
        {"epoch": "1"},
        {"best_metric": []},
        {"epoch_loss": "x"},
        {"step": -1},
        {"epoch": 1.5},
        {"epoch": True},
        {"best_metric": float("nan")},
    ],
)
def test_progress_of_other_types_is_damage_in_a_checkpoint_without_checksums(run, changes) -> None:
    newest = checkpoint_folders(run.checkpoints)[-1]
    (newest / "manifest.json").unlink()
    progress = json.loads((newest / "progress.json").read_text())
    (newest / "progress.json").write_text(json.dumps(progress | changes))
    with pytest.raises(UserError, match=f"{newest.name}: .*{next(iter(changes))}"):
        check_checkpoint(newest)


def test_a_run_whose_newest_checkpoint_is_damaged_ends_as_if_it_were_not(run, finished, capsys):
    flip(checkpoint_folders(run.checkpoints)[-1] / "variables.npz")
    resume(run)
    assert "step-00000009: cannot be resumed from (variables.npz" in capsys.readouterr().out
    assert weights(run) == weights(finished)
    steps = [line["step"] for line in run.read_log() if line["event"] == "evaluation"]
    assert steps == [3, 6, 9]
    assert [int(path.name[5:]) for path in checkpoint_folders(run.checkpoints)] == list(KEPT_AFTER)


@pytest.mark.parametrize("how", ["moved", "cut", "another"])
def test_the_best_model_is_there_again_after_a_resume(run, finished, tmp_path, how) -> None:
    if how == "moved":
        run.best.rename(tmp_path / "served")
        run.scores_file.unlink()
    elif how == "cut":
        DAMAGE["cut"](run.best / "encoder.keras")
    else:
        encoder = SentenceEncoder.load(run.best)
        encoder.metrics["epoch"] = 77
        encoder.save(run.best)
    resume(run)
    for name in ("encoder.keras", "manifest.json", "metrics.json"):
        assert (run.best / name).read_bytes() == (finished.best / name).read_bytes()
    assert run.scores_file.read_bytes() == finished.scores_file.read_bytes()
    assert SentenceEncoder.load(run.best).metrics["epoch"] == 1


def test_the_best_model_is_not_another_than_the_progress_knows(tmp_path, monkeypatch) -> None:
    """Killed with the best model of the second epoch on the disk, and not its checkpoint."""
    settings = ("optimizer.learning_rate=0.05", "training.epochs=2", "evaluation.metric=mrr")
    unbroken = run_in(tmp_path / "a", *settings)
    assert SentenceEncoder.load(unbroken.best).metrics["epoch"] == 2  # or it would prove nothing
    commit = RunFolder.commit

    def killed(run, step, save, save_best, keep):
        if step < 6:
            return commit(run, step, save, save_best, keep)

        def save_and_die(folder):
            save_best(folder)
            raise KilledError

        return commit(run, step, save, save_and_die, keep)

    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "commit", killed)
        with pytest.raises(KilledError):
            run_in(tmp_path / "b", *settings)
    run = RunFolder(tmp_path / "b")
    assert SentenceEncoder.load(run.best).metrics["epoch"] == 1
    run_in(tmp_path / "b", *settings, fresh=False)
    assert SentenceEncoder.load(run.best).metrics["epoch"] == 2
    assert weights(run) == weights(unbroken)


class TestOfAnOlderRelease:
    """Its checkpoints have neither checksums nor the best model."""

    @pytest.fixture
    def run(self, run) -> RunFolder:
        for checkpoint in checkpoint_folders(run.checkpoints):
            (checkpoint / "manifest.json").unlink()
            (checkpoint / "best_scores.parquet").unlink()
            shutil.rmtree(checkpoint / "best")
        return run

    def test_a_run_goes_on(self, run, finished) -> None:
        shutil.rmtree(checkpoint_folders(run.checkpoints)[-1])
        resume(run)
        assert weights(run) == weights(finished)
        assert SentenceEncoder.load(run.best).metrics["epoch"] == 1
        resume(run)

    def test_a_best_model_that_is_gone_is_a_sentence(self, run) -> None:
        shutil.rmtree(run.best)
        with pytest.raises(UserError, match=r"run/best: .*put it back, or start .* --fresh"):
            restore_best(checkpoint_folders(run.checkpoints)[-1], run.path, Progress(best_epoch=1))

    @pytest.mark.parametrize("how", ["cut", "emptied", "altered"])
    def test_a_damaged_checkpoint_is_found(self, run, how) -> None:
        newest = checkpoint_folders(run.checkpoints)[-1]
        DAMAGE[how](newest / "variables.npz")
        with pytest.raises(UserError, match=newest.name):
            check_checkpoint(newest)


def test_a_checkpoint_of_another_model_is_refused(run) -> None:
    for checkpoint in checkpoint_folders(run.checkpoints):
        (checkpoint / "manifest.json").unlink()
        with np.load(checkpoint / "variables.npz") as values:
            others = {name: np.atleast_1d(values[name])[..., :1] for name in values.files}
        np.savez(checkpoint / "variables.npz", **others)
    with pytest.raises(UserError, match="is not that of this model"):
        resume(run)


def test_folders_that_are_no_checkpoints_are_left_alone(run) -> None:
    (run.checkpoints / "step-old").mkdir()
    assert [int(path.name[5:]) for path in checkpoint_folders(run.checkpoints)] == list(KEPT_AFTER)
    assert LocalContext(run).latest_checkpoint() == run.checkpoints / "step-00000009"
