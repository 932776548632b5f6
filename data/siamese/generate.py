"""Write the embedded sample data: df_train.json, df_dev.txt and df_test.txt beside this file.

The data is synthetic and was written for this project; nothing in it comes from a corpus or
from users. `intents.toml` holds families of customer-service intents, each with several
phrasings and a list of slot values. A group is one (intent, slot value): its texts are the
intent's phrasings filled with that value, some with a greeting, a particle or a full stop
around them, so all texts of a group ask for the same thing.

Held out for the test file, and for it only:

* some slot values of every family (never used in a training group of that family);
* some whole intents, none of whose phrasings is trained on (other intents of the same family
  are, so most of the slot values are familiar).

The development file takes the values of trained intents that training has no room for: easier
than the test file, and apart from it, so that a threshold can be chosen on one and judged on the
other.

Negatives are mostly texts that share their characters: same phrasing with another slot value,
or same slot value under a neighbouring (often opposite) intent.

Run `python data/siamese/generate.py`; the same files come out byte for byte each time.
"""

import json
import re
import tomllib
from collections import Counter
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from pathlib import Path
from random import Random

HERE = Path(__file__).resolve().parent
SEED = "siamese-sample-1"

HELD_OUT_INTENT_SHARE = 0.15
HELD_OUT_INTENTS_PER_FAMILY = 2
HELD_OUT_VALUES = 3
TRAIN_VALUES_PER_INTENT = 7
GROUP_SIZE = (6, 9)
MAX_USES_OF_A_TEXT = 4
# How the two texts of a positive are chosen within their group: the third with the fewest
# characters in common, the third with the most, or any two.
POSITIVE_STYLES = ("unlike", "any", "like")

# Rows of the test file by kind, out of 30. "slot": same intent, other value; "intent": same
# value, other intent of the family; "family": both differ; "domain": other family of the
# domain; "random": other domain. All but "positive" are negatives; the mix is set so that
# character overlap alone says little about the label.
SHARES = {"positive": 10, "slot": 5, "intent": 4, "family": 2, "domain": 4, "random": 5}
PART_SIZES = {"slots": 900, "intents": 600}
DEV_SIZE = 600
# Test rows repeat this pattern, so that either part can be scored alone by its line numbers
# and any leading slice of the file holds both in the same proportion.
ROW_PATTERN = ("slots", "slots", "slots", "intents", "intents")

PREFIXES = {
    "?": ("请问", "我想问下", "问一下", "你好，", "您好，请问", "想咨询下", "麻烦问下，"),
    "!": ("你好，", "您好，"),
    ".": ("你好，", "您好，"),
}
SUFFIXES = {
    "?": ("？", "？", "？", "?", "呢", "呢？", "呀"),
    "!": ("。", "，谢谢", "，麻烦了", "！"),
    ".": ("。", "！"),
}
PREFIX_SHARE = {"?": 0.25, "!": 0.15, ".": 0.15}
SUFFIX_SHARE = 0.45
FIRST_NAME_SHARE = 0.6
# A second particle after one of these reads wrong.
PARTICLES = ("吗", "呢", "呀", "吧", "不", "没")


@dataclass(frozen=True)
class Family:
    """One slot list and the intents that share it."""

    name: str
    domain: str
    values: tuple[tuple[str, ...], ...]
    intents: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Group:
    """All texts of one intent with one slot value."""

    family: str
    domain: str
    intent: str
    value: str
    texts: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """One labelled pair of the development or the test file."""

    first: str
    second: str
    label: int

    def line(self) -> str:
        """Return the tab-separated line, without its newline."""
        return f"{self.first}\t{self.second}\t{self.label}"


