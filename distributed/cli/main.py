"""The command line: `siamese`, and `python -m distributed`.

What is heavy is imported inside the commands, so that `--help` and wrong arguments answer at once.
"""

import shutil

import typer

from distributed.cli import (
    audit_commands,
    data_commands,
    duplicates_commands,
    encoding_commands,
    export_commands,
    job_commands,
    model_commands,
    search_commands,
    serving_commands,
    teaching_commands,
    training_commands,
)
from distributed.cli.ending import ending_in_words, prepare_process
from distributed.cli.options import example
from siamese.progress import NARROW

app = typer.Typer(
    help="Train, judge and use Siamese sentence encoders.",
    epilog=example(
        "siamese shard groups.json --output data",
        "siamese train --data data --dev dev.tsv --run run --workers 2",
        "siamese evaluate run/best test.tsv",
    ),
    no_args_is_help=True,
    # In few columns, the tables of rich leave `--recipe` as `--reci…`.
    rich_markup_mode="rich" if shutil.get_terminal_size().columns >= NARROW else None,
    pretty_exceptions_enable=False,
    add_completion=False,
)

for command, line in (
    (data_commands.shard, "siamese shard groups.json pairs.tsv --output data"),
    (
        training_commands.train,
        "siamese train --data data --dev dev.tsv --run run --recipe fast --set training.epochs=20",
    ),
    (
        training_commands.tune,
        "siamese tune --data data --dev dev.tsv --run sweep --trials 20 --test test.tsv",
    ),
    (
        teaching_commands.teach,
        "siamese teach texts.txt --teacher sentence-transformers:BAAI/bge-base-zh-v1.5 "
        "--output teacher",
    ),
    (
        audit_commands.audit,
        "siamese audit data --report audit --output cleaned --dev dev.tsv --workers 2",
    ),
    (data_commands.vectors, "siamese vectors groups.json --output vectors.txt --dim 100"),
    (model_commands.evaluate, "siamese evaluate run/best test.tsv --json test.json"),
    (model_commands.similarity, "siamese similarity run/best 怎么退票 如何退票"),
    (
        encoding_commands.encode,
        "siamese encode run/best texts.txt --output embeddings --workers 2",
    ),
    (model_commands.explain, "siamese explain run/best 怎么退票 如何退票"),
    (
        duplicates_commands.dedup,
        "siamese dedup faq.csv --model run/best --output kept.csv --report gone.csv",
    ),
    (
        duplicates_commands.mine,
        "siamese mine texts.txt --model run/best --pairs pairs.tsv --groups groups.jsonl",
    ),
    (
        search_commands.index,
        "siamese index faq.csv --model run/best --output faq-index",
    ),
    (search_commands.search, "siamese search faq-index 怎么退票 -k 3"),
    (export_commands.export, "siamese export run/best --to onnx model --int8 --pairs test.tsv"),
    (model_commands.negatives, "siamese negatives run/best data --output data-2"),
    (model_commands.report, "siamese report run"),
    (serving_commands.serve, "siamese serve run/best --index faq-index --port 8000"),
):
    app.command(epilog=example(line))(ending_in_words(command))

# What follows the command's name is that command's own, whatever it looks like.
app.command(
    context_settings={"allow_interspersed_args": False},
    epilog=example(
        "siamese submit --address http://head:8265 -- train --data s3://b/data --dev dev.tsv "
        "--run s3://b/run --workers 4"
    ),
)(ending_in_words(job_commands.submit))


def main() -> None:
    """Run the command line."""
    prepare_process()
    app()


if __name__ == "__main__":
    main()
