"""What a run trains on, whatever it was read from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from siamese.config.recipe import Sampling
from siamese.data.group import Group
from siamese.data.sampling import Sizes, steps_per_epoch


@dataclass(frozen=True)
class TrainingData:
    """Groups, and what is known about their texts.

    Attributes:
        groups: groups of two different texts or more, then those of one text and its negatives.
        lone: the number of the latter.
        row_groups: the number of groups in each part that is read at once, in order.
        sizes: of the groups.
        characters: how often each character occurs in the texts that were read.
        negatives: hard negatives of all groups.
        texts_read: texts read, those that were later folded or dropped included.
        hash: changes when the data do.
    """

    groups: Sequence[Group]
    lone: int
    row_groups: Sequence[int]
    sizes: Sizes
    characters: Mapping[str, int]
    negatives: int
    texts_read: int
    hash: str

    def steps_per_epoch(self, sampling: Sampling) -> int:
        """The number of batches in an epoch.

        Raises:
            UserError: there are fewer groups than a batch has.
        """
        groups = len(self.groups) - self.lone
        if sampling.method == "by_size" and groups >= sampling.batch_groups:
            groups = sum(self.sizes.pairs())
        return steps_per_epoch(sampling, groups, self.texts_read)
