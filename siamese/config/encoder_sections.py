"""The sections of a recipe that say what an encoder is: how texts become ids, and its layers."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Pooling = Literal["last", "mean", "max", "attention"]

# What `siamese.text.normalization` does.
Normalization = Literal["none", "nfkc", "simplified", "nfkc+simplified"]

# A whole number is smaller, so that sums and products of them fit what computes with them.
MOST = 2**31


class Section(BaseModel):
    """A part of a recipe: immutable, and without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Text(Section):
    """How texts become ids."""

    max_length: int = Field(64, ge=1, le=4096, description="characters; longer texts are cut")
    padding: Literal["longest", "max_length"] = Field(
        "longest", description="pad a batch to its longest text (rounded up), or to max_length"
    )
    normalize: Normalization = Field(
        "none",
        description="before anything else, make other forms of a character one with the usual: "
        "`nfkc` full-width letters and digits and the like, `simplified` traditional Chinese ones "
        "(the extra `opencc`), or both",
    )
    lowercase: bool = Field(True, description="fold upper and lower case")
    min_count: int = Field(1, ge=1, lt=MOST, description="rarer characters are unknown")
    unknown_rate: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="share of the characters that training reads as unknown, others each time, so "
        "that the model learns to do without (character dropout)",
    )
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
        lt=MOST,
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
