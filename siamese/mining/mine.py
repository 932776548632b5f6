"""Find hard negatives for groups: texts that an encoder takes for paraphrases, and are none."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from siamese.config.recipe import Similarity
from siamese.data.group import Group
from siamese.encoder.nearest import similarities_of
from siamese.evaluation.evaluator import Encode
from siamese.mining.limits import limits
from siamese.mining.pool import Pool
from siamese.mining.search import Answer, Query, Search
from siamese.progress import progress

# Negatives that are shown to the user.
EXAMPLES = 3


@dataclass(frozen=True)
class Example:
    """A negative that was found.

    Attributes:
        text: of the group: the one that it is nearest to.
        negative: what was found.
        similarity: of the two.
    """

    text: str
    negative: str
    similarity: float


@dataclass(frozen=True)
class Mined:
    """What was found.

    Attributes:
        groups: as they were, with what was found after their own negatives.
        negatives: that were found.
        widened: groups that got any.
        texts: all that were encoded.
        searched: of these, without near duplicates.
        asked: groups that were to get some.
        refused: nearer ones that were not taken, of all groups.
        crowded: groups that have such.
        examples: the nearest negatives of the first groups.
    """

    groups: list[Group]
    negatives: int
    widened: int
    texts: list[str]
    searched: int
    asked: int
    refused: int
    crowded: int
    examples: list[Example]


def mine(
    groups: Sequence[Group],
    encode: Encode,
    kind: Similarity,
    others: Iterable[str] = (),
    per_group: int = 1,
    margin: float = 0.95,
) -> Mined:
    """Find the nearest texts of each group that are not too near to be something else.

    A text's similarity to a group is that to the nearest of its texts. What is excluded says
    `Pool.excluded`, what is too near `limits`. The result does not depend on the order of the
    groups or the texts, nor on threads.

    Args:
        groups: of paraphrases; those that `lacks_negatives` names get some.
        encode: texts -> embeddings float32 `[texts, dim]`.
        kind: of similarity.
        others: texts besides those of the groups that negatives may be.
        per_group: negatives that a group shall have, its own counted: only what is missing is
            looked for.
        margin: as in `limits`.
    """
    pool = Pool(groups, others)
    embeddings = encode(pool.texts)
    rows = [row for row, group in enumerate(groups) if lacks_negatives(group, per_group)]
    wanting = [groups[row] for row in rows]
    ceilings = limits(wanting, pool, embeddings, kind, margin)
    queries = [
        Query(pool.numbers(group.texts), partial(pool.excluded, group), limit)
        for group, limit in zip(wanting, ceilings.tolist(), strict=True)
    ]
    with progress("searching", len(queries), "groups") as advance:
        search = Search(embeddings, pool.candidates, kind, per_group)
        answers = search.answers(queries, advance)
    widened = list(groups)
    for row, group, answer in zip(rows, wanting, answers, strict=True):
        found = answer.found[: per_group - len(group.negatives)]
        negatives = (*group.negatives, *(pool.texts[number] for number in found))
        widened[row] = replace(group, negatives=negatives)
    pairs = list(zip(groups, widened, strict=True))
    return Mined(
        groups=widened,
        negatives=sum(len(new.negatives) - len(old.negatives) for old, new in pairs),
        widened=sum(len(new.negatives) > len(old.negatives) for old, new in pairs),
        texts=pool.texts,
        searched=pool.candidates,
        asked=len(wanting),
        refused=sum(answer.refused for answer in answers),
        crowded=sum(answer.refused > 0 for answer in answers),
        examples=_examples(queries, answers, pool, embeddings, kind),
    )


def lacks_negatives(group: Group, per_group: int) -> bool:
    """Say whether a group is to get negatives.

    Those of one text are not: training draws them for the negatives or pairs that were labelled.
    """
    return len(group.texts) > 1 and len(group.negatives) < per_group


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
            near = similarities_of(embeddings, query.texts, embeddings, found, kind)
            nearest = query.texts[np.argmax(near)]
            text, negative = pool.texts[nearest], pool.texts[found[0]]
            examples.append(Example(text, negative, float(answer.similarities[0])))
    return examples
