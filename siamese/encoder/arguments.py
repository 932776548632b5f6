"""What callers may pass to `encode` and `similarity`; what asks for another result is refused."""

import difflib
import io
import operator
from collections.abc import Iterable, Mapping, Set
from typing import Any

import numpy as np

# Arguments of sentence-transformers, MTEB 1 and MTEB 2 that do not change the result here: the
# model has no prompts, and computes where it can.
_IGNORED = (
    *("device", "prompt_name", "prompt_type", "task_name"),
    *("task_metadata", "hf_split", "hf_subset"),
)
# Arguments that would change it, with the values that ask for what `encode` returns.
_FIXED: Mapping[str, tuple[Any, ...]] = {
    "output_value": ("sentence_embedding",),
    "prompt": (None, ""),
}
# Arguments that `output_form.py` reads.
_OF_FORM = ("convert_to_numpy", "convert_to_tensor", "precision", "truncate_dim")
_OWN = ("batch_size", "show_progress_bar", "normalize_embeddings")
_NORMALIZED = ("normalize", "normalise", "normalize_to_unit", "normalize_embedding")


def check_others(others: Mapping[str, Any]) -> None:
    """Accept arguments of other harnesses that ask for what `encode` can return.

    Raises:
        TypeError: an argument is unknown, or asks for another result.
    """
    for name, value in others.items():
        if name in _IGNORED or name in _OF_FORM:
            continue
        if name in _FIXED:
            accepted = _FIXED[name]
            if not any(type(value) is type(each) and value == each for each in accepted):
                raise TypeError(
                    f"encode returns embeddings of sentences as they are: {name} must be "
                    f"{accepted[0]!r}, found {value!r}"
                )
            continue
        known = (*_OWN, *_OF_FORM, *_FIXED, *_IGNORED)
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.7)
        meant = "normalize_embeddings" if name in _NORMALIZED else "".join(close)
        hint = f"; did you mean {meant!r}?" if meant else f": it has {', '.join(known)}"
        raise TypeError(f"encode has no argument {name!r}{hint}")


def checked_batch_size(value: Any) -> int:
    """Return a batch size; see `checked_count`."""
    return checked_count("batch_size", value)


def checked_count(name: str, value: Any) -> int:
    """Return a whole number from 1 on.

    Raises:
        TypeError: it is not a whole number.
        ValueError: it is not positive.
    """
    try:
        count = operator.index(value)
    except TypeError:
        count = None
    if count is None or isinstance(value, bool):
        raise TypeError(f"{name} must be a whole number, found {value!r}")
    if count < 1:
        raise ValueError(f"{name} must be at least 1, found {count}")
    return count


def checked_flag(name: str, value: Any) -> bool:
    """Return True or False; None means False, as in sentence-transformers.

    Raises:
        TypeError: it is something else.
    """
    if value is None or isinstance(value, (bool, np.bool_)):
        return bool(value)
    raise TypeError(f"{name} must be True or False, found {value!r}")


def checked_sentences(sentences: Any) -> list[str]:
    """Return the sentences of a list or anything else that has them in an order.

    Raises:
        TypeError: it is something else, or a sentence is not a string.
    """
    kind = type(sentences).__name__
    dimensions = len(getattr(sentences, "shape", (0,)))  # of an array, a table, a tensor
    if isinstance(sentences, Mapping) or dimensions > 1:
        raise TypeError(f"encode takes a string or a list of strings: of a {kind}, give one column")
    if isinstance(sentences, Set):
        raise TypeError(f"encode takes sentences in an order, which a {kind} has not: give a list")
    no_texts = (bytes, bytearray, memoryview, io.IOBase)
    if not isinstance(sentences, Iterable) or isinstance(sentences, no_texts) or not dimensions:
        raise TypeError(f"encode takes a string or a list of strings, not {kind}")
    found = list(sentences)
    for position, sentence in enumerate(found):
        if not isinstance(sentence, str):
            raise TypeError(f"sentence {position} is {sentence!r}, not a string")
    return found


def checked_batches(batches: Any) -> list[str]:
    """Return the sentences of what MTEB 2 passes: batches, such as `{"text": ["…", "…"]}`.

    Raises:
        TypeError: they are something else, or a sentence is not a string.
    """
    if not isinstance(batches, Iterable) or isinstance(batches, (str, Mapping)):
        raise TypeError(f"with task_metadata, encode takes batches, not {type(batches).__name__}")
    found: list[Any] = []
    for batch in batches:
        texts = batch.get("text") if isinstance(batch, Mapping) else None
        if not isinstance(texts, list):
            raise TypeError("with task_metadata, encode takes batches with texts: {'text': [...]}")
        found += texts
    return checked_sentences(found)


def checked_embeddings(value: np.ndarray, dim: int) -> np.ndarray:
    """Return embeddings `[n, dim]`, from those or from a single one `[dim]`.

    Raises:
        TypeError: they are not floating-point numbers.
        ValueError: they are of another width, or not finite.
    """
    if value.dtype.kind != "f":
        raise TypeError(f"embeddings must be floating-point numbers, found {value.dtype}")
    if value.ndim not in (1, 2) or value.shape[-1] != dim:
        raise ValueError(f"embeddings must be [n, {dim}] or [{dim}], found {[*value.shape]}")
    if not np.isfinite(value).all():
        raise ValueError("embeddings must be finite, found NaN or infinity")
    return np.atleast_2d(value)
