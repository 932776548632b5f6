"""Hard negatives for the groups of a data set, found with a model among all texts."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from siamese.config.recipe import Similarity
from siamese.data.cleaning import ReadingCounts, cleaned
from siamese.data.group import Group
from siamese.data.reading import read_groups, read_texts
from siamese.data.shard_output import check_output
from siamese.data.sharding import ROWS_PER_SHARD, write_data_set
from siamese.data.shards import MANIFEST, read_shards
from siamese.encoder.model_folder import MANIFEST as MODEL_MANIFEST
from siamese.encoder.model_folder import check_model_folder, local_model
from siamese.encoder.sentence_encoder import SentenceEncoder
from siamese.errors import UserError
from siamese.mining.limits import limits
from siamese.mining.pool import Pool
from siamese.mining.search import Answer, Query, Search, similarities_of
from siamese.progress import progress
from siamese.storage.atomic import sha256_of
from siamese.storage.filesystem import path_of
from siamese.storage.folder import Folder
from siamese.text.notes import notes_on

# Of the order of groups, where no data set has one.
SEED = 1
# Negatives that are shown to the user.
EXAMPLES = 3


@dataclass(frozen=True)
class Example:
    """A negative that was found.

    Attributes:
        text: of the group: the one that it is nearest to.
        negative: what was found.
        similarity: of the two.
        limit: what it had to be below.
    """

    text: str
    negative: str
    similarity: float
    limit: float


@dataclass(frozen=True)
class Mined:
    """What was mined.

    Attributes:
        groups: that got negatives.
        negatives: that they got.
        searched: candidates: different texts, near duplicates counted once.
        crowded: groups with candidates that were too near to be taken.
        refused: such candidates, of all groups.
        examples: a few, of the first groups.
        manifest: of the data set that was written.
        notes: lines about texts that a user should know of.
    """

    groups: int
    negatives: int
    searched: int
    crowded: int
    refused: int
    examples: list[Example]
    manifest: dict[str, Any]
    notes: list[str]


def mine_negatives(
    model: str | Path,
    data: str,
    output: str,
    texts: Sequence[str] = (),
    per_group: int = 1,
    margin: float = 0.95,
    fresh: bool = False,
    encoding: str | None = None,
) -> Mined:
    """Write a data set anew with negatives that a model finds near its groups.

    Labelled negatives and pairs are kept, as are the groups' ids and order. The same model, inputs
    and options give the same bytes.

    Args:
        model: the model folder, a path or URI.
        data: a data set, or files of groups or labelled pairs.
        output: the folder of the new data set, local or a URI.
        texts: files, globs, folders or URIs of further texts that negatives may be; none of them
            should mean the same as a group.
        per_group: negatives that are mined for each group, at most.
        margin: a negative's similarity to each text of its group is below so many times the mean
            similarity of the group's own pairs.
        fresh: replace a data set that is there.
        encoding: of all text files; None: the beginning of each says it.

    Raises:
        UserError: the model or an input cannot be used, `output` is in the way, or nothing was
            found.
    """
    if not (math.isfinite(margin) and margin >= 0):
        raise UserError(f"--margin {margin}: give a number from 0, such as 0.95.")
    check_output(output, fresh)
    _check_other(output, data)
    groups, rows_per_shard, seed = _read(data, encoding)
    with local_model(model) as folder:
        check_model_folder(folder)
        encoder = SentenceEncoder.load(folder)
        model_hash = sha256_of(folder / MODEL_MANIFEST)
    pool = Pool(groups, read_texts(list(texts), encoding=encoding) if texts else ())
    embeddings = encoder.encode(pool.texts, show_progress_bar=True)
    kind = encoder.recipe.evaluation.similarity
    ceilings = limits(groups, pool, embeddings, kind, margin)
    queries = [
        Query(pool.numbers(group.texts), partial(pool.excluded, group), limit)
        for group, limit in zip(groups, ceilings.tolist(), strict=True)
    ]
    search = Search(embeddings, pool.candidates, kind, per_group)
    with progress("searching", len(queries), "groups") as advance:
        answers = search.answers(queries, advance)
    if not any(len(answer.found) for answer in answers):
        raise UserError(
            f"{data}: no negative was found for any group: every other text is nearer than "
            f"--margin {margin:g} allows, or means the same. Train the model longer, or give "
            "further --texts."
        )
    mined = {"model": model_hash, "margin": margin, "per_group": per_group}
    manifest = write_data_set(
        [_Groups(data, _with_negatives(groups, answers, pool))],
        data,
        output,
        rows_per_shard,
        seed,
        fresh,
        options={"mined": mined},
    )
    return Mined(
        groups=sum(len(answer.found) > 0 for answer in answers),
        negatives=sum(len(answer.found) for answer in answers),
        searched=pool.candidates,
        crowded=sum(answer.refused > 0 for answer in answers),
        refused=sum(answer.refused for answer in answers),
        examples=_examples(queries, answers, pool, embeddings, kind),
        manifest=manifest,
        notes=notes_on(pool.texts, encoder.vocabulary, encoder.recipe.text.max_length),
    )


@dataclass(frozen=True)
class _Groups:
    """A `splitting.Piece` of groups in memory."""

    name: str
    groups: list[Group]
    size = 0
    note = ""

    def read(self, counts: ReadingCounts) -> Iterator[list[Group]]:
        return cleaned(iter(self.groups), self.name, counts)


def _check_other(output: str, data: str) -> None:
    """Refuse to replace the data set that is read: what was labelled is told apart by it alone."""
    written, read = path_of(output), path_of(data)
    if written and read and written.exists() and read.exists() and written.samefile(read):
        same = True
    else:
        same = output.rstrip("/") == data.rstrip("/")
    if same:
        raise UserError(f"{output}: is the input too. Choose another --output folder.")


def _read(data: str, encoding: str | None) -> tuple[list[Group], int, int]:
    """Read all groups; and the rows of a shard and the seed that a data set was written with."""
    if not Folder(data).is_file(MANIFEST):
        groups = list(read_groups([data], ReadingCounts(), encoding=encoding))
        return groups, ROWS_PER_SHARD, SEED
    stored, manifest = read_shards(data)
    options = manifest.get("options")
    if not isinstance(options, dict):
        options = {}
    if "mined" in options:
        raise UserError(
            f"{data}: has negatives that were mined already, and which of them is not told. Give "
            "the data set that they were mined for: the new ones take their place."
        )
    rows_per_shard, seed = options.get("rows_per_shard"), options.get("seed")
    return (
        list(stored.groups),
        rows_per_shard if type(rows_per_shard) is int and rows_per_shard > 0 else ROWS_PER_SHARD,
        seed if type(seed) is int and 0 <= seed < 2**32 else SEED,
    )


def _with_negatives(groups: list[Group], answers: list[Answer], pool: Pool) -> list[Group]:
    """Return the groups with what was found after their own negatives."""
    return [
        replace(group, negatives=(*group.negatives, *(pool.texts[n] for n in answer.found)))
        for group, answer in zip(groups, answers, strict=True)
    ]


def _examples(
    queries: Sequence[Query],
    answers: Sequence[Answer],
    pool: Pool,
    embeddings: np.ndarray,
    kind: Similarity,
) -> list[Example]:
    """Return the nearest negative of each of the first groups that got one."""
    examples: list[Example] = []
    for query, answer in zip(queries, answers, strict=True):
        if len(answer.found) and len(examples) < EXAMPLES:
            found = np.repeat(answer.found[:1], len(query.texts))
            nearest = query.texts[np.argmax(similarities_of(query.texts, found, embeddings, kind))]
            text, negative = pool.texts[nearest], pool.texts[found[0]]
            examples.append(Example(text, negative, answer.similarities[0], query.limit))
    return examples
