"""Show an explanation on a terminal in colour, and anywhere else in numbers."""

from collections.abc import Sequence

from siamese.encoder.explanation import Explanation


def print_explanation(explanation: Explanation) -> None:
    """Print the similarity, and each text with what its characters contribute."""
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    console.print(f"similarity {explanation.similarity:.4f}")
    sides = (
        (explanation.text1, explanation.contributions1),
        (explanation.text2, explanation.contributions2),
    )
    most = max((abs(each) for _, side in sides for each in side), default=0.0)
    for text, contributions in sides:
        if console.is_terminal and console.color_system:
            console.print(_coloured(text, contributions, most))
        console.print(_numbers(text, contributions), markup=False)
    console.print(
        "a number is what the similarity loses without the character: + brings the texts "
        "together, - sets them apart"
    )


def _coloured(text: str, contributions: Sequence[float], most: float) -> object:
    """Paint characters that bring the texts together green, and those that do not red."""
    from rich.text import Text

    painted = Text()
    for character, contribution in zip(text, contributions, strict=True):
        strength = abs(contribution) / most if most else 0.0
        faded = round(255 * (1 - 0.75 * strength))
        red, green = (faded, 255) if contribution >= 0 else (255, faded)
        style = f"black on #{red:02x}{green:02x}{faded:02x}"
        painted.append(character if character.isprintable() else " ", style=style)
    return painted


def _numbers(text: str, contributions: Sequence[float]) -> str:
    return "  " + "  ".join(
        f"{character if character.isprintable() else ' '} {contribution:+.3f}"
        for character, contribution in zip(text, contributions, strict=True)
    )
