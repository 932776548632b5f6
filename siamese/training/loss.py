"""What a loss is: what it is given, what it returns, and how a recipe chooses it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from siamese.config import recipe
from siamese.config.parts import load_part
from siamese.config.yaml_files import nearest
from siamese.data.batching import NO_TEXT
from siamese.encoder.keras_tf import tf
from siamese.errors import UserError
from siamese.training.gather import gather_any, gather_shares, gather_together


class Loss(Protocol):
    """Computes one replica's part of the mean loss over the global batch.

    The parts of all replicas add up to the loss, and so do their gradients, whatever the number of
    replicas: `siamese.testing.check_loss` checks that. It is called in a `tf.function` without
    AutoGraph, so it must work with tensors (`tf.where`, not `if`) and keep no state. A file in
    `losses/` has a function `build(settings)`, which makes its loss from the recipe's section
    `loss`; from Python an object of a user's own does as well, which must pickle to go to workers.

    Example: every group's two texts nearer to each other than to any text of another group.
        >>> class Triplet:
        ...     def __init__(self, margin: float) -> None:
        ...         self.margin = margin
        ...
        ...     def __call__(self, inputs: LossInputs) -> tf.Tensor:
        ...         columns = inputs.columns()
        ...         near = tf.reduce_sum(inputs.first * inputs.second, axis=1)
        ...         cosines = tf.matmul(inputs.first, columns.unit, transpose_b=True)
        ...         far = tf.reduce_max(tf.where(inputs.excluded(columns), -1.0, cosines), axis=1)
        ...         return inputs.mean(tf.nn.relu(self.margin + far - near))
    """

    def __call__(self, inputs: "LossInputs") -> tf.Tensor:
        """Compute this replica's part, a scalar."""


@dataclass(frozen=True)
class Columns:
    """What rows are compared with: the rows of all replicas.

    Attributes:
        unit: embeddings of unit length, zeros where there is no text, float32 `[columns, dim]`.
        keys: a 64-bit hash of each column's text, or `NO_TEXT`, int64 `[columns]`.
        own: those of `unit` that are this replica's, not gathered: what a loss computes from them
            needs no exchange between replicas, float32 `[columns of this replica, dim]`.
        start: the column of the first of these.
    """

    unit: tf.Tensor
    keys: tf.Tensor
    own: tf.Tensor
    start: tf.Tensor


@dataclass(frozen=True)
class LabelledPairs:
    """The batch's labelled pairs, those of all replicas.

    Attributes:
        cosines: of the two texts of each, float32 `[pairs]`.
        grades: from 0 to 1, or -1 where there is no pair, float32 `[pairs]`.
        groups: the number, in the whole batch, of the group that each came with. Those of no group
            came as the second half of a group's place. int32 `[pairs]`.
    """

    cosines: tf.Tensor
    grades: tf.Tensor
    groups: tf.Tensor


