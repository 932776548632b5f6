"""TensorBoard: event files in `RUN/tensorboard` (`tensorboard --logdir RUN`)."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from siamese.config.recipe import Recipe
from siamese.storage.atomic import replacing
from siamese.training.run_folder import RunFolder

if TYPE_CHECKING:
    from siamese.encoder.keras_tf import tf


class TensorBoard:
    """Writes every figure as a scalar, named `event/figure`."""

    def start(self, run: RunFolder, recipe: Recipe, step: int) -> None:
        """Begin an event file; drop the events after `step` from those that are there."""
        from siamese.encoder.keras_tf import tf

        for left in run.tensorboard.glob(".*"):  # by a kill in the middle of this
            left.unlink()
        for path in sorted(run.tensorboard.glob("events.out.tfevents.*")):
            _forget_after(path, step)
        self._scalar = tf.summary.scalar
        self._writer = tf.summary.create_file_writer(str(run.tensorboard))

    def log(self, event: str, values: Mapping[str, float], step: int) -> None:
        """Write the figures; they are in the file when this returns."""
        with self._writer.as_default(step):
            for name, value in values.items():
                self._scalar(f"{event}/{name}", value)
        self._writer.flush()

    def close(self, finished: bool) -> None:
        """Close the file."""
        self._writer.close()


def build() -> TensorBoard:
    """Make the tracker."""
    return TensorBoard()


def _forget_after(path: Path, step: int) -> None:
    """Rewrite an event file without the events after a step; one that is left empty is removed."""
    from siamese.encoder.keras_tf import tf

    kept = [event for event in _read(path) if event.step <= step]
    if not any(event.HasField("summary") for event in kept):
        path.unlink()
        return
    with replacing(path) as beside, tf.io.TFRecordWriter(str(beside)) as writer:
        for event in kept:
            writer.write(event.SerializeToString())


def _read(path: Path) -> Iterator["tf.compat.v1.Event"]:
    """Yield the events of a file, up to where a kill cut it short."""
    from siamese.encoder.keras_tf import tf

    try:
        for record in tf.data.TFRecordDataset(str(path)):
            yield tf.compat.v1.Event.FromString(record.numpy())
    except tf.errors.DataLossError:
        return
