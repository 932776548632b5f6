"""Recipes: every setting of a run, validated before any work starts.

A recipe is YAML. `recipes/` holds the embedded ones; a file of one's own needs only what differs
from the defaults below. `--set section.key=value` overrides one setting.
"""

from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from siamese.config.encoder_sections import MOST, Encoder, Section, Text
from siamese.config.metrics import METRICS
from siamese.config.parts import part_names
from siamese.config.yaml_files import nearest
from siamese.config.yaml_text import to_yaml

# What `siamese.encoder.similarity` computes.
Similarity = Literal["cosine", "notebook"]

# Texts of a neighbourhood, which a batch takes together (`siamese.data.unlabelled`).
NEIGHBOURHOOD = 8


class Loss(Section):
    """What training minimises."""

    name: str = Field(
        "contrastive",
        min_length=1,
        description="`contrastive`, `cosent`, or another file of `siamese/training/losses`",
    )
    scale: float = Field(
        20.0, gt=0, description="multiplies the cosines before the contrastive loss's softmax"
    )
    hard_negatives: int = Field(
        0,
        ge=0,
        le=64,
        description="labelled negatives drawn per group, as further columns; if any, as many "
        "negative pairs of texts that are in no group are drawn as a batch has groups (with "
        "`labelled`: pairs that are labelled as less than paraphrases)",
    )
    ranking: float = Field(
        0.0,
        ge=0,
        le=100,
        description="weight of CoSENT (Su, 2022) as a second loss, which ranks the batch's "
        "labelled pairs by their grade",
    )
    ranking_scale: float = Field(20.0, gt=0, description="multiplies the cosines in CoSENT")
    ranking_groups: int | None = Field(
        None,
        ge=2,
        lt=MOST,
        description="rank the pairs of so many groups at a time, and take the mean: of a large "
        "batch, the whole is ranked by its few most extreme pairs; null: the whole batch",
    )
    distillation: float = Field(
        0.0,
        ge=0,
        le=1000,
        description="weight of following a teacher's vectors as a further loss (`--teacher`)",
    )
    options: dict[str, Any] = Field(
        {}, description="settings of a loss of one's own, which only that loss knows"
    )

    @field_validator("name")
    @classmethod
    def _name_is_known(cls, name: str, info: ValidationInfo) -> str:
        """Refuse an unknown loss, unless it may be an object of a user's own."""
        names = part_names("loss")
        if info.context and info.context["only_known"] and name not in names:
            raise ValueError(f"loss.name={name!r}: no such loss{nearest(name, names)}")
        return name


class Sampling(Section):
    """Which texts make which batch."""

    batch_groups: int = Field(
        128, ge=2, lt=MOST, description="groups in a global batch; two rows each"
    )
    micro_batch_groups: int | None = Field(
        None,
        ge=1,
        lt=MOST,
        description="encode so many groups at a time, twice over, to hold a batch of any size in "
        "little memory (gradient caching, Gao et al., 2021); null: all at once",
    )
    method: Literal["pairs", "by_size", "labelled", "notebook"] = Field(
        "pairs",
        description="`pairs`: shuffled passes, two different texts per group. `by_size`: so too, "
        "but a pass takes a group of n texts n - 1 times. `labelled`: passes over the pairs that "
        "were labelled as paraphrases, and over groups without such as `by_size`. `notebook`: "
        "independent draws, the two texts (with replacement) concatenated in both orders",
    )
    unlabelled: int = Field(
        0,
        ge=0,
        lt=MOST,
        multiple_of=NEIGHBOURHOOD,
        description="texts of the teacher's folder in a global batch, besides the groups', in "
        "neighbourhoods of 8 that are near each other",
    )


