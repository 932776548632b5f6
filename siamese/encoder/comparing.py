"""What an encoder says of two texts: their similarity, what it means, and why."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from siamese.config.recipe import Recipe
from siamese.encoder.arguments import checked_embeddings
from siamese.encoder.calibration import Calibrator, Verdict, verdict_of
from siamese.encoder.explanation import Explanation, explain
from siamese.encoder.similarity import pairwise_similarity, similarity_matrix
from siamese.errors import UserError
from siamese.text.vocabulary import Vocabulary


class Comparing:
    """Compares sentences by their embeddings. `SentenceEncoder` is one."""

    recipe: Recipe
    vocabulary: Vocabulary
    threshold: float
    calibrator: Calibrator | None

    @property
    def embedding_dim(self) -> int:
        """Return the size of an embedding."""
        raise NotImplementedError

    def encode(self, sentences: Any) -> Any:
        """Return the embeddings of sentences, `[len(sentences), dim]`."""
        raise NotImplementedError

    def similarity(
        self, a: str | Sequence[str] | np.ndarray, b: str | Sequence[str] | np.ndarray
    ) -> Any:
        """Compare `a` with `b` by the similarity that the model was trained for (cosine).

        Two sentences have the same similarity, to the last bit, alone and among others.

        Args:
            a: a sentence, sentences, or embeddings `[n, dim]`.
            b: a sentence, sentences, or embeddings `[m, dim]`.

        Returns:
            A number for two sentences, otherwise float64 `[n, m]`: every one of `a` with every
            one of `b`.

        Raises:
            TypeError: one is none of these.
            ValueError: embeddings are of another width, or not finite.
        """
        kind = self.recipe.evaluation.similarity
        similarities = similarity_matrix(self._rows(a), self._rows(b), kind)
        both_single = isinstance(a, str) and isinstance(b, str)
        return float(similarities[0, 0]) if both_single else similarities

    def similarity_pairwise(self, a: Sequence[str] | Any, b: Sequence[str] | Any) -> np.ndarray:
        """Compare each of `a` with the same one of `b`, to the bit as `similarity` does.

        Args:
            a: sentences, or embeddings `[n, dim]`.
            b: as many.

        Returns:
            float64 `[n]`.

        Raises:
            TypeError, ValueError: as in `similarity`, or they are not as many.
        """
        rows_a, rows_b = self._rows(a), self._rows(b)
        if len(rows_a) != len(rows_b):
            raise ValueError(f"similarity_pairwise takes pairs: {len(rows_a)} and {len(rows_b)}")
        return pairwise_similarity(rows_a, rows_b, self.recipe.evaluation.similarity)

    def is_similar(
        self, a: str | Sequence[str] | np.ndarray, b: str | Sequence[str] | np.ndarray
    ) -> Any:
        """Compare the similarity with the stored threshold; shapes as in `similarity`."""
        return self.similarity(a, b) > self.threshold

    def probability(
        self, a: str | Sequence[str] | np.ndarray, b: str | Sequence[str] | np.ndarray
    ) -> Any:
        """Estimate how probable it is that `a` means the same as `b`; shapes as in `similarity`.

        It holds for pairs of the kind that the development pairs were, and where as large a share
        of the pairs is positive.

        Raises:
            UserError: the model has no calibrator.
        """
        if self.calibrator is None:
            raise UserError(
                "the model has no calibrator: an older release trained it. Train it again, or fit "
                "one: encoder.calibrator = siamese.evaluation.calibration.fit_calibrator(scores, "
                "labels)."
            )
        similarities = self.similarity(a, b)
        probabilities = self.calibrator.probability(similarities)
        return float(probabilities) if isinstance(similarities, float) else probabilities

    def verdict(self, a: str, b: str) -> Verdict:
        """Say in a word whether two sentences mean the same, by their `probability`.

        Returns:
            `similar`, `different`, or `unsure` where the probability is between 0.25 and 0.75.
        """
        return verdict_of(self.probability(a, b))

    def explain(self, a: str, b: str) -> Explanation:
        """Find what each character of two sentences adds to their similarity or takes from it."""
        if not (isinstance(a, str) and isinstance(b, str)):
            raise TypeError("explain takes two sentences")
        most = self.recipe.text.max_length
        read_of = partial(self.vocabulary.count_read, max_length=most)
        return explain(a, b, self.encode, self.recipe.evaluation.similarity, read_of)

    def _rows(self, value: Any) -> np.ndarray:
        if hasattr(value, "detach"):  # a tensor of torch
            value = value.detach().cpu().numpy()
        if isinstance(value, np.ndarray) and value.dtype.kind not in "OSTU":
            return checked_embeddings(value, self.embedding_dim)
        return np.atleast_2d(self.encode(value))
