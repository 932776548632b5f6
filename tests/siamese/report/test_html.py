"""Pages are templates: what they are given is escaped, what is missing is an error."""

from pathlib import Path

import pytest
from jinja2 import UndefinedError

from siamese.report.html import render


def of(folder: Path, body: str, **values: object) -> str:
    head = '{% extends "base.html.j2" %}{% from "macros.html.j2" import picture, table, tiles %}'
    template = folder / "page.html.j2"
    template.write_text(f"{head}{{% block body %}}{body}{{% endblock %}}", encoding="utf-8")
    page = render(template, title="a <title>", **values)
    assert page == render(template, title="a <title>", **values)
    assert page.startswith("<!DOCTYPE html>\n") and page.endswith("</html>\n")
    assert "<title>a &lt;title&gt;</title>" in page and "<h1>a &lt;title&gt;</h1>" in page
    return page.partition("</h1>")[2].partition("</body>")[0].strip()


def test_values_are_escaped_once(tmp_path: Path) -> None:
    assert of(tmp_path, "{{ text }}", text="<&\"'>") == "&lt;&amp;&#34;&#39;&gt;"
    assert of(tmp_path, '{{ table("k", ("<",), [("&",)]) }}').count("&lt;") == 1
    assert "<dt>&lt;</dt><dd>&amp;</dd>" in of(tmp_path, '{{ tiles([("<", "&")]) }}')


def test_a_picture_is_in_the_page_and_shown_smaller_than_it_is(tmp_path: Path) -> None:
    png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (800).to_bytes(4) + (403).to_bytes(4)
    tag = of(tmp_path, '{{ picture(png, "a \\"b\\"") }}', png=png)
    assert tag.startswith('<img alt="a &#34;b&#34;" width="600" height="302" src="data:image/png;')


def test_a_missing_value_is_an_error_and_no_gap(tmp_path: Path) -> None:
    with pytest.raises(UndefinedError, match="'text' is undefined"):
        of(tmp_path, "{{ text }}")
