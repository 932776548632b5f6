"""What an encoder makes of texts that a user should know of."""

from collections.abc import Collection

from siamese.text.vocabulary import Vocabulary, count_cut


class TextNotes:
    """Counts the texts that are cut, and those that the encoder knows no character of.

    Args:
        vocabulary: the encoder's.
        max_length: characters beyond it are cut.
    """

    def __init__(self, vocabulary: Vocabulary, max_length: int) -> None:
        self._vocabulary = vocabulary
        self._max_length = max_length
        self._texts = self._cut = self._unknown = 0

    def add(self, texts: Collection[str]) -> None:
        """Count further texts."""
        self._texts += len(texts)
        self._cut += count_cut(map(self._vocabulary.read, texts), self._max_length)
        self._unknown += self._vocabulary.count_unknown(texts, self._max_length)

    def lines(self) -> list[str]:
        """Return a line for each kind of which there are any."""
        notes = []
        if self._cut:
            notes.append(f"{self._cut:,} texts longer than {self._max_length} characters were cut")
        if self._unknown:
            hold = "holds" if self._unknown == 1 else "hold"
            of = "text" if self._texts == 1 else "texts"
            notes.append(
                f"{self._unknown:,} of {self._texts:,} {of} {hold} only unknown characters: "
                "the model was trained on none of them, and cannot tell such texts apart"
            )
        return notes


def notes_on(texts: Collection[str], vocabulary: Vocabulary, max_length: int) -> list[str]:
    """Say how many texts are cut, and how many the encoder knows no character of.

    Args:
        texts: the texts.
        vocabulary: the encoder's.
        max_length: characters beyond it are cut.

    Returns:
        A line for each; none if there are no such texts.
    """
    notes = TextNotes(vocabulary, max_length)
    notes.add(texts)
    return notes.lines()
