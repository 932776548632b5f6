"""The commands that prepare data. As in `main.py`, what is heavy is imported inside them."""

from typing import Annotated

import typer

from distributed.cli.options import RESULTS, WHAT, Encoding, Inputs, Seed
from siamese.config.parts import part_names


def shard(
    inputs: Inputs,
    output: Annotated[
        str, typer.Option(help="the data set's folder, local or a URI", rich_help_panel=RESULTS)
    ],
    rows_per_shard: Annotated[
        int, typer.Option(help="groups in a shard, at most", min=1, rich_help_panel=WHAT)
    ] = 65536,
    seed: Annotated[
        int,
        typer.Option(help="of the order of the groups", min=0, max=2**32 - 1, rich_help_panel=WHAT),
    ] = 1,
    fresh: Annotated[
        bool,
        typer.Option("--fresh", help="replace a data set that is there", rich_help_panel=RESULTS),
    ] = False,
    format: Annotated[
        str | None,
        typer.Option(
            help=f"of all inputs: {', '.join(part_names('format'))}; else their suffixes say it",
            rich_help_panel=WHAT,
        ),
    ] = None,
    encoding: Encoding = None,
) -> None:
    """Turn groups of paraphrases or labelled pairs into a data set of Parquet shards."""
    from distributed.sharding.shard import shard as start

    manifest = start(inputs, output, rows_per_shard, seed, fresh, format, encoding)
    counts = manifest["counts"]
    print(
        f"{counts['groups']:,} groups, {counts['texts']:,} texts, {counts['negatives']:,} hard "
        f"negatives, {counts['characters']:,} different characters in {len(manifest['files'])} "
        f"shards: {output}"
    )
    for key, what in (
        ("groups_of_one_text_dropped", "groups of one text dropped"),
        ("duplicate_texts_folded", "duplicate texts within a group folded"),
        ("contradicting_negatives_dropped", "negative pairs inside a group dropped"),
        (
            "contradicting_labels",
            "pairs labelled differently, kept with their mean grade",
        ),
        ("groups_of_one_text_kept", "of the groups are one text, kept for its negatives"),
        ("groups_of_one_text_kept_for_pairs", "of the groups are one text, kept for its pairs"),
    ):
        if counts[key]:
            print(f"  {counts[key]:,} {what}")


def vectors(
    inputs: Inputs,
    output: Annotated[
        str,
        typer.Option(
            help="a file in word2vec's text format, a path or URI", rich_help_panel=RESULTS
        ),
    ],
    dim: Annotated[
        int, typer.Option(help="numbers in a vector", min=1, rich_help_panel=WHAT)
    ] = 300,
    epochs: Annotated[
        int, typer.Option(help="passes over the texts", min=1, rich_help_panel=WHAT)
    ] = 5,
    min_count: Annotated[
        int,
        typer.Option(help="rarer characters get no vector", min=1, rich_help_panel=WHAT),
    ] = 1,
    seed: Seed = 1,
    encoding: Encoding = None,
) -> None:
    """Train character vectors (word2vec) on the texts of any inputs."""
    from siamese.data.reading import Texts
    from siamese.storage.output import check_output, saving
    from siamese.text.word2vec import train_vectors
    from siamese.text.word2vec_file import save_vectors

    check_output(output, inputs)
    texts = Texts(inputs, encoding=encoding)
    trained = train_vectors(texts, dim, seed, epochs, min_count)
    with saving(output) as beside:
        save_vectors(beside, trained)
    print(f"{len(trained):,} characters, {dim} numbers each: {output}")