def load_families(path: Path) -> list[Family]:
    """Read the tables and check that no phrasing is used by two intents."""
    families = []
    seen: set[str] = set()
    for entry in tomllib.loads(path.read_text(encoding="utf-8"))["family"]:
        values = tuple(
            tuple(name.strip() for name in value.split("/")) for value in entry["values"].split("|")
        )
        intents = {
            name: tuple(block.strip().splitlines()) for name, block in entry["intents"].items()
        }
        for phrasing in (line for lines in intents.values() for line in lines):
            # A shared phrasing would leak a held-out intent into training.
            assert phrasing[2:] not in seen, f"phrasing used twice: {phrasing}"
            assert phrasing[:2] in ("? ", "! ", ". ", "# "), f"unknown mark: {phrasing}"
            assert phrasing.count("{}") == 1, f"needs one slot: {phrasing}"
            seen.add(phrasing[2:])
        families.append(Family(entry["name"], entry["domain"], values, intents))
    return families


def render(phrasing: str, value: Sequence[str], rng: Random) -> str:
    """Fill one phrasing with one name of the value and decorate it as its mark allows."""
    mark, template = phrasing[0], phrasing[2:]
    name = value[0] if rng.random() < FIRST_NAME_SHARE else rng.choice(value)
    text = re.sub(r"\[([^]]+)]", lambda m: rng.choice(m.group(1).split("|")), template)
    text = text.replace("{}", name)
    if mark == "#":
        return text
    if rng.random() < SUFFIX_SHARE:
        suffix = rng.choice(SUFFIXES[mark])
        if text.endswith(PARTICLES):
            suffix = suffix.lstrip("呢呀")
        text += suffix
    if rng.random() < PREFIX_SHARE[mark]:
        # "我想问下想住…" and "想咨询下下单后…" stumble over the repeated word.
        stumbles = mark == "?" and ("想" in text or text.startswith("下"))
        text = rng.choice(PREFIXES["!" if stumbles else mark]) + text
    return text


def build_group(family: Family, intent: str, value: Sequence[str]) -> Group:
    """Render a sample of the intent's phrasings for one slot value."""
    # Seeded per group, so that an edit of one intent leaves the texts of all others alone.
    rng = Random(f"{SEED}/{family.name}/{intent}/{value[0]}")
    phrasings = family.intents[intent]
    low, high = (min(bound, len(phrasings)) for bound in GROUP_SIZE)
    chosen = rng.sample(phrasings, rng.randint(low, high))
    texts = tuple(render(phrasing, value, rng) for phrasing in chosen)
    return Group(family.name, family.domain, intent, value[0], texts)


def choose_held_out_intents(families: Sequence[Family]) -> set[tuple[str, str]]:
    """Draw whole intents, two of a family and one family of a domain, up to the wanted share.

    Two of a family, because near-miss negatives need a neighbouring intent outside training.
    """
    total = sum(len(family.intents) for family in families)
    rng = Random(f"{SEED}/intents")
    # A family of two would keep no intent, so nothing of its slot list would be trained on.
    open_to = [f for f in families if len(f.intents) > HELD_OUT_INTENTS_PER_FAMILY]
    chosen: set[tuple[str, str]] = set()
    domains: set[str] = set()
    for family in rng.sample(open_to, len(open_to)):
        if len(chosen) >= HELD_OUT_INTENT_SHARE * total:
            break
        if family.domain not in domains:
            domains.add(family.domain)
            names = rng.sample(list(family.intents), HELD_OUT_INTENTS_PER_FAMILY)
            chosen |= {(family.name, name) for name in names}
    return chosen


def choose_held_out_values(
    families: Sequence[Family], held_out_intents: Container[tuple[str, str]]
) -> dict[str, set[str]]:
    """Draw held-out values per family, preferring those spelled with trained characters.

    A character model cannot read a character it never saw, so a value such as 哈尔滨 says
    little about the encoder; values whose characters also occur elsewhere go first.
    """
    counts: Counter[str] = Counter()
    for family in families:
        counts.update("".join("".join(names) for names in family.values))
        for intent, phrasings in family.intents.items():
            if (family.name, intent) not in held_out_intents:
                counts.update("".join(phrasings))
    held: dict[str, set[str]] = {}
    for family in families:
        rng = Random(f"{SEED}/values/{family.name}")
        ranked: list[tuple[str, ...]] = []
        spare: list[tuple[str, ...]] = []
        for names in rng.sample(family.values, len(family.values)):
            own = Counter("".join(names))
            readable = all(counts[char] > own[char] for char in own)
            if readable and len(ranked) < HELD_OUT_VALUES:
                counts.subtract(own)
                ranked.append(names)
            else:
                spare.append(names)
        held[family.name] = {names[0] for names in (ranked + spare)[:HELD_OUT_VALUES]}
    return held


