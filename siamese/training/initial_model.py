"""A model that a run goes on from: its weights, with rows for the characters that are new to it."""

import json
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from siamese.config.recipe import Recipe, flat_settings
from siamese.encoder.model_folder import (
    MANIFEST,
    MODEL_FILES,
    ModelContents,
    local_model,
    read_model_folder,
)
from siamese.encoder.weights import Weights
from siamese.errors import UserError
from siamese.storage.atomic import replacing_folder, sha256_of
from siamese.storage.run_folder import Existing
from siamese.text.vocabulary import FIRST_ID, Vocabulary
from siamese.training.run_folder import RunFolder

# What the weights and the characters of a model depend on.
CORE = (
    "encoder.embedding_dim",
    "encoder.lstm_units",
    "encoder.pooling",
    "encoder.attention_heads",
    "text.lowercase",
    "text.normalize",
)


@dataclass(frozen=True)
class InitialModel:
    """A model that a run goes on from.

    Attributes:
        name: the path or URI that the user gave.
        sha256: of the folder's manifest, which holds the checksums of everything else.
        contents: of the folder.
        copy: of the folder, on this machine, if one was asked for.
    """

    name: str
    sha256: str
    contents: ModelContents
    copy: Path | None = None

    @property
    def origin(self) -> dict[str, str]:
        """Return what a run and its model tell of where they come from."""
        return {"init": self.name, "init_sha256": self.sha256}

    def check_core(self, recipe: Recipe) -> None:
        """Check that a recipe's encoder is the model's; all other settings may be others.

        Raises:
            UserError: names each setting that is another, and the `--set` that repairs it.
        """
        model, asked = flat_settings(self.contents.recipe), flat_settings(recipe)
        wrong = [key for key in CORE if model[key] != asked[key]]
        if recipe.encoder.pooling == model["encoder.pooling"] != "attention":
            wrong = [key for key in wrong if key != "encoder.attention_heads"]
        if wrong:
            raise UserError(
                f"{self.name}: the recipe's encoder is not this model's, so training cannot go on "
                "from it. Set what the model has.\n"
                + "\n".join(
                    f"  {key}: the model has {_written(model[key])}, the recipe "
                    f"{_written(asked[key])}: --set {key}={_written(model[key])}"
                    for key in wrong
                )
            )

    def vocabulary_with(self, counts: Mapping[str, int], min_count: int) -> Vocabulary:
        """Make the vocabulary of the model's characters, all of them, and of the data's.

        Args:
            counts: how often each character occurs in the data; added to the model's counts.
            min_count: characters that are new to the model and occur less often are left out.
        """
        known = self.contents.vocabulary
        merged = Counter(known.counts)
        merged.update(Vocabulary(counts, known.lowercase, normalize=known.normalize).counts)
        kept = {c: n for c, n in merged.items() if c in known.counts or n >= min_count}
        return Vocabulary(kept, known.lowercase, normalize=known.normalize)

    def weights_for(self, vocabulary: Vocabulary, recipe: Recipe) -> Weights:
        """Make the weights that the run begins with.

        Args:
            vocabulary: of `vocabulary_with`.
            recipe: its seed and `encoder.embedding_range` make the new characters' rows; they are
                zeros if embeddings are not trained.

        Returns:
            The model's weights: each of its characters has the row it had there, at another id.
        """
        before = self.contents.weights
        rows = {c: n for n, c in enumerate(self.contents.vocabulary.characters, start=FIRST_ID)}
        ids = np.array([rows.get(character, -1) for character in vocabulary.characters], np.int64)
        encoder = recipe.encoder
        limit = encoder.embedding_range if encoder.train_embeddings else 0.0
        random = np.random.default_rng(recipe.seed)
        new = random.uniform(-limit, limit, (int((ids < 0).sum()), encoder.embedding_dim))
        characters = np.empty((len(vocabulary), encoder.embedding_dim), np.float32)
        characters[:FIRST_ID] = before.characters[:FIRST_ID]
        characters[FIRST_ID:][ids >= 0] = before.characters[ids[ids >= 0]]
        characters[FIRST_ID:][ids < 0] = new
        return before._replace(characters=characters)

    def keep_in(self, folder: RunFolder) -> None:
        """Put the copy into a run, which so can go on without the model, wherever that was."""
        assert self.copy
        with replacing_folder(folder.init) as beside:
            shutil.copytree(self.copy, beside, dirs_exist_ok=True)
        folder.publish()


def find_initial_model(
    init: str | Path | None, run: RunFolder, existing: Existing, copy: Path
) -> InitialModel | None:
    """Find the model that a run goes on from; None: it begins from nothing.

    Args:
        init: a model folder or its URI, as the user gave it. A resumed run has its own copy, and
            needs none.
        run: its folder.
        existing: what is done with a run that is there.
        copy: a folder to make, which takes a copy of the model.

    Raises:
        UserError: there is no such model, it is damaged, or it is not the one that the run to be
            resumed went on from.
    """
    if existing != "resume":
        return load_initial_model(init, copy) if init is not None else None
    before = run.origin()
    if init is None and not before:
        return None
    if init is None and not (run.init / MANIFEST).is_file():  # killed before the copy was there
        raise UserError(
            f"{run.location}: has no copy of the model that it went on from. Give that model "
            f"again: --init {before['init']}"
        )
    found = load_initial_model(init or run.init, copy)
    if found.sha256 != before.get("init_sha256"):
        raise UserError(
            f"{run.location}: went on from {before.get('init', 'no model')}, not from "
            f"{init or run.init}. Resume it without --init, or start a run of its own."
        )
    return replace(found, name=before["init"])


def load_initial_model(location: str | Path, copy: Path | None = None) -> InitialModel:
    """Read a model to go on from.

    Args:
        location: a model folder or its URI.
        copy: a folder to make, which takes a copy of the model.

    Raises:
        UserError: there is no such model, or it is damaged.
    """
    with local_model(location) as here:
        contents = read_model_folder(here)
        if copy:
            copy.mkdir(parents=True)
            for name in filter(lambda name: (here / name).is_file(), MODEL_FILES):
                shutil.copyfile(here / name, copy / name)
        return InitialModel(str(location), sha256_of(here / MANIFEST), contents, copy)


def _written(value: Any) -> str:
    """Write a setting as `--set` takes it."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
