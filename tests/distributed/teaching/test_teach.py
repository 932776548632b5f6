"""Teaching by Ray's actors: the bytes of one process, whatever dies on the way."""

import os
import signal
import subprocess
import sys
import time

import pytest
import ray
from folder_bytes import contents
from paths import ROOT

import siamese.teaching.teach
from distributed.teaching.teach import teach
from siamese.errors import RunError, UserError
from siamese.training.execution import Execution

TWO = Execution(workers=(2, 2), trackers=())
CODE = """
import os, signal, time
from pathlib import Path
here = Path(__file__).parent
def make():
    return lambda texts: [[len(text), sum(map(ord, text)) % 97, 1] for text in texts]
def slow():
    def encode(texts):
        time.sleep(0.2)
        return make()(texts)
    return encode
def dies_once():
    def encode(texts):
        if "5" in texts and not (here / "died").exists():
            (here / "died").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return make()(texts)
    return encode
def raises():
    return lambda texts: 1 / 0
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with texts and a module of teachers, in which commands are started."""
    monkeypatch.setattr(siamese.teaching.teach, "TEXTS_PER_PART", 3)
    (tmp_path / "ray_teacher.py").write_text(CODE, encoding="utf-8")
    (tmp_path / "in.txt").write_text("\n".join(map(str, range(40))), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "ray_teacher", raising=False)
    return tmp_path


def test_a_gpu_without_workers_is_refused(place) -> None:
    with pytest.raises(UserError, match="needs --workers 1 or more"):
        teach(["in.txt"], "python:ray_teacher:make", "t", execution=Execution(gpus_per_worker=1))


@pytest.fixture(scope="module")
def cluster():
    context = ray.init(
        address="local",
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        object_store_memory=100 << 20,
    )
    yield context.address_info["gcs_address"]
    ray.shutdown()


@pytest.mark.cluster
class TestActors:
    def test_two_write_the_bytes_of_one_process_also_when_one_dies(self, cluster, place) -> None:
        teach(["in.txt"], "python:ray_teacher:dies_once", "died", execution=TWO)
        assert (place / "died").exists()
        teach(["in.txt"], "python:ray_teacher:dies_once", "alone")
        assert contents(place / "died") == contents(place / "alone")

    def test_what_the_teacher_raises_is_a_sentence(self, cluster, place) -> None:
        with pytest.raises(UserError, match=r"ZeroDivisionError.*ray_teacher.py, line \d+"):
            teach(["in.txt"], "python:ray_teacher:raises", "t", execution=TWO)

    def test_one_that_keeps_dying_ends_the_work(self, cluster, place) -> None:
        (place / "always.py").write_text(
            "import os, signal\ndef make():\n    return lambda _: os.kill(os.getpid(), 9)\n",
            encoding="utf-8",
        )
        one = Execution(workers=(1, 1), trackers=())
        with pytest.raises(RunError, match="4 workers died"):
            teach(["in.txt"], "python:always:make", "t", limit=3, execution=one)

    def test_more_than_fit_are_refused(self, cluster, place) -> None:
        many = Execution(workers=(3, 3), trackers=())
        with pytest.raises(UserError, match="the cluster cannot run this"):
            teach(["in.txt"], "python:ray_teacher:make", "t", execution=many)
        assert not (place / "t").exists()

    def test_what_was_killed_is_gone_on_with(self, cluster, place) -> None:
        code = (
            "import siamese.teaching.teach as teach; teach.TEXTS_PER_PART = 3\n"
            "from distributed.cli.main import main; main()"
        )
        arguments = ["teach", "in.txt", "--teacher", "python:ray_teacher:slow", "--output", "t"]
        environment = {**os.environ, "RAY_ADDRESS": cluster}
        environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        command = [sys.executable, "-c", code, *arguments, "--workers", "2"]
        running = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        while running.poll() is None and not list((place / "t").glob("part-*")):
            time.sleep(0.01)
        running.kill()
        assert running.wait() == -signal.SIGKILL
        assert not (place / "t" / "manifest.json").exists()
        teach(["in.txt"], "python:ray_teacher:slow", "t", existing="resume", execution=TWO)
        teach(["in.txt"], "python:ray_teacher:slow", "whole")
        assert contents(place / "t") == contents(place / "whole")
