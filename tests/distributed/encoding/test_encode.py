"""Bulk encoding by Ray's actors: the bytes of one process, whatever dies on the way."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import ray
from folder_bytes import contents
from paths import ROOT
from small_encoder import small_encoder

import siamese.encoding.embeddings_folder
from distributed.encoding.actors import on_ray
from distributed.encoding.encode import encode
from siamese.encoding.embeddings_folder import encode_folder
from siamese.encoding.filling import encode_here
from siamese.errors import UserError
from siamese.search.text_set import TextSet, read_column
from siamese.training.execution import Execution

TWO = Execution(workers=(2, 2), trackers=())
KNOWN = ["第句话怎么修改密码如何退票0123456789"]


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(siamese.encoding.embeddings_folder, "TEXTS_PER_PART", 50)
    texts = [f"第{i * 7919 % 1000}句话" for i in range(1000)]
    (tmp_path / "in.txt").write_text("\n".join(texts), encoding="utf-8")
    small_encoder(texts=KNOWN).save(tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_gpu_without_workers_is_refused(place) -> None:
    with pytest.raises(UserError, match="needs --workers 1 or more"):
        encode("model", ["in.txt"], "out", execution=Execution(gpus_per_worker=0.5))
    assert not (place / "out").exists()


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


class Dying:
    """An encoder that kills its worker once."""

    def __init__(self, encoder, mark) -> None:
        self._encoder, self._mark = encoder, mark
        for name in ("fingerprint", "vocabulary", "recipe"):
            setattr(self, name, getattr(encoder, name))

    def encode(self, texts, normalize_embeddings) -> np.ndarray:
        if not self._mark.exists():
            self._mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return self._encoder.encode(texts, normalize_embeddings=normalize_embeddings)


@pytest.mark.cluster
class TestActors:
    def test_two_write_the_bytes_of_one_process_also_when_one_dies(self, cluster, place) -> None:
        # This module is not on the workers' path.
        ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
        dying = Dying(small_encoder(texts=KNOWN), place / "died")
        encode_folder(["in.txt"], dying, "two", encode=on_ray(TWO, [], False))
        assert (place / "died").exists()
        encode("model", ["in.txt"], "one")
        assert contents(place / "two") == contents(place / "one")
        assert json.loads((place / "one" / "manifest.json").read_text())["rows"] == 1000

    def test_texts_are_compared_by_the_same_embeddings(self, cluster, place) -> None:
        texts = TextSet(read_column(["in.txt"]), small_encoder(texts=KNOWN))
        here = np.array(texts.embeddings(place / "here", encode_here))
        there = texts.embeddings(place / "there", on_ray(TWO, [], True))
        assert here.tobytes() == there.tobytes()

    def test_what_was_killed_is_gone_on_with(self, cluster, place) -> None:
        code = (
            "import time, siamese.encoding.embeddings_folder as folder\n"
            "folder.TEXTS_PER_PART = 50\n"
            "write = folder.fill.__globals__['write_part']\n"
            "def slow(*a): time.sleep(0.2); return write(*a)\n"
            "folder.fill.__globals__['write_part'] = slow\n"
            "from distributed.cli.main import main; main()"
        )
        arguments = ["encode", "model", "in.txt", "--output", "out", "--workers", "2"]
        environment = {**os.environ, "RAY_ADDRESS": cluster}
        environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        command = [sys.executable, "-c", code, *arguments]
        running = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        while running.poll() is None and len(list((place / "out").glob("part-*"))) < 2:
            time.sleep(0.01)
        running.kill()
        assert running.wait() == -signal.SIGKILL
        assert not (place / "out" / "manifest.json").exists()
        encode("model", ["in.txt"], "out", existing="resume", execution=TWO)
        encode("model", ["in.txt"], "whole")
        assert contents(place / "out") == contents(place / "whole")
