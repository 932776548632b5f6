"""Recipes: every setting of a run, validated before any work starts.

A recipe is YAML. `recipes/` holds the embedded ones; a file of one's own needs only what differs
from the defaults below. `--set section.key=value` overrides one setting.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from siamese.config.explanation import explain_settings
from siamese.config.metrics import METRICS
from siamese.config.yaml_files import nearest, parse_yaml, read_settings
from siamese.errors import UserError

Pooling = Literal["last", "mean", "max", "attention"]

# What `siamese.encoder.similarity` computes.
Similarity = Literal["cosine", "notebook"]


class Section(BaseModel):
    """A part of a recipe: immutable, and without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Text(Section):
    """How texts become ids."""

    max_length: int = Field(64, ge=1, le=4096, description="characters; longer texts are cut")
    padding: Literal["longest", "max_length"] = Field(
        "longest", description="pad a batch to its longest text (rounded up), or to max_length"
    )
    lowercase: bool = Field(True, description="fold upper and lower case")
    min_count: int = Field(1, ge=1, description="rarer characters are unknown")
    include_dev: bool = Field(
        False, description="count the development pairs' characters too, as the notebook does"
    )


class Encoder(Section):
    """The BiLSTM."""

    vectors: str = Field(
        "train",
        min_length=1,
        description="a word2vec file, `train` (word2vec on the run's texts) or `none` (random)",
    )
    embedding_dim: int = Field(300, ge=1, le=4096, description="numbers per character")
    train_embeddings: bool = Field(True, description="update the character embeddings")
    lstm_units: tuple[int, ...] = Field(
        (128,), min_length=1, max_length=8, description="units per direction, one per layer"
    )
    dropout: float = Field(0.5, ge=0, lt=1, description="after each layer")
    pooling: Pooling = Field(
        "mean",
        description="of the last layer's outputs over time; `last` takes its final states, "
        "`attention` a mean whose weights are learned",
    )
    attention_heads: int = Field(
        8,
        ge=1,
        description="with `attention`, the parts of the outputs that have their own weights",
    )
    embedding_range: float = Field(
        0.3,
        gt=0,
        le=10,
        description="with `vectors: none`, characters begin at random numbers between minus this "
        "and this",
    )

    @model_validator(mode="after")
    def _units_are_positive(self) -> "Encoder":
        for units in self.lstm_units:
            if not 1 <= units <= 8192:
                raise ValueError(f"encoder.lstm_units must be 1 to 8192 each, found {units}")
        return self


class Loss(Section):
    """The in-batch contrastive loss."""

    scale: float = Field(20.0, gt=0, description="multiplies the cosines before the softmax")
    hard_negatives: int = Field(
        0,
        ge=0,
        le=64,
        description="labelled negatives drawn per group, as further columns; if any, as many "
        "negative pairs of texts that are in no group are drawn as a batch has groups",
    )
    ranking: float = Field(
        0.0,
        ge=0,
        le=100,
        description="weight of a second loss, which ranks the batch's positive pairs above its "
        "labelled negative ones (CoSENT, Su, 2022)",
    )
    ranking_scale: float = Field(20.0, gt=0, description="multiplies the cosines in it")


class Sampling(Section):
    """Which texts make which batch."""

    batch_groups: int = Field(128, ge=2, description="groups in a global batch; two rows each")
    micro_batch_groups: int | None = Field(
        None,
        ge=1,
        description="encode so many groups at a time, twice over, to hold a batch of any size in "
        "little memory (gradient caching, Gao et al., 2021); null: all at once",
    )
    method: Literal["pairs", "by_size", "notebook"] = Field(
        "pairs",
        description="`pairs`: shuffled passes, two different texts per group. `by_size`: so too, "
        "but a pass takes a group of n texts n - 1 times. `notebook`: independent draws, the two "
        "texts (with replacement) concatenated in both orders",
    )


class Optimizer(Section):
    """Adam and its learning rate."""

    learning_rate: float = Field(1e-3, gt=0, le=1, description="of Adam, at its highest")
    warmup_steps: int = Field(0, ge=0, description="the rate rises linearly from 0 over these")
    decay: Literal["constant", "cosine"] = Field(
        "constant", description="`cosine` falls to 0 at the last epoch's end"
    )
    clip_norm: float | None = Field(
        None, gt=0, description="scales a longer gradient, of all weights together, to this length"
    )


class Training(Section):
    """The length of a run."""

    epochs: int = Field(8, ge=1, description="at most; see patience")
    patience: int | None = Field(
        3, ge=1, description="stop after so many epochs without a better metric; null: never"
    )


