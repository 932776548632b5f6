"""Groups of texts that are alike, from the pairs of near ones.

Again and again the text that has the most near texts left becomes the centre of a group, with all
of these. So every text of a group is near its centre, and a chain of texts, each near the next one,
does not bring together what has nothing in common; and a text is in one group at most.
"""

import heapq

import numpy as np

from siamese.search.store import Pairs


def communities(count: int, pairs: Pairs) -> list[np.ndarray]:
    """Make groups of two texts or more.

    Args:
        count: how many texts there are.
        pairs: all that are near each other, each once.

    Returns:
        The numbers of the texts of each group: the centre, then the others by falling similarity to
        it. The largest groups come first; of centres with equally many near texts the lowest
        number comes first, and so it is among texts of equal similarity.
    """
    ones = np.concatenate([pairs.ones, pairs.others])
    others = np.concatenate([pairs.others, pairs.ones])
    similarities = np.concatenate([pairs.similarities, pairs.similarities])
    order = np.lexsort((others, -similarities, ones))
    others = others[order]
    degrees = np.bincount(ones, minlength=count)
    ends = np.cumsum(degrees)
    is_left = np.ones(count, bool)
    # The most near texts first. What is in the heap may be more than is left, never less.
    heap = [(-degree, text) for text, degree in enumerate(degrees.tolist()) if degree]
    heapq.heapify(heap)
    groups = []
    while heap:
        most, text = heapq.heappop(heap)
        if not is_left[text]:
            continue
        near = others[ends[text] - degrees[text] : ends[text]]
        near = near[is_left[near]]
        if len(near) < -most:
            if len(near):
                heapq.heappush(heap, (-len(near), text))
            continue
        groups.append(np.concatenate([[text], near]))
        is_left[groups[-1]] = False
    return groups
