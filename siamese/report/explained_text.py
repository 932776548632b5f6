"""Paint a text by what its characters contribute to a similarity."""

from collections.abc import Sequence

from markupsafe import Markup, escape

from siamese.encoder.explanation import Explanation

# Red, green and blue of a character that brings the texts together, and of one that does not.
_TOGETHER, _APART = "0,114,178", "213,94,0"
# Opacity of the strongest contribution; text stays readable on it.
_STRONGEST = 0.55


def painted(explanation: Explanation) -> tuple[Markup, Markup]:
    """Return both texts as HTML, each character on a ground as strong as its contribution."""
    sides = (
        (explanation.text1, explanation.contributions1),
        (explanation.text2, explanation.contributions2),
    )
    most = max((abs(each) for _, side in sides for each in side), default=0.0)
    one, other = (_painted(text, side, most) for text, side in sides)
    return one, other


def _painted(text: str, contributions: Sequence[float], most: float) -> Markup:
    spans = []
    for character, contribution in zip(text, contributions, strict=True):
        opacity = round(_STRONGEST * abs(contribution) / most, 2) if most else 0.0
        color = _TOGETHER if contribution > 0 else _APART
        spans.append(
            Markup('<span style="background:rgba({},{:.2f})">{}</span>').format(
                color, opacity, escape(character)
            )
            if opacity
            else escape(character)
        )
    return Markup("").join(spans)
