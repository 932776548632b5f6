"""`siamese shard`: any accepted input -> a data set of Parquet shards."""

from collections import Counter
from pathlib import Path
from typing import Any

from distributed.shards import MANIFEST, write_shards
from siamese.errors import UserError
from siamese.files import read_json, replacing_folder
from siamese.groups import ReadingCounts, read_groups


def shard(
    inputs: list[str],
    output: Path,
    rows_per_shard: int = 65536,
    seed: int = 1,
    fresh: bool = False,
) -> dict[str, Any]:
    """Read all inputs and write a data set; nothing is left behind when reading fails.

    Args:
        inputs: files, globs, folders or URIs, in any format of `siamese.groups`.
        output: the data set's folder; must not exist unless `fresh`.
        rows_per_shard: groups in a shard, at most.
        seed: of the order in which groups are dealt to shards.
        fresh: replace a data set that is there.

    Returns:
        The manifest.

    Raises:
        UserError: an input cannot be used, or `output` is in the way.
    """
    _check_output(output, fresh)
    counts = ReadingCounts()
    groups = list(read_groups(inputs, counts))
    if not groups:
        raise UserError(
            f"{', '.join(inputs)}: no group has two different texts ({counts.groups_read:,} groups "
            "read), so there is nothing to train on."
        )
    repeated = [name for name, n in Counter(group.id for group in groups).items() if n > 1]
    if repeated:
        raise UserError(
            f"{', '.join(inputs)}: group {repeated[0]!r} occurs more than once"
            + (f", as do {len(repeated) - 1:,} others" if len(repeated) > 1 else "")
            + ". Merge the groups of one id, or give each an id of its own."
        )
    with replacing_folder(output) as beside:
        return write_shards(
            beside, groups, counts.characters, counts.as_dict(), rows_per_shard, seed
        )


def _check_output(output: Path, fresh: bool) -> None:
    if output.is_file():
        raise UserError(f"{output}: is a file. Choose another --output folder.")
    if not output.is_dir() or not any(output.iterdir()):
        return
    # Of any version, so that an older data set can be replaced; but not some other program's.
    manifest = read_json(output / MANIFEST) if (output / MANIFEST).is_file() else None
    if not isinstance(manifest, dict) or not {"schema_version", "files"} <= manifest.keys():
        raise UserError(f"{output}: exists and is not a data set. Choose another --output folder.")
    if not fresh:
        raise UserError(
            f"{output}: a data set is there already. Replace it with --fresh, or choose another "
            "--output folder."
        )