@dataclass(frozen=True)
class LossInputs:
    """One replica's share of a batch: B groups, R rows, of which the first 2 B are the groups'.

    Attributes:
        embeddings: of the rows, not normalised, float32 `[R, dim]`: first one text of each group,
            then another one of each, then all others (see `siamese.data.batching.Batch`).
        column_keys: as in `Batch`, int64 `[columns of this replica]`; as many for every replica.
        own_groups: as in `Batch`, int32 `[N]`.
        own_keys: as in `Batch`, int64 `[N]`.
        pairs: as in `Batch`: the rows of the two texts of each labelled pair, the groups' positive
            pairs first, or -1, int32 `[pairs, 2]`; as many for every replica.
        grades: as in `Batch`: of these pairs, from 0 to 1, float32 `[pairs]`.
        teacher: as in `Batch`: a teacher's vector of each column's text, of unit length, or zeros,
            float32 `[columns of this replica, teacher's dim]`.
        replica: the number of this replica, from 0.
        replicas: how many there are; each has B groups.
        gather: concatenates the replicas' values along the first axis, in the order of the
            replicas; all replicas call it equally often, with one row or more. Gradients flow
            through it: each replica gets the sum of what all replicas have for its values.
        gather_shares: does the same for values of which every replica has as many, in half the
            messages. None: by `gather`.
        gathered: what `columns` and `labelled_pairs` return, once it is there; see `together`.
    """

    embeddings: tf.Tensor
    column_keys: tf.Tensor
    own_groups: tf.Tensor
    own_keys: tf.Tensor
    pairs: tf.Tensor
    grades: tf.Tensor
    teacher: tf.Tensor
    replica: tf.Tensor | int = 0
    replicas: int = 1
    gather: Callable[[tf.Tensor], tf.Tensor] = tf.identity
    gather_shares: Callable[[tf.Tensor], tf.Tensor] | None = None
    gathered: tuple[Columns, LabelledPairs] | None = None

    @property
    def groups(self) -> tf.Tensor:
        """The number of groups, B."""
        return self.own_groups[-1] + 1

    @property
    def unit(self) -> tf.Tensor:
        """The embeddings with unit length, float32 `[R, dim]`."""
        return tf.math.l2_normalize(self.embeddings, axis=1, epsilon=1e-12)

    @property
    def first(self) -> tf.Tensor:
        """One text of each group, with unit length, float32 `[B, dim]`."""
        return self.unit[: self.groups]

    @property
    def second(self) -> tf.Tensor:
        """Another text of each group, with unit length, float32 `[B, dim]`."""
        return self.unit[self.groups : 2 * self.groups]

    def columns(self) -> Columns:
        """Gather the rows of all replicas."""
        if self.gathered:
            return self.gathered[0]
        # Replicas take part in this order; what is known before the encoder has run comes first.
        [keys] = self._gather(self.column_keys)
        own = self._own_columns()
        [unit] = self._gather(own)
        return Columns(unit, keys, own, self.replica * tf.shape(own)[0])

    def labelled_pairs(self) -> LabelledPairs:
        """Gather the labelled pairs of all replicas, as numbers."""
        if self.gathered:
            return self.gathered[1]
        known = self._gather(*self._known_of_pairs())
        [cosines] = self._gather(self._cosines_of_pairs())
        return _labelled_pairs(cosines, *known)

    def together(self) -> "LossInputs":
        """Gather both in as few messages as one of them takes: those cost more than their bytes."""
        own = self._own_columns()
        keys, *known = self._gather(self.column_keys, *self._known_of_pairs())
        unit, cosines = self._gather(own, self._cosines_of_pairs())
        columns = Columns(unit, keys, own, self.replica * tf.shape(own)[0])
        return replace(self, gathered=(columns, _labelled_pairs(cosines, *known)))

    def _own_columns(self) -> tf.Tensor:
        missing = tf.shape(self.column_keys)[0] - tf.shape(self.embeddings)[0]
        return tf.pad(self.unit, [[0, missing], [0, 0]])

    def _cosines_of_pairs(self) -> tf.Tensor:
        of_both = tf.gather(self.unit, tf.maximum(self.pairs, 0))
        return tf.reduce_sum(of_both[:, 0] * of_both[:, 1], axis=1)

    def _known_of_pairs(self) -> tuple[tf.Tensor, tf.Tensor]:
        """The pairs' grades and groups, int64 (the grades' bits), to be gathered with hashes."""
        grades = tf.where(self.pairs[:, 0] >= 0, self.grades, -1.0)
        groups = self.replica * self.groups + self.pairs[:, 0] % self.groups
        return tf.cast(tf.bitcast(grades, tf.int32), tf.int64), tf.cast(groups, tf.int64)

    def _gather(self, *values: tf.Tensor) -> list[tf.Tensor]:
        if self.replicas == 1:
            return list(values)
        return gather_together(self.gather_shares or self.gather, *values)

    def excluded(self, columns: Columns) -> tf.Tensor:
        """Find the columns that are no negatives of a group, bool `[B, all columns]`.

        They hold one of the group's own texts, or no text.
        """
        return excluded_columns(
            *present_in(columns.keys, self.own_groups, self.own_keys), columns.keys, self.groups
        )

    def mean(self, values: tf.Tensor) -> tf.Tensor:
        """Compute this replica's part of the mean of all replicas' values.

        Args:
            values: as many for every replica.
        """
        return tf.reduce_sum(values) / tf.cast(tf.size(values) * self.replicas, values.dtype)


