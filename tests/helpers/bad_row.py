"""A row of the table of bad inputs."""

from dataclasses import dataclass, field

from bad_place import Damage


def nothing(place: object) -> None:
    """Leave the place as it is."""


@dataclass(frozen=True)
class Row:
    """A bad input.

    Attributes:
        name: of the row.
        arguments: of `siamese`.
        message: what standard error must hold: the file, the line, the key, what is wrong.
        damage: prepares the place.
        environment: variables to set.
        exit: the exit code.
    """

    name: str
    arguments: list[str]
    message: tuple[str, ...]
    damage: Damage = nothing
    environment: dict[str, str] = field(default_factory=dict)
    exit: int = 2


TRAIN = ["train", "--data", "data", "--dev", "dev.tsv", "--run", "new"]
# Vectors are trained on all texts, so that what is wrong with one shows before the run is begun.
TRAIN += ["--set", "encoder.vectors=train", "--set", "sampling.method=pairs", "--recipe", "fast"]
SMALL = ["--set", "sampling.batch_groups=4"]
TUNE = ["tune", "--data", "data", "--dev", "dev.tsv", "--run", "new", "--recipe", "fast", *SMALL]
