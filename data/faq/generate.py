"""Write the files of the FAQ demo beside this one, from what is in `source/`.

The data is synthetic and was written for this project; nothing in it comes from a corpus or from
users. `source/DOMAIN.toml` holds the entries of a domain, each a question with its answer and
three lists of phrasings, all written by hand and apart from one another:

* `train`: phrasings to train on; "[a|b]" stands for words that may replace one another;
* `dev`: phrasings of the development pairs, which pick the epoch and the threshold;
* `query`: what customers type, some of it colloquial and with typos; for the test alone.

What a training phrasing gives that is also a development phrasing or a query is left out.

`source/off_topic_dev.txt` holds questions that no entry answers, for the development pairs;
`off_topic.txt`, those of the test, is written by hand where it lies.

Run `python data/faq/generate.py`; the same files come out byte for byte each time.
"""

import csv
import io
import json
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from random import Random

HERE = Path(__file__).resolve().parent
SOURCE = HERE / "source"
SEED = "siamese-faq-1"

RENDERINGS = 3
PREFIX_SHARE = 0.2
ENDING_SHARE = 0.3
# A dev text meets this many questions of other entries, those most like it in characters.
LOOK_ALIKES = 2
LOOK_ALIKES_OF_OFF_TOPIC = 3

ASKING = re.compile("怎么|如何|吗|多少|几|哪|什么|能不能|可以|多久|为什么|怎样|有没有|谁")
POLITE = ("请", "麻烦", "帮", "你", "您")
ALTERNATIVES = re.compile(r"\[([^]]+)]")


@dataclass(frozen=True)
class Entry:
    """A question, its answer, and other ways to ask it."""

    id: str
    domain: str
    question: str
    answer: str
    train: tuple[str, ...]
    dev: tuple[str, ...]
    query: tuple[str, ...]


def load_entries() -> list[Entry]:
    """Read the tables, domain by domain."""
    entries = []
    for path in sorted(SOURCE.glob("*.toml")):
        domain = path.stem
        for name, table in tomllib.loads(path.read_text(encoding="utf-8")).items():
            lists = {key: tuple(table[key].splitlines()) for key in ("train", "dev", "query")}
            number = f"{domain}-{name.replace('_', '-')}"
            entries.append(Entry(number, domain, table["question"], table["answer"], **lists))
    return entries


def read_lines(path: Path) -> list[str]:
    """Return the lines of a text file."""
    return path.read_text(encoding="utf-8").splitlines()


def fill(template: str) -> list[str]:
    """Return the template with each choice of its alternatives."""
    pieces = ALTERNATIVES.split(template)
    # Every second piece is what was in brackets.
    choices = [piece.split("|") if i % 2 else [piece] for i, piece in enumerate(pieces)]
    return ["".join(chosen) for chosen in product(*choices)]


def decorate(text: str, rng: Random) -> str:
    """Put a greeting before some texts and a mark after some, as people do."""
    asks = ASKING.search(text) is not None
    if rng.random() < ENDING_SHARE:
        text += rng.choice("？?") if asks else "。"
    if rng.random() < PREFIX_SHARE and not text.startswith(POLITE):
        text = rng.choice(("请问", "你好，", "问一下，") if asks else ("你好，",)) + text
    return text


def training_texts(entry: Entry) -> list[str]:
    """Return the question and what the training phrasings give."""
    # Seeded per entry, so that an edit of one leaves the texts of all others alone.
    rng = Random(f"{SEED}/{entry.id}")
    held_out = {bare(text) for text in (*entry.dev, *entry.query)}
    texts = [entry.question]
    for template in entry.train:
        ways = [way for way in fill(template) if bare(way) not in held_out]
        for text in rng.sample(ways, min(RENDERINGS, len(ways))):
            texts.append(decorate(text, rng))
    return list(dict.fromkeys(texts))


def bare(text: str) -> str:
    """Return the text without punctuation."""
    return re.sub(r"[\W_]+", "", text)


def overlap(first: str, second: str) -> float:
    """Return the Jaccard overlap of the two texts' characters."""
    a, b = set(bare(first)), set(bare(second))
    return len(a & b) / len(a | b)


def look_alikes(text: str, entries: Sequence[Entry], count: int) -> list[Entry]:
    """Return the entries whose questions share the most characters with the text."""
    return sorted(entries, key=lambda entry: (-overlap(text, entry.question), entry.id))[:count]


def dev_rows(entries: Sequence[Entry], off_topic: Sequence[str]) -> Iterator[tuple[str, str, int]]:
    """Yield pairs of a text that is not trained on, the question of an entry, and the label."""
    for entry in entries:
        near = [other for other in entries if other is not entry and other.domain == entry.domain]
        for text in entry.dev:
            yield text, entry.question, 1
            for other in look_alikes(text, near, LOOK_ALIKES):
                yield text, other.question, 0
    for text in off_topic:
        for other in look_alikes(text, entries, LOOK_ALIKES_OF_OFF_TOPIC):
            yield text, other.question, 0


def check(entries: Sequence[Entry], off_topic_dev: Sequence[str], off_topic: Sequence[str]) -> None:
    """Fail on anything that would make the figures meaningless."""
    owners: dict[str, str] = {}
    sets = [(f"{entry.id} train", training_texts(entry)) for entry in entries]
    sets += [(f"{entry.id} dev", list(entry.dev)) for entry in entries]
    sets += [(f"{entry.id} query", list(entry.query)) for entry in entries]
    sets += [("off-topic dev", list(off_topic_dev)), ("off-topic", list(off_topic))]
    for owner, texts in sets:
        for text in texts:
            assert "\t" not in text and text == text.strip() and text, f"{owner}: {text!r}"
            other = owners.setdefault(bare(text), owner)
            assert other == owner, f"{text} is in {other} and in {owner}"


def write(name: str, text: str) -> None:
    """Write a file; bytes, not text mode: it must not depend on the platform's line ends."""
    (HERE / name).write_bytes(text.encode("utf-8"))


def main() -> None:
    """Generate the files and print their counts."""
    entries = load_entries()
    off_topic_dev = read_lines(SOURCE / "off_topic_dev.txt")
    off_topic = read_lines(HERE / "off_topic.txt")
    check(entries, off_topic_dev, off_topic)

    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(("id", "question", "answer", "domain"))
    writer.writerows((entry.id, entry.question, entry.answer, entry.domain) for entry in entries)
    write("faq.csv", table.getvalue())

    groups = {entry.id: training_texts(entry) for entry in entries}
    write("paraphrases.json", json.dumps(groups, ensure_ascii=False, indent=1) + "\n")

    rows = list(dev_rows(entries, off_topic_dev))
    Random(f"{SEED}/dev").shuffle(rows)
    write("dev.txt", "".join(f"{first}\t{second}\t{label}\n" for first, second, label in rows))

    queries = [(query, entry.id) for entry in entries for query in entry.query]
    lines = ("query\tid", *("\t".join(row) for row in queries))
    write("queries.tsv", "".join(f"{line}\n" for line in lines))

    domains = {entry.domain for entry in entries}
    print(f"{len(entries)} entries of {len(domains)} domains")
    print(f"training: {sum(map(len, groups.values()))} texts in {len(groups)} groups")
    print(f"development: {len(rows)} pairs, {sum(label for *_, label in rows)} positive")
    print(f"test: {len(queries)} queries, {len(off_topic)} off-topic texts")


if __name__ == "__main__":
    main()
