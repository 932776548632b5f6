"""What an encoder makes of texts that a user should know of."""

from collections.abc import Collection

from siamese.text.vocabulary import Vocabulary, count_cut


def notes_on(texts: Collection[str], vocabulary: Vocabulary, max_length: int) -> list[str]:
    """Say how many texts are cut, and how many the encoder knows no character of.

    Args:
        texts: the texts.
        vocabulary: the encoder's.
        max_length: characters beyond it are cut.

    Returns:
        A line for each; none if there are no such texts.
    """
    notes = []
    if cut := count_cut(map(vocabulary.read, texts), max_length):
        notes.append(f"{cut:,} texts longer than {max_length} characters were cut")
    if unknown := vocabulary.count_unknown(texts, max_length):
        hold = "holds" if unknown == 1 else "hold"
        of = "text" if len(texts) == 1 else "texts"
        notes.append(
            f"{unknown:,} of {len(texts):,} {of} {hold} only unknown characters: "
            "the model was trained on none of them, and cannot tell such texts apart"
        )
    return notes
