"""A data set, written anew with hard negatives that a model finds."""

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from siamese.data.cleaning import ReadingCounts
from siamese.data.group import Group
from siamese.data.reading import read_groups, read_texts
from siamese.data.shard_output import check_output
from siamese.data.sharding import ROWS_PER_SHARD, write_data_set
from siamese.data.shards import FIRST_SHARD, MANIFEST, read_shards
from siamese.data.splitting import GroupsInMemory
from siamese.encoder.model_folder import MANIFEST as MODEL_MANIFEST
from siamese.encoder.model_folder import check_model_folder, local_model
from siamese.encoder.sentence_encoder import SentenceEncoder
from siamese.errors import UserError
from siamese.mining.mine import Mined, lacks_negatives, mine
from siamese.storage.atomic import sha256_of
from siamese.storage.filesystem import path_of
from siamese.storage.folder import Folder
from siamese.text.notes import notes_on

# Of the order of groups, where no data set has one.
SEED = 1
# A share of all texts: refused so many, a user is warned.
MANY = 0.05


def mine_data_set(
    model: str | Path,
    data: str,
    output: str,
    texts: Sequence[str] = (),
    per_group: int = 1,
    margin: float = 0.95,
    fresh: bool = False,
    encoding: str | None = None,
) -> tuple[Mined, list[str]]:
    """Write a data set anew with negatives that a model finds near its groups: see `mine`.

    Labelled negatives and pairs are kept, as are the groups' ids and their order. The same model,
    inputs and options give the same bytes.

    Args:
        model: the model folder, a path or URI.
        data: a data set, or a file, glob, folder or URI of groups or labelled pairs.
        output: the folder of the new data set, local or a URI.
        texts: files, globs, folders or URIs of further texts that negatives may be.
        per_group: negatives that each group shall have, labelled ones counted.
        margin: as in `limits`.
        fresh: replace a data set that is there.
        encoding: of all text files; None: the beginning of each says it.

    Returns:
        What was found, and lines that a user should know of.

    Raises:
        UserError: the model or an input cannot be used, `output` is in the way, or nothing was
            found.
    """
    if not (math.isfinite(margin) and margin >= 0):
        raise UserError(f"--margin {margin}: give a number from 0, such as 0.95.")
    check_output(output, fresh)
    _check_other(output, data)
    groups, rows_per_shard, seed = _read(data, encoding)
    if not any(lacks_negatives(group, per_group) for group in groups):
        raise UserError(
            f"{data}: every group of two texts or more has {per_group:,} negatives or more already."
            " Ask for more with --per-group."
        )
    with local_model(model) as folder:
        check_model_folder(folder)
        encoder = SentenceEncoder.load(folder)
        model_hash = sha256_of(folder / MODEL_MANIFEST)
    mined = mine(
        groups,
        partial(encoder.encode, show_progress_bar=True),
        encoder.recipe.evaluation.similarity,
        read_texts(list(texts), encoding=encoding) if texts else (),
        per_group,
        margin,
    )
    if not mined.negatives:
        raise UserError(
            f"{data}: no group gets a negative: every other text is nearer than --margin "
            f"{margin:g} allows, or may mean the same. Train the model longer, or give --texts."
        )
    write_data_set(
        [GroupsInMemory(data, mined.groups)],
        data,
        output,
        rows_per_shard,
        seed,
        fresh,
        options={"mined": {"model": model_hash, "margin": margin, "per_group": per_group}},
    )
    notes = notes_on(mined.texts, encoder.vocabulary, encoder.recipe.text.max_length)
    if mined.refused > MANY * mined.asked * mined.searched:
        notes.append(
            f"of {mined.searched:,} texts {mined.refused / mined.asked:,.0f} are as near to a "
            "group as its own texts, on average: the model tells few apart; train it longer, then "
            "mine"
        )
    return mined, notes


def _check_other(output: str, data: str) -> None:
    """Refuse to replace what is read: it alone tells what was labelled from what was mined."""
    written, read = path_of(output), path_of(data)
    if written and read:
        same = written.resolve() == read.resolve()
    else:
        same = output.rstrip("/") == data.rstrip("/")
    if same:
        raise UserError(f"{output}: is the input too. Choose another --output folder.")


def _read(data: str, encoding: str | None) -> tuple[list[Group], int, int]:
    """Read all groups; and the rows of a shard and the seed that a data set was written with."""
    # Shards without a manifest are no input: `read_shards` says that it is missing.
    if not {MANIFEST, FIRST_SHARD} & set(Folder(data).names()):
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
    rows_per_shard: Any = options.get("rows_per_shard")
    seed: Any = options.get("seed")
    return (
        list(stored.groups),
        rows_per_shard if type(rows_per_shard) is int and rows_per_shard > 0 else ROWS_PER_SHARD,
        seed if type(seed) is int and 0 <= seed < 2**32 else SEED,
    )