def build_groups(
    families: Sequence[Family],
) -> tuple[list[Group], list[Group], dict[str, list[Group]]]:
    """Return the training groups, the development groups and, by part, the test groups."""
    whole = choose_held_out_intents(families)
    held = choose_held_out_values(families, whole)
    train: list[Group] = []
    dev: list[Group] = []
    test: dict[str, list[Group]] = {"slots": [], "intents": []}
    for family in families:
        for intent in family.intents:
            if (family.name, intent) in whole:
                test["intents"] += [build_group(family, intent, value) for value in family.values]
                continue
            kept = [value for value in family.values if value[0] not in held[family.name]]
            out = [value for value in family.values if value[0] in held[family.name]]
            rng = Random(f"{SEED}/train/{family.name}/{intent}")
            picked = set(rng.sample(range(len(kept)), min(TRAIN_VALUES_PER_INTENT, len(kept))))
            for i, value in enumerate(kept):
                (train if i in picked else dev).append(build_group(family, intent, value))
            test["slots"] += [build_group(family, intent, value) for value in out]
    return train, dev, test


def overlap(first: str, second: str) -> float:
    """Return the Jaccard overlap of the two texts' characters."""
    a, b = set(first), set(second)
    return len(a & b) / len(a | b)


def partners(kind: str, group: Group, groups: Sequence[Group]) -> list[Group]:
    """Return the groups that make a negative of this kind with `group`."""

    def fits(other: Group) -> bool:
        same_family = group.family == other.family
        same_intent = same_family and group.intent == other.intent
        same_value = group.value == other.value
        match kind:
            case "slot":
                return same_intent and not same_value
            case "intent":
                return same_family and not same_intent and same_value
            case "family":
                return same_family and not same_intent and not same_value
            case "domain":
                return group.domain == other.domain and not same_family
            case _:
                return group.domain != other.domain

    return [other for other in groups if fits(other)]