def _labelled_pairs(cosines: tf.Tensor, coded: tf.Tensor, groups: tf.Tensor) -> LabelledPairs:
    grades = tf.bitcast(tf.cast(coded, tf.int32), tf.float32)
    return LabelledPairs(cosines, grades, tf.cast(groups, tf.int32))


def replica_inputs(embeddings: tf.Tensor, *arrays: tf.Tensor) -> LossInputs:
    """Make the inputs of the replica in whose context this is called.

    Args:
        embeddings: as in `LossInputs`.
        arrays: those of `LossInputs` that follow, up to `teacher`.
    """
    replica = tf.distribute.get_replica_context()

    return replace(
        LossInputs(embeddings, *arrays),
        replica=replica.replica_id_in_sync_group,
        replicas=replica.num_replicas_in_sync,
        gather=gather_any,
        gather_shares=gather_shares,
    )


def build_loss(settings: recipe.Loss) -> Loss:
    """Build the loss that a recipe describes, with CoSENT and distillation added if it says so.

    Args:
        settings: the recipe's section.

    Raises:
        UserError: there is no such loss, or it does not know an option.
    """
    loss: Loss = load_part("loss", settings.name)(settings)
    plain = settings.model_copy(update={"options": {}})
    added: list[tuple[float, Loss]] = [
        (weight, load_part("loss", name)(plain))
        for name, weight in (("cosent", settings.ranking), ("distillation", settings.distillation))
        if weight
    ]
    if not added:
        return loss

    def all_of_them(inputs: LossInputs) -> tf.Tensor:
        inputs = inputs.together() if settings.ranking else inputs
        return tf.add_n([loss(inputs), *(weight * other(inputs) for weight, other in added)])

    return all_of_them


def read_options(settings: recipe.Loss, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Read `loss.options`, which only the loss itself knows.

    Args:
        settings: the recipe's section.
        defaults: every option that there is, with its value where the recipe has none.

    Raises:
        UserError: an option is unknown, or of another type than its default.
    """
    for key, value in settings.options.items():
        where = f"loss.options.{key}"
        if not defaults:
            raise UserError(f"{where}: the loss {settings.name} has no options.")
        if key not in defaults:
            raise UserError(f"{where}: unknown option{nearest(key, list(defaults))}")
        kind = type(defaults[key])
        if type(value) is not kind and not (kind is float and type(value) is int):
            raise UserError(f"{where}={value!r}: expected one like {defaults[key]!r}.")
    return {**defaults, **settings.options}


def excluded_columns(
    own_groups: tf.Tensor, own_keys: tf.Tensor, column_keys: tf.Tensor, groups: tf.Tensor
) -> tf.Tensor:
    """Find the columns that hold a text of a group, or no text at all.

    Args:
        own_groups: the group of each of the groups' texts, int32 `[N]`.
        own_keys: the hash of each of those texts, int64 `[N]`.
        column_keys: the hash of each column's text, or `NO_TEXT`, int64 `[columns]`.
        groups: the number of groups.

    Returns:
        bool `[groups, columns]`.
    """
    same = tf.cast(own_keys[:, None] == column_keys[None, :], tf.int32)
    return (tf.math.unsorted_segment_sum(same, own_groups, groups) > 0) | (column_keys == NO_TEXT)


def present_in(
    column_keys: tf.Tensor, own_groups: tf.Tensor, own_keys: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Keep only those of the groups' texts that occur among the columns: of a large group, a few.

    Arguments are those of `excluded_columns`; returns the texts' groups and hashes.
    """
    ordered = tf.sort(column_keys)
    position = tf.minimum(tf.searchsorted(ordered, own_keys), tf.size(ordered) - 1)
    present = tf.gather(ordered, position) == own_keys
    return tf.boolean_mask(own_groups, present), tf.boolean_mask(own_keys, present)
