"""The commands that build, change and search an index. What is heavy is imported inside them."""

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from distributed.cli.options import RESULTS, WHAT, Encoding
from siamese.errors import UserError

if TYPE_CHECKING:
    from siamese.search.entry import Entry
    from siamese.search.index import Hit, Index

# Questions of a file that are searched for at a time.
QUESTIONS_AT_ONCE = 512

Column = Annotated[
    str | None,
    typer.Option(
        help="of a table: the column that holds the texts; else `text`, `question` or the like",
        rich_help_panel=WHAT,
    ),
]
IndexModel = Annotated[
    str | None,
    typer.Option(
        "--model",
        help="a model folder or its URI; of an index that is there, only if it was moved",
        rich_help_panel=WHAT,
    ),
]


def index(
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT",
            help="texts, or questions with answers: files, globs, folders or URIs; with --remove, "
            "ids",
        ),
    ],
    model: IndexModel = None,
    output: Annotated[
        str | None,
        typer.Option(help="build an index in this folder, local or a URI", rich_help_panel=RESULTS),
    ] = None,
    add: Annotated[
        str | None, typer.Option(help="add to the index in this folder", rich_help_panel=RESULTS)
    ] = None,
    replace: Annotated[
        str | None,
        typer.Option(
            help="replace the entries of the same ids in the index in this folder",
            rich_help_panel=RESULTS,
        ),
    ] = None,
    remove: Annotated[
        str | None,
        typer.Option(
            help="remove the entries of these ids from the index in this folder",
            rich_help_panel=RESULTS,
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(help="hits are above it; else the model's own", rich_help_panel=WHAT),
    ] = None,
    column: Column = None,
    fresh: Annotated[
        bool,
        typer.Option("--fresh", help="replace an index that is there", rich_help_panel=RESULTS),
    ] = False,
    encoding: Encoding = None,
) -> None:
    """Build an index of texts, add to it, replace or remove entries."""
    places = {"--output": output, "--add": add, "--replace": replace, "--remove": remove}
    given = {option: place for option, place in places.items() if place is not None}
    if len(given) != 1:
        raise UserError(
            "give one of --output DIR, which builds an index, and --add DIR, --replace DIR and "
            "--remove DIR, which change one."
        )
    [(option, place)] = given.items()
    if option != "--output" and (threshold is not None or fresh):
        raise UserError(f"--threshold and --fresh are for --output, and not for {option}.")
    if option == "--output" and model is None:
        raise UserError("--output builds an index: say with which model, by --model RUN/best.")
    if option == "--remove" and (column, encoding) != (None, None):
        raise UserError("--remove takes ids: --column and --encoding have no effect with it.")

    from siamese.search.entry import read_entries
    from siamese.search.index import Index

    texts: list[str] = []
    if option == "--output":
        entries = _keeping(read_entries(what, column, encoding), texts)
        made = Index.build(entries, str(model), place, threshold, fresh, show_progress_bar=True)
        print(f"{len(made):,} texts, threshold {made.threshold:.4f}: {place}")
    elif option == "--remove":
        made = Index.open(place, model)
        print(f"{made.remove(what):,} removed, {len(made):,} texts now: {place}")
    else:
        made = Index.open(place, model)
        entries = _keeping(read_entries(what, column, encoding), texts)
        change, done = (made.add, "added") if option == "--add" else (made.replace, "replaced")
        count = change(entries, show_progress_bar=True)
        print(f"{count:,} {done}, {len(made):,} texts now: {place}")
    _print_notes(texts, made)


def search(
    index: Annotated[str, typer.Argument(metavar="DIR", help="an index's folder or its URI")],
    questions: Annotated[
        list[str] | None, typer.Argument(metavar="QUESTION", help="one or several")
    ] = None,
    file: Annotated[
        str | None,
        typer.Option(
            "--questions",
            help="a file, glob, folder or URI of questions, in any accepted format",
            rich_help_panel=WHAT,
        ),
    ] = None,
    k: Annotated[
        int | None,
        typer.Option(
            "-k", help="texts to find for each question, at most; else 5", rich_help_panel=WHAT
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(help="find only what is above it; else the index's own", rich_help_panel=WHAT),
    ] = None,
    model: IndexModel = None,
    column: Column = None,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="an object a line for each question", rich_help_panel=RESULTS),
    ] = False,
    encoding: Encoding = None,
) -> None:
    """Find the texts of an index that are most similar to a question."""
    if bool(questions) == (file is not None):
        raise UserError("give questions, or a file of them with --questions, and not both.")
    if file is None and (column, encoding) != (None, None):
        raise UserError("--column and --encoding are for --questions and have no effect alone.")
    from siamese.progress import progress
    from siamese.search.arguments import checked_threshold
    from siamese.search.entry import read_questions
    from siamese.search.index import Index

    opened = Index.open(index, model)
    asked = questions or read_questions([str(file)], column, encoding)
    least = opened.threshold if threshold is None else checked_threshold(threshold)
    with progress("searching", len(asked), "questions", show=file is not None) as advance:
        for start in range(0, len(asked), QUESTIONS_AT_ONCE):
            part = asked[start : start + QUESTIONS_AT_ONCE]
            # All of them, so that what is refused can be told.
            found = opened.search_many(part, k, threshold=float("-inf"))
            for question, hits in zip(part, found, strict=True):
                if as_json:
                    _print_json(question, hits, least)
                else:
                    _print_hits(question if len(asked) > 1 else "", hits, least)
            advance(len(part))
    if not as_json:
        _print_notes(asked, opened)


def _keeping(entries: "Iterable[Entry]", texts: list[str]) -> "Iterator[Entry]":
    for entry in entries:
        texts.append(entry.text)
        yield entry


def _print_notes(texts: list[str], index: "Index") -> None:
    from siamese.text.notes import notes_on

    encoder = index.encoder
    for note in notes_on(texts, encoder.vocabulary, encoder.recipe.text.max_length):
        print(note)


def _print_json(question: str, hits: "list[Hit]", threshold: float) -> None:
    above = [hit._asdict() for hit in hits if hit.score > threshold]
    answer = {"question": question, "threshold": threshold, "hits": above}
    print(json.dumps(answer, ensure_ascii=False))


def _print_hits(question: str, hits: "list[Hit]", threshold: float) -> None:
    if question:
        print(f"{question}")
    for hit in hits:
        if hit.score > threshold:
            print(f"  {hit.score:.4f}  {hit.id}  {_in_a_line(hit.text)}")
            for name, value in hit.fields.items():
                written = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
                print(f"          {name}: {_in_a_line(written)}")
    if not any(hit.score > threshold for hit in hits):
        nearest = (
            f"; the nearest is {hits[0].score:.4f}  {_in_a_line(hits[0].text)}" if hits else ""
        )
        print(f"  no answer: nothing is above the threshold {threshold:.4f}{nearest}")


def _in_a_line(text: str) -> str:
    return " ".join(text.split())
