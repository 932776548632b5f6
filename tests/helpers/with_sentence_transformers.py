"""Checks in a process that has sentence-transformers, as `python -c` runs them.

Not in pytest's own: torch that is imported after TensorFlow ends a process.
"""

import sys
from pathlib import Path

import numpy as np

# First of all, as said above.
from sentence_transformers import SentenceTransformer  # isort: skip

from siamese import SentenceEncoder
from siamese.export.checking import sample_texts
from siamese.export.export import export_model
from siamese.export.exporter import ExportOptions, build_exporter
from siamese.testing import check_exporter
from siamese.testing.exporters import make_encoder


def require(holds: bool, what: object) -> None:
    if not holds:
        sys.exit(f"not so: {what}")


def laws() -> None:
    """Keep the laws of exporters."""
    check_exporter(lambda: build_exporter("sentence-transformers", ExportOptions()))


def exported_folders(temporary: str) -> None:
    """Load what is exported as a user does, without and with the flag; save it, and load that."""
    folder = Path(temporary)
    for pooling, options in (("mean", {}), ("attention", {"trust_remote_code": True})):
        encoder = make_encoder(pooling)
        texts = sample_texts(encoder)
        model = str(folder / f"{pooling}-model")
        encoder.save(model)
        output = str(folder / pooling)
        export_model(model, "sentence-transformers", output, ExportOptions())
        loaded = SentenceTransformer(output, device="cpu", **options)
        loaded.save(f"{output}-saved")
        for each in (loaded, SentenceTransformer(f"{output}-saved", device="cpu", **options)):
            apart = abs(each.encode(texts) - encoder.encode(texts)).max()
            require(apart <= 1e-6, f"{pooling}: {apart} apart")
            require(each.similarity_fn_name == "cosine", each.similarity_fn_name)
            require(each.max_seq_length == 24, each.max_seq_length)
            require(each.get_embedding_dimension() == 8, each.get_embedding_dimension())


def model_folder(temporary: str) -> None:
    """Load a model folder, and compare every form of the embeddings with what `encode` gives."""
    folder = f"{temporary}/model"
    encoder = make_encoder("attention")
    encoder.save(folder)
    texts = sample_texts(encoder)
    model = SentenceTransformer(folder, device="cpu", trust_remote_code=True)
    model.save(f"{temporary}/saved")
    saved = SentenceEncoder.load(f"{temporary}/saved")
    require((saved.encode(texts) == encoder.encode(texts)).all(), "saved = loaded")
    forms: list[dict] = [{}]
    forms += [{"precision": each} for each in ("int8", "uint8", "binary", "ubinary")]
    forms += [{"truncate_dim": 5, "normalize_embeddings": True, "precision": "int8"}]
    forms += [{"truncate_dim": 3}, {"truncate_dim": 99}]
    for form in forms:
        expected, found = model.encode(texts, **form), encoder.encode(texts, **form)
        same = found.dtype == expected.dtype and np.allclose(found, expected, atol=1e-6)
        require(same and found.shape == expected.shape, form)
        as_tensor = encoder.encode(texts, convert_to_tensor=True, **form)
        right = model.encode(texts, convert_to_tensor=True, **form)
        require(as_tensor.dtype == right.dtype, form)
        require((as_tensor.numpy() == found).all(), form)
        listed = encoder.encode(texts, convert_to_numpy=False, **form)
        right = model.encode(texts, convert_to_numpy=False, **form)
        require([*map(type, listed)] == [*map(type, right)], form)
    tensor = encoder.encode(texts, convert_to_tensor=True)
    require(
        (encoder.similarity(tensor, tensor) == encoder.similarity(texts, texts)).all(), "tensor"
    )
    prompted = model.encode(["b"], prompt="a")
    require((prompted == encoder.encode(["ab"])).all(), "prompt")


def mteb_task() -> None:
    """Judge an encoder by `mteb.evaluate`, on a task of its own."""
    import datasets
    import mteb
    from mteb.abstasks.sts import AbsTaskSTS
    from mteb.abstasks.task_metadata import TaskMetadata

    nothing = ("reference", "date", "domains", "task_subtypes", "license", "dialect")
    columns = {
        "sentence1": ["怎么修改", "abis", "如何登录", "kg"],
        "sentence2": ["如何修改", "sa", "ziß", "gk"],
        "score": [1.0, 0.3, 0.0, 0.9],
    }

    class Local(AbsTaskSTS):
        metadata = TaskMetadata(
            name="Local",
            description="Four pairs.",
            dataset={"path": "local", "revision": "1"},
            type="STS",
            category="t2t",
            modalities=["text"],
            eval_splits=["test"],
            eval_langs=["cmn-Hans"],
            main_score="cosine_spearman",
            annotations_creators=None,
            sample_creation=None,
            bibtex_citation="",
            **dict.fromkeys(nothing),
        )
        min_score, max_score = 0, 1

        def load_data(self, **kwargs) -> None:
            self.dataset = datasets.DatasetDict({"test": datasets.Dataset.from_dict(columns)})
            self.data_loaded = True

    encoder = make_encoder("attention")
    result = mteb.evaluate(encoder, [Local()], cache=None)
    require(result.model_name == f"siamese-ray/{encoder.fingerprint[:12]}", result.model_name)
    (scores,) = result.task_results[0].scores["test"]
    from scipy.stats import pearsonr

    similarities = encoder.similarity_pairwise(columns["sentence1"], columns["sentence2"])
    expected = pearsonr(similarities, columns["score"]).statistic
    for name in ("pearson", "cosine_pearson"):
        require(abs(scores[name] - expected) < 1e-6, (name, scores[name], expected))