class Optimizer(Section):
    """Adam and its learning rate."""

    learning_rate: float = Field(1e-3, gt=0, le=1, description="of Adam, at its highest")
    beta_2: float = Field(
        0.999, gt=0, lt=1, description="of Adam: how slowly its mean of squared gradients changes"
    )
    warmup_steps: int = Field(
        0, ge=0, lt=MOST, description="the rate rises linearly from 0 over these"
    )
    warmup_share: float = Field(
        0, ge=0, lt=1, description="or, where warmup_steps is 0, over this share of the run"
    )
    scale_with_batch: int | None = Field(
        None,
        ge=2,
        lt=MOST,
        description="groups in the batch that the rate and beta_2 are meant for. In a batch of k "
        "times as many groups the rate is sqrt(k) times as high, and 1 - beta_2 is k times as "
        "large (0.1 at most); null: they are taken as they are",
    )
    decay: Literal["constant", "cosine"] = Field(
        "constant", description="`cosine` falls to 0 at the last epoch's end"
    )
    clip_norm: float | None = Field(
        None, gt=0, description="scales a longer gradient, of all weights together, to this length"
    )

    def at_batch(self, groups: int) -> "Optimizer":
        """Compute the settings that hold for a batch of so many groups; see `scale_with_batch`.

        The square root keeps the noise of Adam's steps, and `beta_2` its memory in groups (Malladi
        et al., 2022); with 1 - beta_2 over 0.1 Adam would follow single batches.
        """
        if self.scale_with_batch is None:
            return self
        times = groups / self.scale_with_batch
        changed = {
            "learning_rate": min(self.learning_rate * times**0.5, 1.0),
            "beta_2": 1 - min((1 - self.beta_2) * times, max(0.1, 1 - self.beta_2)),
            "scale_with_batch": None,
        }
        return self.model_copy(update=changed)


class Training(Section):
    """The length of a run."""

    epochs: int = Field(8, ge=1, lt=MOST, description="at most; see patience")
    patience: int | None = Field(
        3,
        ge=1,
        lt=MOST,
        description="stop after so many epochs without a better metric; null: never",
    )
    teacher_epochs: int = Field(
        0,
        ge=0,
        lt=MOST,
        description="the first epochs, in which the encoder follows the teacher and nothing else",
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
        ranks = "loss.name=cosent" if self.loss.name == "cosent" else "loss.ranking"
        if (self.loss.ranking or self.loss.name == "cosent") and not self.loss.hard_negatives:
            problems.append(
                f"{ranks} compares with labelled negatives: set loss.hard_negatives to 1 or more"
            )
        if self.loss.ranking and self.loss.name == "cosent":
            problems.append(
                "loss.ranking adds CoSENT to another loss: set it to 0 with loss.name=cosent"
            )
        if self.sampling.unlabelled and not self.uses_teacher:
            problems.append(
                "sampling.unlabelled draws texts to follow a teacher on: set "
                "training.teacher_epochs or loss.distillation, or loss.name=distillation"
            )
        if self.training.teacher_epochs >= self.training.epochs:
            problems.append(
                "training.teacher_epochs must be fewer than training.epochs; to follow a teacher "
                "and nothing else, set loss.name=distillation"
            )
        if self.encoder.vectors == "none" and not self.encoder.train_embeddings:
            problems.append(
                "encoder.train_embeddings=false needs vectors: set encoder.vectors to a word2vec "
                "file or to train"
            )
        if problems:
            raise ValueError("\n  ".join(problems))
        return self

    @property
    def uses_teacher(self) -> bool:
        """Say whether some epoch follows a teacher."""
        return self.follows_teacher(0)

    def follows_teacher(self, epoch: int) -> bool:
        """Say whether an epoch, from 0, follows a teacher: alone or beside another loss."""
        by_loss = self.loss.distillation > 0 or self.loss.name == "distillation"
        return by_loss or epoch < self.training.teacher_epochs

    def to_yaml(self) -> str:
        """The whole recipe as YAML, defaults included; `load_recipe` reads it back."""
        return to_yaml(self.model_dump(mode="json"))


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
