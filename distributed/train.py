"""`siamese train`: a data set, development pairs and a recipe -> a run folder."""

import hashlib
from pathlib import Path
from typing import Any

from distributed.shards import read_shards
from siamese.pairs import Pair, read_pairs
from siamese.recipe import Recipe
from siamese.run_folder import Existing, RunFolder
from siamese.training_data import prepare
from siamese.vocabulary import count_cut


def train(
    data: Path,
    dev: str,
    run: Path,
    recipe: Recipe,
    existing: Existing = "refuse",
) -> RunFolder:
    """Train in this process; everything is checked before the run folder is touched.

    Args:
        data: a data set that `siamese shard` wrote.
        dev: development pairs, in any format of `siamese.pairs`.
        run: the run folder.
        recipe: every setting.
        existing: what to do with a run folder that is there.

    Raises:
        UserError: the data, the pairs, the recipe or the run folder cannot be used.
    """
    folder = RunFolder(run)
    folder.check(existing)
    groups, manifest = read_shards(data)
    pairs = read_pairs([dev])
    summary = _summary(manifest, pairs, recipe, groups.hash)
    if existing == "resume":
        folder.check_same(recipe, summary)

    print(
        f"{summary['groups']:,} groups, {summary['texts']:,} texts; {len(pairs):,} development "
        f"pairs, {summary['dev_positives']:,} positive"
    )
    if summary["texts_cut"] or summary["dev_texts_cut"]:
        print(
            f"{summary['texts_cut']:,} texts and {summary['dev_texts_cut']:,} of the development "
            f"pairs longer than {recipe.text.max_length} characters are cut"
        )
    prepared = prepare(recipe, groups, pairs)
    if prepared.coverage:
        print(prepared.coverage)
    # TensorFlow takes seconds to import: only once everything else is known to be good.
    from siamese.context import LocalContext
    from siamese.training import fit

    if existing != "resume":
        folder.start(recipe, summary, fresh=existing == "fresh")
    fit(LocalContext(folder), recipe, groups, pairs, prepared)
    return folder


def _summary(
    manifest: dict[str, Any], pairs: list[Pair], recipe: Recipe, data_hash: str
) -> dict[str, Any]:
    """The counts of the data, and a hash that changes when the groups or the pairs do."""
    digest = hashlib.sha256(data_hash.encode())
    for pair in pairs:
        digest.update(f"{pair.text1}\t{pair.text2}\t{pair.label}\n".encode())
    cut = sum(
        count
        for length, count in manifest["texts_by_length"].items()
        if int(length) > recipe.text.max_length
    )
    return {
        **manifest["counts"],
        "texts_cut": cut,
        "dev_texts_cut": count_cut(
            {text for pair in pairs for text in (pair.text1, pair.text2)}, recipe.text.max_length
        ),
        "dev_pairs": len(pairs),
        "dev_positives": sum(pair.label for pair in pairs),
        "hash": digest.hexdigest(),
    }
