"""Search spaces that no sweep can run: told before any trial."""

import subprocess

import pytest
from small_sweep import command, space_file

pytestmark = [pytest.mark.cluster, pytest.mark.filterwarnings("ignore")]


def test_a_bad_space_is_told_before_any_trial(data, tmp_path) -> None:
    space = space_file(tmp_path, loss={"scal": {"uniform": [1, 2]}})
    answer = subprocess.run(command(data, tmp_path / "run", space), capture_output=True, text=True)
    assert answer.returncode == 2
    assert "loss.scal: unknown key; did you mean loss.scale?" in answer.stderr
    assert "Traceback" not in answer.stderr and not (tmp_path / "run").exists()


def test_what_some_trial_could_not_run_is_told_before_any_trial(data, tmp_path) -> None:
    space = space_file(tmp_path, sampling={"batch_groups": {"choice": [64, 4096]}})
    answer = subprocess.run(command(data, tmp_path / "run", space), capture_output=True, text=True)
    assert answer.returncode == 2 and "sampling.batch_groups=4,096" in answer.stderr
    assert not (tmp_path / "run").exists()
