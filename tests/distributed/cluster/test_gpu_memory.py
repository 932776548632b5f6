"""The cap on GPU memory, as far as it can be tested without a GPU."""

import pytest
from tiny_run import DATA, PAIRS, TINY

import distributed.cluster.gpu_memory
from distributed.cluster.gpu_memory import CONTEXT_MB, cap_worker_memory, share_of
from siamese.config.loading import load_recipe
from siamese.encoder.keras_tf import tf
from siamese.errors import UserError
from siamese.training.context import LocalContext
from siamese.training.gpu_memory import cap_memory, memory_note
from siamese.training.loop import fit
from siamese.training.preparation import prepare
from siamese.training.run_folder import RunFolder

no_gpu = pytest.mark.skipif(
    bool(tf.config.list_physical_devices("GPU")), reason="this machine has a GPU"
)


@no_gpu
def test_without_a_gpu_a_cap_has_no_effect_and_is_said_once() -> None:
    cap = cap_memory(2048)
    assert cap is None
    assert memory_note(2048, cap) == "no GPU here: --gpu-memory-mb has no effect"
    assert memory_note(None, None) == ""


@no_gpu
def test_a_worker_that_was_given_a_gpu_and_finds_none_says_so() -> None:
    with pytest.raises(UserError, match="TensorFlow finds none"):
        cap_worker_memory(None, 1.0)


@pytest.fixture
def one_gpu(monkeypatch):
    """A GPU of 24,000 MiB that only takes note of its caps."""
    caps = []
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["gpu"])
    monkeypatch.setattr(
        tf.config,
        "set_logical_device_configuration",
        lambda device, parts: caps.append([part.memory_limit for part in parts]),
    )
    monkeypatch.setattr(distributed.cluster.gpu_memory, "_total_mb", lambda: 24_000)
    return caps


@pytest.mark.parametrize(
    ("asked", "gpus", "expected"),
    [
        (2048, 1.0, 2048),
        (2048, 0.5, 2048),
        (2048, 0, 2048),
        (None, 0.25, 6000 - CONTEXT_MB),
        (None, 1.0, None),
        (None, 0, None),
    ],
)
def test_the_cap_is_what_was_asked_for_or_the_share_of_a_fraction(
    one_gpu, asked, gpus, expected
) -> None:
    assert cap_worker_memory(asked, gpus) == expected
    assert one_gpu == ([[expected]] if expected else [])


def test_a_fraction_that_leaves_nothing_is_refused(one_gpu) -> None:
    with pytest.raises(UserError, match=r"0.02 of this GPU is 480 MiB.*--gpus-per-worker"):
        cap_worker_memory(None, 0.02)
    assert one_gpu == []


def test_workers_that_share_a_gpu_fit_with_their_contexts() -> None:
    for workers in (2, 3, 4, 7):
        assert workers * (share_of(24_000, 1 / workers) + CONTEXT_MB) <= 24_000


@pytest.mark.parametrize(
    ("settings", "cap", "words"),
    [
        ((), 2048, ["cap of 2,048 MiB (--gpu-memory-mb 2048)", "micro_batch_groups", "raise"]),
        (("sampling.micro_batch_groups=3",), 2048, ["sampling.micro_batch_groups=3"]),
        ((), None, ["does not fit into memory"]),
    ],
)
def test_a_batch_that_does_not_fit_names_the_cap_and_what_to_lower(
    tmp_path, monkeypatch, settings, cap, words
) -> None:
    """The allocator's error is raised in the step's place: no GPU here could run out."""

    def exhausted(*_, **__):
        def step(batch):
            raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor …")

        return step

    monkeypatch.setattr("siamese.training.state.build_train_step", exhausted)
    recipe = load_recipe("fast", [*TINY, *settings])
    run = RunFolder(tmp_path / "run")
    run.start(recipe, {"hash": "tests"}, fresh=True)
    with pytest.raises(UserError) as error:
        context = LocalContext(run, memory_mb=cap)
        fit(context, recipe, DATA, PAIRS, prepare(recipe, DATA, PAIRS))
    assert all(word in str(error.value) for word in words)
    assert "OOM when allocating" not in str(error.value)
    assert run.read_log()[0]["gpu_memory_mb"] == cap
