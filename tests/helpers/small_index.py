"""Many texts of few characters, whose similarities to each other are all sorts."""

import random

from small_encoder import TEXTS

CHARACTERS = sorted(set("".join(TEXTS)) - {" "})


def some_texts(count: int, seed: int = 1) -> list[str]:
    """Draw different texts of 2 to 12 characters that the small encoder knows."""
    draw = random.Random(seed)
    texts: dict[str, None] = {}
    while len(texts) < count:
        texts["".join(draw.choices(CHARACTERS, k=draw.randint(2, 12)))] = None
    return list(texts)
