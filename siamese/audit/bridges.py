"""Find the positive pairs that alone hold two parts of a group together."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, product

from siamese.audit.labels import Labels

# Pairs across a bridge that are compared, at most.
MOST_ACROSS = 64


@dataclass(frozen=True)
class Bridge:
    """A positive pair without which its group would fall into two, of two texts or more each.

    Attributes:
        pair: its position among the labelled pairs.
        sides: the texts of the two parts, positions in `Labels.texts`; the pair's first text is in
            the first.
    """

    pair: int
    sides: tuple[tuple[int, ...], tuple[int, ...]]

    def across(self) -> list[tuple[int, int]]:
        """List pairs of a text of each side, `MOST_ACROSS` at most, but for the bridge itself."""
        return list(islice(product(*self.sides), 1, MOST_ACROSS + 1))


def find_bridges(labels: Labels) -> list[Bridge]:
    """Find the bridges of all groups that labelled pairs join.

    Args:
        labels: the pairs; given groups hold together without any.

    Returns:
        The bridges, in the order of their pairs.
    """
    neighbours = _neighbours(labels)
    given = {text for group in labels.given for text in group.texts}
    found = []
    for number in sorted(_without_circle(neighbours)):
        first, second = labels.ends[number].tolist()
        if labels.texts[first] in given and labels.texts[second] in given:
            continue
        sides = _side(neighbours, first, number), _side(neighbours, second, number)
        if min(map(len, sides)) > 1:
            found.append(Bridge(number, sides))
    return found


def bridge_pairs(labels: Labels) -> list[int]:
    """List the positive pairs whose texts no other positive pairs join, in any number of steps."""
    return sorted(_without_circle(_neighbours(labels)))


def _neighbours(labels: Labels) -> dict[int, list[tuple[int, int]]]:
    """List the texts that positive pairs join to each text, with the pair."""
    neighbours: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for number in labels.are_positive.nonzero()[0].tolist():
        first, second = labels.ends[number].tolist()
        neighbours[first].append((second, number))
        neighbours[second].append((first, number))
    return neighbours


def _without_circle(neighbours: dict[int, list[tuple[int, int]]]) -> Iterator[int]:
    """Yield the pairs that are in no circle of pairs (Tarjan, 1974), without recursion.

    Args:
        neighbours: of each text, with the pair that joins them.
    """
    seen: dict[int, int] = {}
    lowest: dict[int, int] = {}
    for start in neighbours:
        if start in seen:
            continue
        seen[start] = lowest[start] = len(seen)
        stack = [(start, -1, iter(neighbours[start]))]
        while stack:
            text, came_by, left = stack[-1]
            other, pair = next(left, (None, -1))
            if other is None:
                stack.pop()
                if stack:
                    above = stack[-1][0]
                    lowest[above] = min(lowest[above], lowest[text])
                    if lowest[text] > seen[above]:
                        yield came_by
            elif pair == came_by:
                continue
            elif other in seen:
                lowest[text] = min(lowest[text], seen[other])
            else:
                seen[other] = lowest[other] = len(seen)
                stack.append((other, pair, iter(neighbours[other])))


def _side(neighbours: dict[int, list[tuple[int, int]]], start: int, bridge: int) -> tuple[int, ...]:
    """List the texts that can be reached from one without crossing a bridge, that one first."""
    reached = {start: None}
    left = [start]
    while left:
        for other, pair in neighbours[left.pop()]:
            if pair != bridge and other not in reached:
                reached[other] = None
                left.append(other)
    return tuple(reached)