class Evaluation(Section):
    """How the encoder is judged on the development pairs."""

    similarity: Similarity = Field(
        "cosine", description="`notebook`: sum(p*q) / sqrt(sum(p^2 + q^2))"
    )
    metric: str = Field(
        "roc_auc",
        min_length=1,
        description="picks the best epoch: of the labelled pairs, or of retrieval (`recall_at_1`, "
        "`recall_at_5`, `recall_at_10`, `mrr`), where every text searches its paraphrases",
    )
    threshold: float | Literal["fit"] = Field(
        "fit", description="a similarity above it means the same; `fit`: the most accurate one"
    )

    @field_validator("metric")
    @classmethod
    def _metric_is_known(cls, metric: str, info: ValidationInfo) -> str:
        """Refuse an unknown metric, unless it may be one of a user's own evaluator."""
        if info.context and info.context["only_known"] and metric not in METRICS:
            near = nearest(repr(metric), list(map(repr, METRICS)))
            raise ValueError(f"evaluation.metric={metric!r}: no such metric{near}")
        return metric


class Recipe(Section):
    """Every setting of a run."""

    seed: int = Field(1, ge=0, lt=2**32, description="of all that is random")
    text: Text = Text()
    encoder: Encoder = Encoder()
    loss: Loss = Loss()
    sampling: Sampling = Sampling()
    optimizer: Optimizer = Optimizer()
    training: Training = Training()
    evaluation: Evaluation = Evaluation()

    @model_validator(mode="after")
    def _settings_fit_together(self) -> "Recipe":
        problems = []
        if self.sampling.method == "notebook" and self.loss.hard_negatives:
            problems.append(
                "loss.hard_negatives must be 0 with sampling.method=notebook, whose rows are "
                "two texts joined"
            )
        if self.loss.ranking and not self.loss.hard_negatives:
            problems.append(
                "loss.ranking compares with labelled negatives: set loss.hard_negatives to 1 or "
                "more"
            )
        if self.encoder.vectors == "none" and not self.encoder.train_embeddings:
            problems.append(
                "encoder.train_embeddings=false needs vectors: set encoder.vectors to a word2vec "
                "file or to train"
            )
        if problems:
            raise ValueError("\n  ".join(problems))
        return self

    def to_yaml(self) -> str:
        """The whole recipe as YAML, defaults included; `load_recipe` reads it back."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def load_recipe(name_or_file: str, overrides: Sequence[str] = (), stored: bool = False) -> Recipe:
    """Load an embedded recipe or a YAML file, apply `section.key=value` overrides and validate.

    Args:
        name_or_file: the name of an embedded recipe, or a path that ends in `.yaml`.
        overrides: of single settings, each `section.key=value`.
        stored: it is that of a model or a run, whose loss or evaluator may not be known here.

    Raises:
        UserError: there is no such recipe, it is not YAML, or settings are wrong; every wrong
            setting is named at once, an unknown key with the nearest valid one.
    """
    source, settings = read_settings(name_or_file, "recipe", "`loss: {scale: 20}`")
    problems: list[str] = []
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals or not key:
            problems.append(f"--set {override}: write it as section.key=value")
            continue
        try:
            value = parse_yaml(value, f"--set {override}")
        except UserError as error:
            problems.append(str(error))
            continue
        if section := _put(settings, key, value):
            problems.append(f"{key}: `{section}` is a setting, not a section")
    try:
        context = {"only_known": not stored}
        recipe = Recipe.model_validate(settings, context=context)
    except ValidationError as error:
        problems += explain(error)
    if problems:
        count = f"{len(problems)} settings are" if len(problems) > 1 else "a setting is"
        raise UserError(f"{source}: {count} wrong.\n" + "\n".join(f"  {p}" for p in problems))
    return recipe


def with_settings(recipe: Recipe, settings: Mapping[str, Any]) -> Recipe:
    """The recipe with other values for some settings.

    Args:
        recipe: the others are as in it.
        settings: values by key, such as `loss.scale`.

    Raises:
        pydantic.ValidationError: a setting is wrong; `explain` puts it into words.
    """
    values = recipe.model_dump(mode="json")
    for key, value in settings.items():
        _put(values, key, value)
    return Recipe.model_validate(values)


def _put(settings: dict[str, Any], key: str, value: Any) -> str:
    """Set `section.key`; the name of what should be a section and is none, or nothing."""
    *sections, name = key.split(".")
    for section in sections:
        settings = settings.setdefault(section, {})
        if not isinstance(settings, dict):
            return section
    settings[name] = value
    return ""


def flat_settings(recipe: Recipe) -> dict[str, Any]:
    """List the values of all settings by key, such as `loss.scale`."""
    flat: dict[str, Any] = {}
    for name, value in recipe.model_dump(mode="json").items():
        if isinstance(value, dict):
            flat |= {f"{name}.{key}": setting for key, setting in value.items()}
        else:
            flat[name] = value
    return flat


def setting_keys() -> list[str]:
    """List the keys of all settings, such as `loss.scale`."""
    return list(flat_settings(Recipe()))


def explain(error: ValidationError) -> list[str]:
    """Put each wrong setting of a recipe into one line."""
    return explain_settings(error, Recipe)