def candidates(
    kind: str, group: Group, groups: Sequence[Group], rng: Random
) -> list[tuple[str, str]]:
    """Return text pairs of one kind for one group, the ones to prefer first."""
    if kind == "positive":
        pairs = list(combinations(group.texts, 2))
        rng.shuffle(pairs)
        style = rng.choice(POSITIVE_STYLES)
        if style != "any":
            pairs.sort(key=lambda pair: overlap(*pair), reverse=style == "like")
            nearest = pairs[: len(pairs) // 3]
            pairs = rng.sample(nearest, len(nearest))
        return pairs
    others = partners(kind, group, groups)
    if not others:
        return []
    pairs = list(product(group.texts, rng.choice(others).texts))
    rng.shuffle(pairs)
    # Easy negatives stay as drawn; the hard kinds take the nearest look-alikes.
    if kind in ("slot", "intent"):
        pairs.sort(key=lambda pair: -overlap(*pair))
        pairs = rng.sample(pairs[:4], min(4, len(pairs)))
    return pairs


def draw_rows(
    groups: Sequence[Group], others: Sequence[Group], size: int, rng: Random
) -> list[Row]:
    """Draw `size` rows, every kind in its share, spread evenly over the groups.

    The first text of a pair comes from `groups`, its negative partner from `others`.
    """
    rows: list[Row] = []
    used_pairs: set[frozenset[str]] = set()
    uses: Counter[str] = Counter()

    def take(kind: str, group: Group) -> bool:
        for pair in candidates(kind, group, others, rng):
            key = frozenset(pair)
            if key in used_pairs or any(uses[text] >= MAX_USES_OF_A_TEXT for text in pair):
                continue
            used_pairs.add(key)
            uses.update(pair)
            first, second = pair if rng.random() < 0.5 else reversed(pair)
            rows.append(Row(first, second, int(kind == "positive")))
            return True
        return False

    for kind, share in SHARES.items():
        quota, drawn = size * share // sum(SHARES.values()), 0
        for group in cycle_shuffled(groups, rng):
            drawn += take(kind, group)
            if drawn == quota:
                break
    rng.shuffle(rows)
    return rows


def cycle_shuffled(groups: Sequence[Group], rng: Random) -> Iterator[Group]:
    """Yield all groups in random order, over and over, for a bounded number of rounds."""
    for _ in range(20):
        yield from rng.sample(groups, len(groups))
    raise ValueError("a quota asks for more pairs than the test groups hold")


def interleave(parts: dict[str, list[Row]]) -> list[Row]:
    """Lay the parts out in the repeating row pattern."""
    streams = {part: iter(rows) for part, rows in parts.items()}
    rounds = sum(len(rows) for rows in parts.values()) // len(ROW_PATTERN)
    return [next(streams[part]) for _ in range(rounds) for part in ROW_PATTERN]


def check(train: Sequence[Group], held_out: Sequence[Group], rows: Sequence[Row]) -> None:
    """Fail on anything that would make the figures meaningless."""

    def bare(text: str) -> str:
        return re.sub(r"[\W_]+", "", text)

    texts = [text for group in [*train, *held_out] for text in group.texts]
    assert len({bare(text) for text in texts}) == len(texts), "a text occurs twice"
    assert all(4 <= len(group.texts) <= 9 for group in train), "group size"
    seen = {bare(text) for group in train for text in group.texts}
    for row in rows:
        assert row.first != row.second
        assert "\t" not in row.first + row.second
        assert not {bare(row.first), bare(row.second)} & seen, f"test text in training: {row}"
    by_text = {text: group for group in held_out for text in group.texts}
    for row in rows:
        assert row.label == int(by_text[row.first] == by_text[row.second]), row


def main() -> None:
    """Generate the files and print their counts."""
    families = load_families(HERE / "intents.toml")
    train, dev, test = build_groups(families)
    # Held-out intents may also be paired with the held-out values of trained intents, their
    # neighbours; every such row still holds an unseen intent.
    others = {"slots": test["slots"], "intents": test["slots"] + test["intents"]}
    rows = interleave(
        {
            part: draw_rows(test[part], others[part], size, Random(f"{SEED}/rows/{part}"))
            for part, size in PART_SIZES.items()
        }
    )
    dev_rows = draw_rows(dev, dev, DEV_SIZE, Random(f"{SEED}/rows/dev"))
    check(train, [*dev, *test["slots"], *test["intents"]], [*dev_rows, *rows])

    data = {str(i): list(group.texts) for i, group in enumerate(train)}
    # Bytes, not text mode: the files must not depend on the platform's line ends.
    payload = json.dumps(data, ensure_ascii=False, indent=1) + "\n"
    (HERE / "df_train.json").write_bytes(payload.encode("utf-8"))
    for name, labelled in (("df_dev.txt", dev_rows), ("df_test.txt", rows)):
        lines = "".join(row.line() + "\n" for row in labelled)
        (HERE / name).write_bytes(lines.encode("utf-8"))

    texts = [text for group in train for text in group.texts]
    known = set("".join(texts))
    whole = sorted({f"{group.family}.{group.intent}" for group in test["intents"]})
    print(f"training: {len(train)} groups, {len(texts)} texts, {len(known)} characters")
    print(f"intents: {len({(g.family, g.intent) for g in train})} trained")
    for part, groups in test.items():
        chars = "".join(text for group in groups for text in group.texts)
        unseen = sum(char not in known for char in chars) / len(chars)
        intents = len({(group.family, group.intent) for group in groups})
        print(f"test {part}: {len(groups)} groups of {intents} intents, {unseen:.1%} unseen chars")
    print(f"development: {len(dev)} groups, {len(dev_rows)} pairs")
    print(f"test: {len(rows)} pairs, {sum(row.label for row in rows)} positive")
    print(f"held-out intents: {', '.join(whole)}")


if __name__ == "__main__":
    main()
