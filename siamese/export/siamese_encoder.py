"""A character BiLSTM as a module of sentence-transformers, in one file that needs nothing else.

`siamese export --to sentence-transformers` puts a copy of it beside the weights of models that the
stock modules cannot express. https://sbert.net/docs/sentence_transformer/usage/custom_models.html
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

try:
    from sentence_transformers.base.modules import InputModule
except ImportError:  # before release 6.0
    from sentence_transformers.models import InputModule


class SiameseEncoder(InputModule):
    """Characters -> ids -> embeddings -> bidirectional LSTMs -> pooling.

    Args:
        ids: what each character is read as; most are one id, "ß" is that of "s" twice.
        unknown_id: what any other character is read as.
        max_seq_length: ids of a text that are read; those after it are cut.
        vocabulary_size: ids that there are; 0 is padding.
        character_dim: numbers of a character's embedding.
        lstm_units: of one direction of each layer.
        pooling: `mean`, `max`, `last` (the final states of both directions) or `attention`.
        attention_heads: parts of the outputs that are weighed by themselves; 0 without attention.
    """

    config_file_name = "siamese_encoder.json"
    config_keys = (
        *("ids", "unknown_id", "max_seq_length", "vocabulary_size", "character_dim"),
        *("lstm_units", "pooling", "attention_heads"),
    )

    def __init__(
        self,
        ids: Mapping[str, Sequence[int]],
        unknown_id: int,
        max_seq_length: int,
        vocabulary_size: int,
        character_dim: int,
        lstm_units: Sequence[int],
        pooling: str,
        attention_heads: int,
    ) -> None:
        super().__init__()
        self.ids = ids
        self.unknown_id = unknown_id
        self.max_seq_length = max_seq_length
        self.vocabulary_size = vocabulary_size
        self.character_dim = character_dim
        self.lstm_units = lstm_units
        self.pooling = pooling
        self.attention_heads = attention_heads
        self.characters = nn.Embedding(vocabulary_size, character_dim)
        widths = [character_dim, *(2 * units for units in lstm_units)]
        self.layers = nn.ModuleList(
            nn.LSTM(width, units, batch_first=True, bidirectional=True)
            for width, units in zip(widths, lstm_units)  # noqa: B905  one more width than layers
        )
        if pooling == "attention":
            self.attention = nn.Linear(widths[-1], attention_heads, bias=False)

    def get_embedding_dimension(self) -> int:
        """Return the size of a text's embedding."""
        return 2 * self.lstm_units[-1]

    # Its name before release 5.4.
    get_sentence_embedding_dimension = get_embedding_dimension

    def preprocess(
        self, inputs: Sequence[str], prompt: str | None = None, **kwargs: Any
    ) -> dict[str, torch.Tensor]:
        """Turn texts into ids `[texts, time]`, padded with 0 at the end."""
        unknown = [self.unknown_id]
        rows = [
            [id for c in (prompt or "") + text for id in self.ids.get(c, unknown)]
            for text in inputs
        ]
        rows = [row[: self.max_seq_length] for row in rows]
        width = max(1, *map(len, rows))
        padded = [row + [0] * (width - len(row)) for row in rows]
        ids = torch.tensor(padded, dtype=torch.long)
        return {"input_ids": ids, "attention_mask": (ids != 0).long()}

    def tokenize(self, texts: Sequence[str], **kwargs: Any) -> dict[str, torch.Tensor]:
        """Do what `preprocess` does, for releases before 6.0."""
        return self.preprocess(texts)

    def forward(self, features: dict[str, torch.Tensor], **kwargs: Any) -> dict[str, torch.Tensor]:
        """Add `token_embeddings` and `sentence_embedding` (zeros for an empty text)."""
        mask = features["attention_mask"] != 0
        lengths = mask.sum(1).clamp(min=1).cpu()
        hidden = self.characters(features["input_ids"])
        for layer in self.layers:
            packed = nn.utils.rnn.pack_padded_sequence(
                hidden, lengths, batch_first=True, enforce_sorted=False
            )
            outputs, (states, _) = layer(packed)
            hidden, _ = nn.utils.rnn.pad_packed_sequence(
                outputs, batch_first=True, total_length=mask.shape[1]
            )
        pooled = self._pool(hidden, mask[:, :, None], torch.cat([*states], dim=1))
        features["token_embeddings"] = hidden
        features["sentence_embedding"] = pooled.masked_fill(~mask.any(1)[:, None], 0)
        return features

    def _pool(self, hidden: torch.Tensor, mask: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
        if self.pooling == "last":
            return states
        if self.pooling == "max":
            return hidden.masked_fill(~mask, float("-inf")).amax(1)
        if self.pooling == "mean":
            return (hidden * mask).sum(1) / mask.sum(1).clamp(min=1)
        scores = self.attention(hidden).masked_fill(~mask, float("-1e9"))
        dim = hidden.shape[2]
        head_of = torch.arange(dim, device=hidden.device) * self.attention_heads // dim
        weights = (torch.softmax(scores, 1) * mask)[:, :, head_of]
        return (weights * hidden).sum(1)

    def save(
        self, output_path: str, *args: Any, safe_serialization: bool = True, **kwargs: Any
    ) -> None:
        """Write configuration and weights, as sentence-transformers asks."""
        self.save_config(output_path)
        self.save_torch_weights(output_path, safe_serialization=safe_serialization)

    @classmethod
    def load(cls, model_name_or_path: str, subfolder: str = "", **kwargs: Any) -> "SiameseEncoder":
        """Load what `save` wrote, from a folder or from the Hub."""
        known = ("token", "cache_folder", "revision", "local_files_only")
        where = {"subfolder": subfolder, **{k: kwargs[k] for k in known if k in kwargs}}
        model = cls(**cls.load_config(model_name_or_path, **where))
        return cls.load_torch_weights(model_name_or_path, model=model, **where)
