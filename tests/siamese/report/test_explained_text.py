"""Texts painted by contributions."""

import re

from siamese.encoder.explanation import Explanation
from siamese.report.explained_text import painted


def grounds(html: str) -> list[tuple[str, str]]:
    return re.findall(r'<span style="background:rgba\(([\d,]+,\d\.\d\d)\)">(.+?)</span>', html)


def test_the_strongest_contribution_has_the_strongest_ground_and_none_has_none() -> None:
    one, other = painted(Explanation("退票吗", "票", 0.5, (0.2, -0.4, 0.0), (0.1,)))
    assert grounds(one) == [("0,114,178,0.28", "退"), ("213,94,0,0.55", "票")]
    assert one.endswith("吗")
    assert grounds(other) == [("0,114,178,0.14", "票")]


def test_a_text_is_escaped_character_by_character() -> None:
    one, other = painted(Explanation("<b>", "", 0.5, (0.1, 0.1, 0.0), ()))
    assert "<b>" not in one and re.sub("<[^>]+>", "", one) == "&lt;b&gt;"
    assert other == ""
